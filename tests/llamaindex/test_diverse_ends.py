"""How the answers of `DiverseQueryEngine` end: with the budget, together where one ends early, and before they begin where they cannot."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import BaseQueryEngine, CustomQueryEngine, RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle

from baco import ConfigError
from baco.engine.requests import Request
from baco.errors import UnknownKeywordError
from baco.models.info import PairInfo
from llamaindex_baco import BacoLLM, tasks
from llamaindex_baco.diverse_query_engine import DiverseQueryEngine
from llamaindex_baco.tasks import run_sync
from tests.support.gate import Gate, open_after, wait_until
from tests.support.scripted import scripted
from tests.support.shelf import QUESTION, Shelf, engine_of, texts


@pytest.fixture
def llm() -> BacoLLM:
    return BacoLLM(device="cpu", max_tokens=16, seed=7)


@pytest.mark.parametrize(("mode", "calls"), [("compact", 1), ("refine", 2)])
def test_the_budget_ends_what_has_no_end(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch, mode: Any, calls: int) -> None:
    seen = scripted(monkeypatch)("Call it Bramble, please.")
    diverse = DiverseQueryEngine(engine_of(llm, response_mode=mode), llm, 3, distinct=1)
    assert texts(diverse.answers(QUESTION)) == ["Call it Bramble, please."]
    spent = sum(len(one.tokens) for request in seen for one in request.candidates.values())
    budget = 2 * 3 * calls * llm.max_tokens
    assert budget - calls * llm.max_tokens < spent <= budget
    assert len({request.seed for request in seen}) == len(seen) / calls
    seen.clear()
    DiverseQueryEngine(engine_of(llm, response_mode=mode), llm, 3, distinct=1, token_budget=3 * calls * llm.max_tokens).answers(QUESTION)
    assert sum(len(one.tokens) for request in seen for one in request.candidates.values()) <= 3 * calls * llm.max_tokens


class Failing(RetrieverQueryEngine):
    """Fails with the third answer, once it is told to."""

    def wait_for(self, event: asyncio.Event) -> "Failing":
        self.event, self.count = event, 0
        return self

    async def asynthesize(self, *args: Any, **keywords: Any) -> Any:
        self.count += 1
        if self.count == 3:
            await self.event.wait()
            raise RuntimeError("the third one fails")
        return await super().asynthesize(*args, **keywords)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_what_ends_one_ends_all_within_a_token(llm: BacoLLM, gate: Gate, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(PairInfo, "end_ids", lambda info, which: {info.vocab_size})
    event, count = asyncio.Event(), 3 if how == "cancelled" else 2
    engine = engine_of(llm) if how == "cancelled" else Failing.from_args(Shelf(), llm=llm).wait_for(event)  # type: ignore[attr-defined]
    task = asyncio.create_task(DiverseQueryEngine(engine, llm, 3, max_tokens=400, router="aligned").aanswers(QUESTION))
    await asyncio.to_thread(wait_until, lambda: len(gate.requests) == count)
    await asyncio.to_thread(gate.permit, 3)
    task.cancel() if how == "cancelled" else event.set()
    await open_after(gate, task)
    assert task.cancelled() if how == "cancelled" else "the third one fails" in str(task.exception())
    assert [one.finish_reason for request in gate.requests for one in request.candidates.values()] == ["cancelled"] * count
    assert gate.steps <= 5


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """Python's own answer to Ctrl-C, whatever other tests have left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_interrupting_the_sync_form_ends_the_work_before_it_goes_on() -> None:
    ended = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert ended == [True]


def test_interrupting_it_while_it_starts_ends_the_work_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    class Interrupted(threading.Thread):
        def start(self) -> None:
            super().start()
            raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "Thread", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert ended == [True]


class Answering(CustomQueryEngine):
    """Answers in one step."""

    def custom_query(self, query_str: str) -> str:
        return "42"


class Hidden(BaseQueryEngine):
    """Asks an LLM that nobody sees."""

    def __init__(self, engine: RetrieverQueryEngine) -> None:
        super().__init__(None)
        self.inner = engine

    def retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.inner.retrieve(query_bundle)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}

    async def asynthesize(self, query_bundle: Any, nodes: Any, additional_source_nodes: Any = None) -> Any:
        return await self.inner.asynthesize(query_bundle, nodes)

    def _query(self, query_bundle: QueryBundle) -> Any:
        raise AssertionError("not asked here")

    async def _aquery(self, query_bundle: QueryBundle) -> Any:
        raise AssertionError("not asked here")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"n": 0}, "`n` must be an integer of at least 1"),
        ({"n": 2, "distinct": 0}, "`distinct` must be"),
        ({"n": 2, "rank": "best"}, "`rank` must be"),
        ({"n": 2, "rank": "likelihood", "router": "base"}, "`rank` must be another one with router 'base'"),
        ({"n": 2, "token_budget": 99}, "`token_budget` must be left out without `distinct`"),
        ({"n": 2, "distinct": 1, "token_budget": 31}, "`token_budget` must be None or at least 32"),
        ({"n": 2, "temperature": 0}, "`temperature` must be above 0"),
        ({"n": 2, "diversity": 2}, "diversity"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(llm: BacoLLM, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        DiverseQueryEngine(engine_of(llm), llm, **settings)


def test_an_engine_that_cannot_be_used_is_refused(llm: BacoLLM, submitted: list[Request]) -> None:
    with pytest.raises(UnknownKeywordError, match="did you mean 'threshold'"):
        DiverseQueryEngine(engine_of(llm), llm, 2, thresold=0.3)
    for engine in (Answering(), Shelf()):
        with pytest.raises(ConfigError, match="retrieves and synthesizes separately"):
            DiverseQueryEngine(engine, llm, 2)
    with pytest.raises(ConfigError, match="streaming=False"):
        DiverseQueryEngine(engine_of(llm, streaming=True), llm, 2)
    with pytest.raises(ConfigError, match="the very LLM that the engine asks"):
        DiverseQueryEngine(engine_of(llm), llm.with_(seed=8), 2)
    with pytest.raises(ConfigError, match="streaming=False"):
        DiverseQueryEngine(Hidden(engine_of(llm, streaming=True)), llm, 2).answers(QUESTION)
    with pytest.raises(ConfigError, match="without a call of `llm`"):
        DiverseQueryEngine(Hidden(engine_of(MockLLM())), llm, 2).answers(QUESTION)
    with llm.using(temperature=0), pytest.raises(ConfigError, match="above 0"):
        DiverseQueryEngine(engine_of(llm), llm, 2)
    assert submitted == []
