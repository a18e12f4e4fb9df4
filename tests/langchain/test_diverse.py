"""`ChatBaco.diverse`: n answers as a list, as one batch, as streams of chunks; without near-duplicates, ranked, with schemas and tools."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from pydantic import BaseModel, Field

from baco import ConfigError, ContextOverflowError, ModelPair, PromptError
from baco.answers.comparison import similarity
from baco.engine.requests import Request
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, PROMPTS, Runs, counted_passes, essence
from tests.support.gate import PATIENCE, Pass, settle
from tests.support.scripted import scripted


class Rabbit(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=12)


def texts(messages: list[AIMessage]) -> list[str]:
    return [message.text for message in messages]


def test_several_answers_are_those_of_generate_from_one_reading_of_the_prompt(model: ChatBaco, seed: int, passes: list[Pass]) -> None:
    answers = model.diverse(5).invoke(PROMPT, seed=seed)
    assert max(one.rows for one in passes) == 5
    expected = model.generate([[("human", PROMPT)]], n=5, seed=seed).generations[0]
    assert texts(answers) == [one.text for one in expected]
    assert len(set(texts(answers))) == 5
    assert all(isinstance(answer, AIMessage) and answer.usage_metadata == answers[0].usage_metadata for answer in answers)


def test_off_the_event_loop_they_are_the_same(model: ChatBaco, seed: int) -> None:
    several = model.diverse(3, seed=seed)
    assert texts(asyncio.run(several.ainvoke(PROMPT))) == texts(several.invoke(PROMPT))


@pytest.mark.parametrize("kind", ["batch", "abatch"])
def test_a_batch_is_one_batch_of_prompts_times_n(model: ChatBaco, seed: int, kind: str, passes: list[Pass]) -> None:
    several = model.diverse(3, seed=seed)
    alone = [texts(several.invoke(prompt)) for prompt in PROMPTS[:4]]
    passes.clear()
    found = several.batch(PROMPTS[:4]) if kind == "batch" else asyncio.run(several.abatch(PROMPTS[:4]))
    assert [texts(answers) for answers in found] == alone
    assert max(one.rows for one in passes) == 12


def test_in_a_batch_a_prompt_that_cannot_be_decoded_fails_alone(model: ChatBaco) -> None:
    good, bad = model.diverse(2).batch([PROMPT, "rabbit " * 400], return_exceptions=True)
    assert len(good) == 2 and isinstance(bad, ContextOverflowError)


def merged(pieces: list[tuple[int, AIMessageChunk]]) -> list[AIMessageChunk]:
    whole: dict[int, AIMessageChunk] = {}
    for index, chunk in pieces:
        whole[index] = chunk if index not in whole else whole[index] + chunk
    return [whole[index] for index in sorted(whole)]


async def streamed(several: Any, prompt: str) -> list[tuple[int, AIMessageChunk]]:
    return [piece async for piece in several.astream(prompt)]


@pytest.mark.parametrize("kind", ["stream", "astream"])
def test_streamed_answers_come_side_by_side_and_add_up(model: ChatBaco, seed: int, kind: str) -> None:
    several = model.diverse(3, seed=seed)
    pieces = list(several.stream(PROMPT)) if kind == "stream" else asyncio.run(streamed(several, PROMPT))
    firsts = [next(place for place, (index, _) in enumerate(pieces) if index == candidate) for candidate in range(3)]
    lasts = [max(place for place, (index, chunk) in enumerate(pieces) if index == candidate and chunk.text) for candidate in range(3)]
    assert max(firsts) < min(lasts)
    assert [essence(chunk) for chunk in merged(pieces)] == [essence(answer) for answer in several.invoke(PROMPT)]


def test_leaving_a_stream_stops_every_answer(model: ChatBaco, seed: int, submitted: list[Request]) -> None:
    with counted_passes(model) as passes:
        passes.hold_at = 6
        stream = model.diverse(3, seed=seed).stream(PROMPT)
        next(stream)
        assert passes.reached.wait(timeout=PATIENCE)
        stream.close()  # type: ignore[attr-defined]
        passes.released.set()
        settle(submitted)
    assert "cancelled" in {one.finish_reason for one in submitted[0].candidates.values()}
    assert passes.counts["base"] == 6


def test_in_a_chain_they_stream_batch_and_parse_as_lists(model: ChatBaco, seed: int) -> None:
    chain = ChatPromptTemplate.from_template("Tell me of a {thing}.") | model.diverse(3, seed=seed) | StrOutputParser().map()
    expected = texts(model.diverse(3, seed=seed).invoke("Tell me of a fish."))
    assert chain.invoke({"thing": "fish"}) == expected
    assert chain.batch([{"thing": "fish"}] * 2) == [expected] * 2
    assert list(chain.stream({"thing": "fish"}))[-1] == expected


def test_callbacks_see_one_run_with_every_token_and_the_whole_usage(model: ChatBaco, seed: int) -> None:
    for run in ("invoke", "stream"):
        runs = Runs()
        with get_usage_metadata_callback() as usage:
            several = model.diverse(3, seed=seed)
            found: Any = (
                several.invoke(PROMPT, {"callbacks": [runs]}) if run == "invoke" else list(several.stream(PROMPT, {"callbacks": [runs]}))
            )
        answers = found if run == "invoke" else merged(found)
        (counted,) = usage.usage_metadata.values()
        assert counted["output_tokens"] == answers[0].usage_metadata["output_tokens"]
        assert [event for event, _ in runs.events if event != "token"] == ["start", "end"]
        assert ([event for event, _ in runs.events].count("token") > 10) == (run == "stream")


def test_near_duplicates_are_dropped_and_others_drawn_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    write = scripted(monkeypatch)
    seen = write("Call it Bramble.", "call it BRAMBLE!", "Try Comet.", "Name it Otis, please.")
    several = ChatBaco(max_tokens=10, seed=1).diverse(4, distinct=0.9, token_budget=400)
    first = several.invoke(PROMPT)
    assert texts(first) == ["Call it Bramble.", "Try Comet.", "Name it Otis, please."]
    assert [request.params.n for request in seen[:3]] == [4, 1, 1]
    assert len({request.seed for request in seen}) == len(seen), "a round must not give the answers of the one before"
    spent = sum(len(one.tokens) for request in seen for one in request.candidates.values())
    assert 400 - 10 < spent <= 400


def test_what_is_kept_is_apart_and_a_function_may_say_what_apart_is(seed: int) -> None:
    model = ChatBaco(max_tokens=24, seed=seed)
    answers = model.diverse(4, distinct=0.95).invoke("Name a pet rabbit.")
    pairs = [(one, other) for index, one in enumerate(texts(answers)) for other in texts(answers)[:index]]
    assert answers and all(similarity(*pair) < 0.95 for pair in pairs)
    alone = model.diverse(4, distinct=lambda one, other: True).invoke("Name a pet rabbit.")
    assert texts(alone) == texts(answers)[:1]


def test_ranked_by_likelihood_the_best_comes_first(model: ChatBaco, seed: int) -> None:
    ranked = model.diverse(5, rank="likelihood", seed=seed).invoke(PROMPT)
    scores = [answer.response_metadata["baco"]["score"] for answer in ranked]
    assert scores == sorted(scores, reverse=True)
    assert Counter(texts(ranked)) == Counter(texts(model.diverse(5, seed=seed).invoke(PROMPT)))
    engine = model._settings({}).engine()
    result = engine.generate(PROMPT, model._settings({"n": 5, "seed": seed}).call.params, model._settings({}).call.router)
    (scored,) = engine.score([result])
    assert scores == pytest.approx(sorted((one.score or 0.0 for one in scored.candidates), reverse=True))


def test_ranked_by_a_function_and_streamed_whole(model: ChatBaco, seed: int) -> None:
    several = model.diverse(4, rank=lambda answer: -len(answer.text), seed=seed)
    found = several.invoke(PROMPT)
    assert [len(text) for text in texts(found)] == sorted(len(text) for text in texts(found))
    pieces = list(several.stream(PROMPT))
    assert [index for index, _ in pieces] == [0, 1, 2, 3]
    assert [chunk.text for _, chunk in pieces] == texts(found)


def test_with_a_schema_they_are_a_list_of_it() -> None:
    several = ChatBaco(max_tokens=40, seed=2).diverse(3).with_structured_output(Rabbit)
    found = several.invoke("Name a pet rabbit, and say how old it is.")
    assert len(found) == 3 and all(isinstance(one, Rabbit) for one in found)
    assert several.batch(["Name a pet rabbit, and say how old it is."] * 2) == [found] * 2
    by_calls = ChatBaco(max_tokens=60, seed=2).diverse(2).with_structured_output(Rabbit, method="function_calling", include_raw=True)
    raw = by_calls.invoke("Name a pet rabbit.")
    assert [sorted(one) for one in raw] == [["parsed", "parsing_error", "raw"]] * 2
    assert all(one["parsed"] == Rabbit(**one["raw"].tool_calls[0]["args"]) for one in raw)


def test_with_tools_each_may_call() -> None:
    @tool
    def rabbit(name: str) -> str:
        """Name a rabbit."""
        return name

    answers = ChatBaco(max_tokens=60, seed=2).diverse(3).bind_tools([rabbit], tool_choice="any").invoke("Name a pet rabbit.")
    assert [answer.tool_calls[0]["name"] for answer in answers] == ["rabbit"] * 3


def test_what_is_bound_is_kept(model: ChatBaco, seed: int) -> None:
    bound: Any = model.bind(seed=seed, router="aligned")
    assert texts(bound.diverse(2).invoke(PROMPT)) == texts(model.diverse(2, seed=seed, router="aligned").invoke(PROMPT))
    structured = ChatBaco(max_tokens=60).bind(seed=3).with_structured_output(Rabbit)
    assert structured.invoke(PROMPT) == structured.invoke(PROMPT)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"n": 0}, "`n` must be an integer of at least 1"),
        ({"n": 2, "distinct": 0}, "`distinct` must be"),
        ({"n": 2, "rank": "best"}, "`rank` must be"),
        ({"n": 2, "token_budget": 99}, "`token_budget` must be left out without `distinct`"),
        ({"n": 2, "distinct": 1, "token_budget": 47}, "`token_budget` must be None or at least 48"),
        ({"n": 2, "temperature": 0}, "`temperature` must be above 0"),
        ({"n": 2, "thresold": 0.3}, "threshold"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(model: ChatBaco, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        model.diverse(**settings)


def test_what_cannot_work_is_refused_before_anything_is_decoded(model: ChatBaco, submitted: list[Request]) -> None:
    with pytest.raises(ConfigError, match="`n` must be left out"):
        model.diverse(2).invoke(PROMPT, n=3)
    with pytest.raises(PromptError, match="empty"):
        model.diverse(2).invoke("")
    with pytest.raises(PromptError, match="empty"):
        list(model.diverse(2).stream(""))
    with pytest.raises(ConfigError, match="cannot be scored"):
        model.diverse(2, rank="likelihood", router="base").invoke(PROMPT)
    assert not submitted


def test_the_pair_is_loaded_once(model: ChatBaco, seed: int) -> None:
    before = ModelPair.from_pretrained(base=model.base, aligned=model.aligned, device=model.device, dtype=model.dtype)
    model.diverse(2, seed=seed).invoke(PROMPT)
    assert ModelPair.from_pretrained(base=model.base, aligned=model.aligned, device=model.device, dtype=model.dtype) is before
