"""When memory runs out: fewer answers at once, all of them right, and the worker goes on."""

import threading
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import Engine, GenerationResult, Router, SamplingParams
from baco.engine.request_queue import RequestQueue
from baco.errors import BacoError, OutOfMemoryError
from baco.forward.model_runner import PreparedPass
from baco.forward.slot_cache import SlotCache
from tests.support.gate import Gate, settle
from tests.unit.engine.test_worker import PROMPTS, asked, told


def limit_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Let memory run out in passes of more rows; returns the rows of those that fit."""
    rows: list[int] = []
    run = PreparedPass.run

    def limited(self: PreparedPass) -> Tensor:
        if len(self.segments) > most:
            raise torch.OutOfMemoryError("out of memory")
        rows.append(len(self.segments))
        return run(self)

    monkeypatch.setattr(PreparedPass, "run", limited)
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


def test_when_memory_runs_out_prefixes_are_not_cached_either(engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: SlotCache, slot: int, start: int, end: int) -> None:
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
            for cache in RequestQueue.of(busy.pair).prefixes.values():
                cache.clear()
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
