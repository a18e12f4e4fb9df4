"""What fails, fails alone: a request's own code, memory that runs out, and a worker that dies."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import Engine, GenerationResult, ModelPair, Router, SamplingParams, register_router
from baco.decode import Decoder
from baco.errors import BacoError, OutOfMemoryError
from baco.kv_cache import SlotCache
from baco.model_runner import ModelRunner
from baco.packing import Feed
from baco.requests import Request
from baco.routers import Signals
from baco.routers.registry import KINDS
from baco.scheduler import Scheduler
from tests.gate import Gate, fresh, settle
from tests.unit.test_scheduler import PROMPTS, asked, request, told


@pytest.fixture
def busy(random_pair: ModelPair) -> Engine:
    """An engine with a worker of its own."""
    return Engine(fresh(random_pair))


class Broken(Exception):
    pass


class Fatal(BaseException):
    pass


def raising(prefix: Any) -> Any:
    if len(prefix.text) > 5:
        raise Broken("no opinion")
    return "base"


@pytest.fixture
def broken_rule() -> Iterator[Router]:
    @register_router("broken")
    def broken(signals: Signals, threshold: Tensor) -> Tensor:
        raise Broken("no rule")

    yield Router("broken")
    del KINDS["broken"]


def beside_others(engine: Engine, busy: Engine, failing: Request) -> None:
    """Decode a request that fails among others, which do not."""
    others = [request(busy, number, n=2, max_tokens=12) for number in range(6)]
    busy._submit([*others[:3], failing, *others[3:]])
    settle([*others, failing])
    alone = [engine.generate(*asked(number, n=2, max_tokens=12)) for number in range(6)]
    assert [told(other.result()) for other in others] == [told(result) for result in alone]
    assert told(busy.generate(*asked(7))) == told(engine.generate(*asked(7))), "and the worker goes on"


def test_a_judge_that_raises_fails_its_request_alone(engine: Engine, busy: Engine) -> None:
    failing = busy._requests(["Go on"], SamplingParams(n=3, max_tokens=20, seed=1), Router("judge", judge=raising), "transcript")[0]
    beside_others(engine, busy, failing)
    with pytest.raises(Broken, match="no opinion"):
        failing.done.result()


def test_a_rule_that_raises_fails_its_request_alone(engine: Engine, busy: Engine, broken_rule: Router) -> None:
    failing = busy._requests(["Go on"], SamplingParams(n=3, max_tokens=20, seed=1), broken_rule, "transcript")[0]
    beside_others(engine, busy, failing)
    with pytest.raises(Broken, match="no rule"):
        failing.done.result()


@pytest.mark.parametrize("events", [0, 4])
def test_a_listener_that_raises_fails_its_request_alone(engine: Engine, busy: Engine, events: int) -> None:
    heard: list[Any] = []

    def listen(event: Any) -> None:
        heard.append(event)
        if len(heard) > events:
            raise Broken("not listening")

    failing = request(busy, 0, n=3, max_tokens=20)
    failing.on_event = listen
    beside_others(engine, busy, failing)
    with pytest.raises(Broken, match="not listening"):
        failing.done.result()
    assert len(heard) == events + 1


def test_a_listener_that_raises_when_its_answers_are_cancelled_fails_its_request_alone(engine: Engine, busy: Engine, gate: Gate) -> None:
    def listen(event: Any) -> None:
        if event.finish_reason == "cancelled":
            raise Broken("not listening")

    failing, other = request(busy, 0, n=3, max_tokens=20), request(busy, 1, max_tokens=12)
    failing.on_event = listen
    busy._submit([failing, other])
    gate.permit(3)
    failing.cancel()
    gate.open()
    settle([failing, other])
    with pytest.raises(Broken):
        failing.done.result()
    assert told(other.result()) == told(engine.generate(*asked(1, max_tokens=12)))


@pytest.mark.parametrize("call", ["generate", "stream", "agenerate", "astream"])
def test_a_request_that_fails_raises_in_every_way_to_ask(busy: Engine, broken_rule: Router, call: str) -> None:
    async def last_of_stream() -> None:
        async for _ in busy.astream("Go on", router=broken_rule):
            pass

    calls: dict[str, Any] = {
        "generate": lambda: busy.generate("Go on", router=broken_rule),
        "stream": lambda: list(busy.stream("Go on", router=broken_rule)),
        "agenerate": lambda: asyncio.run(busy.agenerate("Go on", router=broken_rule)),
        "astream": lambda: asyncio.run(last_of_stream()),
    }
    with pytest.raises(Broken, match="no rule"):
        calls[call]()


def test_a_worker_that_dies_tells_every_caller_and_the_next_request_gets_a_new_one(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(decoder: Decoder, alone: object = None) -> None:
        raise Fatal

    died: list[Any] = []
    requests = [request(Engine(busy.pair, max_batch_size=2), number) for number in range(5)]
    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", died.append)
        patch.setattr(Decoder, "step", die)
        busy._submit(requests)
        settle(requests)
        worker = Scheduler.of(busy.pair).worker
        assert worker is None
        with pytest.raises(Fatal):
            busy.generate(*asked(0))
        with pytest.raises(Fatal):
            list(busy.stream(*asked(0)))
    assert all(isinstance(one.done.exception(), Fatal) for one in requests)
    assert died and all(args.exc_type is Fatal for args in died)
    assert told(busy.generate(*asked(0))) == told(engine.generate(*asked(0)))


def limit_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let memory run out in passes of more rows; returns the rows of those that fit."""
    rows: list[int] = []
    forward = ModelRunner.forward

    def limited(self: ModelRunner, feeds: Sequence[Feed], *args: Any) -> Tensor:
        if len(feeds) > most:
            raise torch.OutOfMemoryError("out of memory")
        rows.append(len(feeds))
        return forward(self, feeds, *args)

    monkeypatch.setattr(ModelRunner, "forward", limited)
    return rows


def expected(engine: Engine) -> list[Any]:
    return [told(engine.generate(prompt, SamplingParams(n=3, max_tokens=12, seed=2), Router("p", threshold=0.5))) for prompt in PROMPTS]


def results(busy: Engine) -> list[GenerationResult]:
    return busy.generate_batch(PROMPTS, SamplingParams(n=3, max_tokens=12, seed=2), Router("p", threshold=0.5))


@pytest.mark.parametrize("most", [1, 3, 7])
def test_when_memory_runs_out_fewer_answers_run_at_once_and_all_are_right(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    alone = expected(engine)
    rows = limit_rows(monkeypatch, most)
    with pytest.warns(UserWarning, match=r"memory ran out with \d+ answers at once; going on with \d+"):
        found = results(busy)
    assert [told(result) for result in found] == alone
    assert max(rows) <= most


def test_memory_that_runs_out_in_the_middle_costs_no_token(
    engine: Engine, busy: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "permits", threading.Semaphore(1_000_000))
        alone = expected(engine)
    gate.requests.clear()
    asked_together = busy._requests(PROMPTS, SamplingParams(n=3, max_tokens=12, seed=2), Router("p", threshold=0.5), "transcript")
    busy._submit(asked_together)
    gate.steps = gate.arrived = 0
    gate.permits.release(7)
    while gate.steps < 7:
        pass
    limit_rows(monkeypatch, 4)
    with pytest.warns(UserWarning, match="memory ran out"):
        gate.open()
        settle(asked_together)
    assert [told(one.result()) for one in asked_together] == alone


def test_when_memory_runs_out_there_is_none_for_keeping_prefixes_either(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(self: SlotCache, slot: int, length: int) -> None:
        raise torch.OutOfMemoryError("out of memory")

    alone = expected(engine)
    limit_rows(monkeypatch, 4)
    monkeypatch.setattr(SlotCache, "take", take)
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    with pytest.warns(UserWarning, match="memory ran out"):
        assert [told(result) for result in results(busy)] == alone


def test_a_row_that_finds_no_room_beside_others_comes_in_later_and_is_right(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = expected(engine)
    for prompt in PROMPTS:
        busy.generate(prompt, SamplingParams(max_tokens=1, seed=1))  # their prefixes are held from now on
    put, calls = SlotCache.put, []

    def scarce(self: SlotCache, slot: int, *args: Any) -> None:
        calls.append(slot)
        if len(calls) == 6:  # the second model's prefix of the third row
            for cache in Scheduler.of(busy.pair).prefixes.values():
                cache._held.clear()
                cache.bytes = 0
            raise torch.OutOfMemoryError("out of memory")
        put(self, slot, *args)

    monkeypatch.setattr(SlotCache, "put", scarce)
    assert [told(result) for result in results(busy)] == alone
    assert len(calls) >= 6


def test_an_answer_that_does_not_fit_alone_says_so_and_the_worker_goes_on(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        limit_rows(patch, 0)
        with pytest.raises(OutOfMemoryError, match="not even one answer at a time fits into memory") as error:
            busy.generate(*asked(0))
    assert isinstance(error.value, BacoError) and isinstance(error.value, MemoryError)
    assert told(busy.generate(*asked(0))) == told(engine.generate(*asked(0)))
