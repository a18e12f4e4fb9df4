"""What tests hold the decoding by: steps that wait for a permit, passes that are recorded, requests that can be waited for."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import Engine, ModelPair
from baco.decoding.decode import Decoder
from baco.engine.request_queue import RequestQueue
from baco.engine.requests import Request
from baco.forward.compiling import CompiledPass
from baco.forward.cuda import CudaGraphs, Work
from baco.forward.model_runner import PreparedPass
from baco.forward.packing import Segment
from baco.forward.padding import PaddedPass

PATIENCE = 300 * float(os.environ.get("BACO_TEST_PATIENCE", "1"))
"""Seconds after which a test gives up on something that should have happened: long, since only a failure waits for its end."""


@dataclass(frozen=True)
class Pass:
    """One forward pass."""

    model: Any
    segments: Sequence[Segment]
    thread: int

    @property
    def rows(self) -> int:
        return len(self.segments)

    @property
    def tokens(self) -> int:
        return sum(len(segment.token_ids) for segment in self.segments)


def record_passes(monkeypatch: pytest.MonkeyPatch) -> list[Pass]:
    """Record every pass of any model from now on."""
    passes: list[Pass] = []
    run = PreparedPass.run

    def recorded(self: PreparedPass) -> Tensor:
        passes.append(Pass(self.runner.plain.model, tuple(self.segments), threading.get_ident()))
        return run(self)

    monkeypatch.setattr(PreparedPass, "run", recorded)
    return passes


def record_compiled_passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Record rows, tokens and window of every compiled pass from now on."""
    shapes: list[tuple[int, ...]] = []
    call = CompiledPass.__call__

    def recorded(self: CompiledPass, layout: PaddedPass, *args: Any) -> Tensor:
        shapes.append((*layout.numbers.shape[1:], len(layout.keys)))
        return call(self, layout, *args)

    monkeypatch.setattr(CompiledPass, "__call__", recorded)
    return shapes


def record_requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Record every request that an engine submits from now on."""
    requests: list[Request] = []
    submit = Engine._submit

    def recorded(self: Engine, submitted: Sequence[Request]) -> None:
        submit(self, submitted)
        requests.extend(submitted)

    monkeypatch.setattr(Engine, "_submit", recorded)
    return requests


def settle(requests: Sequence[Request]) -> None:
    """Wait until requests have ended."""
    assert not wait([request.done for request in requests], timeout=PATIENCE).not_done


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


@dataclass
class Gate:
    """Lets decoders make one step per permit, and counts them."""

    permits: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    steps: int = 0
    """Steps that were made."""
    arrived: int = 0
    """Steps that were asked for: one more while a worker waits for a permit."""
    requests: list[Request] = field(default_factory=list)

    def permit(self, steps: int) -> None:
        """Permit some steps, and wait until they are made and the worker asks for another."""
        wanted = self.steps + steps
        self.permits.release(steps)
        wait_until(lambda: self.steps >= wanted and self.arrived > wanted)

    def open(self) -> None:
        """Permit everything."""
        self.permits.release(1_000_000)

    @property
    def ended(self) -> bool:
        """Whether something was submitted, and all of it has ended."""
        return bool(self.requests) and all(request.done.done() for request in self.requests)


async def open_after(gate: Gate, leaving: asyncio.Future[Any]) -> None:
    """Give a cancellation that needs no more than the event loop the time to act, then permit everything and wait for the end."""
    for _ in range(50):
        await asyncio.sleep(0)
    gate.open()
    await asyncio.wait([leaving])
    await asyncio.to_thread(settle, gate.requests)


def put_gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Hold every decoder's steps from now on."""
    gate, step = Gate(requests=record_requests(monkeypatch)), Decoder.step

    def held(decoder: Decoder, *args: Any, **settings: Any) -> Any:
        gate.arrived += 1
        assert gate.permits.acquire(timeout=PATIENCE), "a test forgot to open its gate"
        progress = step(decoder, *args, **settings)
        gate.steps += 1
        return progress

    monkeypatch.setattr(Decoder, "step", held)
    return gate


def ahead_and_in_lockstep(engine: Engine, monkeypatch: pytest.MonkeyPatch, decode: Callable[[], Any]) -> list[Any]:
    """What is decoded where rows run ahead, and where no token is proposed."""
    turns, found = RequestQueue.of(engine.pair).turns, []
    monkeypatch.setattr(turns, "adapts", False)
    for speculates in (True, False):
        monkeypatch.setattr(turns, "speculates", speculates)
        found.append(decode())
    return found


def fresh(pair: ModelPair) -> ModelPair:
    """A pair of the same models that nobody has used yet: nothing is cached for it, and its worker is its own."""
    return ModelPair.from_models(pair.base, pair.aligned, pair.tokenizer, pair.base_tokenizer)


class Rehearsal(CudaGraphs):
    """Runs what CUDA would replay, so that padded passes run on any machine."""

    replays = 0

    def __init__(self, device: torch.device, what: str) -> None:
        self.device = device
        self._failed = False
        self._recorded = {}

    @classmethod
    def on(cls, device: torch.device, what: str) -> "Rehearsal":
        return cls(device, what)

    def _capture(self, work: Work) -> Any:
        return None, work()

    def replay(self, key: Hashable) -> Tensor:
        Rehearsal.replays += 1
        return self._recorded[key][-1]()

    def clear(self) -> None:
        self._recorded.clear()
