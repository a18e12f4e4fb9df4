"""`DiverseQueryEngine`: several answers over one retrieval, each of them the one that the engine itself gives with its seed."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core.base.response.schema import PydanticResponse, Response
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine, TransformQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import BaseModel, Field

from baco import Engine
from baco.answers.comparison import drop_similar, similarity
from baco.engine.requests import Request
from llamaindex_baco import BacoLLM, capture_responses
from llamaindex_baco.diverse_query_engine import DiverseQueryEngine
from tests.support.gate import Gate, Pass, wait_until
from tests.support.shelf import HOT, QUESTION, Shelf, engine_of, seeds, texts


class First(BaseNodePostprocessor):
    """Keeps the first node."""

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None) -> list[NodeWithScore]:
        return nodes[:1]


class Museum(BaseModel):
    room: str = Field(max_length=12)
    euros: int = Field(ge=0, le=20)


@pytest.fixture
def llm() -> BacoLLM:
    return BacoLLM(device="cpu", max_tokens=16, seed=7)


@pytest.mark.parametrize(
    ("mode", "asynchronous"), [("compact", False), ("compact", True), ("refine", True), ("tree_summarize", False), ("accumulate", True)]
)
async def test_each_answer_is_what_the_engine_itself_gives_with_its_seed(llm: BacoLLM, mode: Any, asynchronous: bool) -> None:
    shelf = Shelf()
    engine = engine_of(llm, shelf, response_mode=mode)
    diverse = DiverseQueryEngine(engine, llm, 3, **HOT)
    answers = await diverse.aanswers(QUESTION) if asynchronous else diverse.answers(QUESTION)
    assert shelf.times == 1
    for answer in answers:
        with llm.using(**HOT, seed=answer.metadata["baco"]["seed"]), capture_responses() as responses:
            assert str(engine.query(QUESTION)) == str(answer)
        told = [response.raw for response in responses if response.raw]
        # Calls that run side by side may end in another order.
        assert sorted(map(essence, told)) == sorted(map(essence, answer.metadata["baco"]["responses"]))
    assert seeds(answers)[0] == 7 and len(set(seeds(answers))) == 3


def essence(raw: dict[str, Any]) -> str:
    """All of it but the passes and what of the prompt had been read before, which depend on what else is decoded."""
    usage = {name: value for name, value in raw["usage"].items() if name != "prompt_tokens_details"}
    told = {name: value for name, value in raw["baco"].items() if name != "passes"}
    return json.dumps({**raw, "usage": usage, "baco": told}, sort_keys=True)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_all_answers_are_decoded_together(llm: BacoLLM, gate: Gate, passes: list[Pass], asynchronous: bool) -> None:
    diverse = DiverseQueryEngine(engine_of(llm), llm, 6, **HOT)
    with ThreadPoolExecutor(max_workers=1) as thread:
        answering = thread.submit(lambda: asyncio.run(diverse.aanswers(QUESTION)) if asynchronous else diverse.answers(QUESTION))
        wait_until(lambda: len(gate.requests) == 6)
        gate.open()
        found = answering.result()
    together = len(passes)
    assert max(one.rows for one in passes) == 6
    passes.clear()
    for seed in seeds(found):
        with llm.using(**HOT, seed=seed):
            engine_of(llm).query(QUESTION)
    assert together < len(passes) / 2


async def test_the_sync_form_answers_where_an_event_loop_runs(llm: BacoLLM) -> None:
    diverse = DiverseQueryEngine(engine_of(llm), llm, 3, **HOT)
    assert texts(diverse.answers(QUESTION)) == texts(await diverse.aanswers(QUESTION))


def test_the_same_seed_gives_the_same_answers_and_more_of_them_begin_with_those(llm: BacoLLM) -> None:
    three, five = (DiverseQueryEngine(engine_of(llm), llm, n, **HOT) for n in (3, 5))
    first = five.answers(QUESTION)
    assert texts(five.answers(QUESTION)) == texts(first) and len(set(texts(first))) > 1
    assert texts(three.answers(QUESTION)) == texts(first)[:3]
    with llm.using(seed=9):
        assert texts(five.answers(QUESTION)) != texts(first)
    assert texts(DiverseQueryEngine(engine_of(llm), llm, 5, **HOT, seed=9).answers(QUESTION)) != texts(first)


def test_without_a_seed_each_call_names_its_own() -> None:
    llm = BacoLLM(device="cpu", max_tokens=4)
    answers = DiverseQueryEngine(engine_of(llm), llm, 3).answers(QUESTION)
    assert seeds(answers) == [None] * 3
    assert len({answer.metadata["baco"]["responses"][0]["seed"] for answer in answers}) == 3


def test_an_answer_tells_its_owners_usage_and_sources_as_plain_json(llm: BacoLLM) -> None:
    answers = DiverseQueryEngine(engine_of(llm, response_mode="refine"), llm, 3, **HOT).answers(QUESTION)
    for answer in answers:
        told = json.loads(json.dumps(answer.metadata))["baco"]
        assert "".join(text for text, _ in told["responses"][-1]["baco"]["spans"]) == str(answer)
        assert len(told["responses"]) == 2, "one call for each passage"
        assert told["usage"]["total_tokens"] == sum(raw["usage"]["total_tokens"] for raw in told["responses"])
        assert [node.node_id for node in answer.source_nodes] == ["node 0", "node 1"]
        assert {"node 0", "node 1"} < set(answer.metadata)
    assert len({id(answer.source_nodes) for answer in answers}) == 3


async def test_a_query_gives_all_answers_as_one_response(llm: BacoLLM) -> None:
    diverse = DiverseQueryEngine(engine_of(llm), llm, 3, **HOT)
    answers = diverse.answers(QUESTION)
    for response in (diverse.query(QUESTION), await diverse.aquery(QueryBundle(QUESTION))):
        assert isinstance(response, Response)
        assert str(response) == "\n".join(f"{number}. {answer}" for number, answer in enumerate(answers, start=1))
        assert [told["text"] for told in response.metadata["baco"]["answers"]] == texts(answers)
        assert [told["seed"] for told in response.metadata["baco"]["answers"]] == seeds(answers)
        assert [node.node_id for node in response.source_nodes] == ["node 0", "node 1"]
    assert str(DiverseQueryEngine(engine_of(llm), llm, 1, **HOT).query(QUESTION)) == str(answers[0])


def test_postprocessors_and_prompts_of_the_engine_hold(llm: BacoLLM) -> None:
    engine = engine_of(llm, node_postprocessors=[First()])
    diverse = DiverseQueryEngine(engine, llm, 2, **HOT)
    assert [[node.node_id for node in answer.source_nodes] for answer in diverse.answers(QUESTION)] == [["node 0"]] * 2
    assert set(diverse.get_prompts()) == {f"engine:{name}" for name in engine.get_prompts()}


def test_around_it_every_call_is_captured_and_counted_and_one_query_is_traced(llm: BacoLLM) -> None:
    counter, debug = TokenCountingHandler(tokenizer=str.split), LlamaDebugHandler(print_trace_on_end=False)
    engine = engine_of(llm, callback_manager=CallbackManager([debug]))
    llm.callback_manager = CallbackManager([counter])
    with capture_responses() as responses:
        answers = DiverseQueryEngine(engine, llm, 3, **HOT).answers(QUESTION)
    assert sorted(str(response.message.content) for response in responses) == sorted(texts(answers))
    assert counter.total_llm_token_count == sum(answer.metadata["baco"]["usage"]["total_tokens"] for answer in answers)
    assert len(debug.get_event_pairs("query")) == 1


def test_near_duplicates_are_dropped_and_others_drawn_in_their_place(llm: BacoLLM) -> None:
    drawn = DiverseQueryEngine(engine_of(llm), llm, 12, **HOT).answers(QUESTION)
    found = DiverseQueryEngine(engine_of(llm), llm, 4, distinct=0.9, token_budget=4096, **HOT).answers(QUESTION)
    expected = drop_similar(texts(drawn), lambda one, other: similarity(one, other) >= 0.9)
    assert len(expected) >= 4 and texts(found) == expected[:4]
    assert seeds(found)[-1] not in seeds(drawn)[:4], "a round has drawn others"
    alone = DiverseQueryEngine(engine_of(llm), llm, 4, distinct=lambda one, other: True, **HOT).answers(QUESTION)
    assert texts(alone) == texts(drawn)[:1]


def test_ranked_by_likelihood_the_best_comes_first(llm: BacoLLM, asked: list[dict[str, Any]]) -> None:
    engine = engine_of(llm)
    ranked = DiverseQueryEngine(engine, llm, 5, rank="likelihood", **HOT).answers(QUESTION)
    scores = [answer.metadata["baco"]["score"] for answer in ranked]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    assert sorted(texts(ranked)) == sorted(texts(DiverseQueryEngine(engine, llm, 5, **HOT).answers(QUESTION)))
    with llm.using(**HOT, seed=seeds(ranked)[0]):
        engine.query(QUESTION)
    decoder = Engine(llm._engine().pair)
    (scored,) = decoder.score([decoder.generate(**asked[-1])])
    assert scored.candidates[0].text == str(ranked[0])
    assert scored.candidates[0].score == pytest.approx(scores[0], abs=1e-4)


def test_ranked_by_a_function(llm: BacoLLM) -> None:
    found = DiverseQueryEngine(engine_of(llm), llm, 5, rank=lambda answer: len(str(answer)), **HOT).answers(QUESTION)
    lengths = [len(text) for text in texts(found)]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > lengths[-1]


def test_answers_may_be_objects(llm: BacoLLM) -> None:
    settings = {**HOT, "max_tokens": 60}
    for engine in (engine_of(llm, output_cls=Museum), RetrieverQueryEngine.from_args(Shelf(), llm=llm.as_structured_llm(Museum))):
        found = DiverseQueryEngine(engine, llm, 3, **settings).answers(QUESTION)
        assert all(isinstance(answer, PydanticResponse) and isinstance(answer.response, Museum) for answer in found)
        assert all(answer.metadata["baco"]["usage"]["completion_tokens"] > 0 for answer in found)


async def test_where_nothing_is_found_the_engine_says_so_once(llm: BacoLLM, submitted: list[Request]) -> None:
    diverse = DiverseQueryEngine(engine_of(llm, Shelf(0)), llm, 3, distinct=1)
    assert (
        texts(diverse.answers(QUESTION)) == texts(await diverse.aanswers(QUESTION)) == ["Empty Response"] == [str(diverse.query(QUESTION))]
    )
    assert submitted == []


def test_settings_win_over_those_of_blocks_around_which_hold_beside_them(llm: BacoLLM, submitted: list[Request]) -> None:
    with llm.using(max_tokens=3, temperature=0.5):
        DiverseQueryEngine(engine_of(llm), llm, 2, temperature=0.7).answers(QUESTION)
    assert {(request.params.max_tokens, request.params.temperature) for request in submitted} == {(3, 0.7)}


class Same:
    """Hands a query on as it is."""

    def run(self, query: QueryBundle, metadata: Any = None) -> QueryBundle:
        return query


async def test_an_engine_around_another_is_as_good(llm: BacoLLM) -> None:
    wrapped: Any = TransformQueryEngine(engine_of(llm), Same())
    expected = texts(DiverseQueryEngine(engine_of(llm), llm, 2, **HOT).answers(QUESTION))
    assert texts(await DiverseQueryEngine(wrapped, llm, 2, **HOT).aanswers(QUESTION)) == expected
