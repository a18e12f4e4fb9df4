"""What fails, fails alone: a request's own code, and a worker that dies."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from torch import Tensor

from baco import Engine, Router, SamplingParams, register_router
from baco.decoding.decode import Decoder
from baco.engine.request_queue import RequestQueue
from baco.engine.requests import Request
from baco.routing import Signals
from baco.routing.registry import KINDS
from tests.support.gate import Gate, settle
from tests.unit.engine.test_worker import asked, request, told


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
        worker = RequestQueue.of(busy.pair).worker
        assert worker is None
        with pytest.raises(Fatal):
            busy.generate(*asked(0))
        with pytest.raises(Fatal):
            list(busy.stream(*asked(0)))
    assert all(isinstance(one.done.exception(), Fatal) for one in requests)
    assert died and all(args.exc_type is Fatal for args in died)
    assert told(busy.generate(*asked(0))) == told(engine.generate(*asked(0)))


def test_a_pass_that_fails_only_with_several_rows_is_told(engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    step, told_of = Decoder.step, []

    def fragile(decoder: Decoder, alone: Any = None) -> Any:
        if alone is None and len(decoder.slots) > 1:
            raise Broken("too many")
        return step(decoder, alone)

    monkeypatch.setattr("baco.engine.worker.warnings.warn", lambda text, **_: told_of.append(text))
    monkeypatch.setattr(Decoder, "step", fragile)
    requests = [request(busy, number, max_tokens=6) for number in range(3)]
    busy._submit(requests)
    settle(requests)
    assert [told(one.result()) for one in requests] == [told(engine.generate(*asked(number, max_tokens=6))) for number in range(3)]
    assert told_of and all("a pass failed (Broken: too many)" in text for text in told_of)
