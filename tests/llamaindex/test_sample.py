"""Several answers of BacoLLM: from one reading of the prompt, in one batch, distinct, ranked; and what `n` does elsewhere."""

import asyncio
import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool

from baco import ConfigError, Engine, Router, SamplingParams
from baco.answers.comparison import similarity
from baco.engine.requests import Request
from llamaindex_baco import BacoLLM, capture_responses
from tests.llamaindex.helpers import TEXT, Make
from tests.support.gate import Gate, Pass, open_after
from tests.support.scripted import scripted


def texts(responses: list[ChatResponse]) -> list[str | None]:
    return [response.message.content for response in responses]


async def test_samples_are_those_of_the_engine_from_one_reading_of_the_prompt(make: Make, engine: Engine, passes: list[Pass]) -> None:
    expected = engine.generate(TEXT, SamplingParams(n=5, max_tokens=12, seed=3), Router("p", threshold=0.6))
    llm = make(router="p", threshold=0.6, seed=3)
    passes.clear()
    found = llm.sample(TEXT, 5)
    assert max(one.rows for one in passes) == 5
    assert texts(found) == [one.text for one in expected.candidates] and len(set(texts(found))) == 5
    assert texts(await llm.asample([ChatMessage(content=TEXT)], 5)) == texts(found)
    for response, candidate in zip(found, expected.candidates, strict=True):
        raw: Any = json.loads(json.dumps(response.raw))
        assert raw["baco"]["base_tokens"] == sum(candidate.from_base)
        assert raw["baco"]["spans"] == [list(span) for span in candidate.spans()]
        assert raw["usage"]["completion_tokens"] == expected.usage.completion_tokens


async def test_all_samples_are_one_event_with_the_count_of_all(make: Make) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(callback_manager=CallbackManager([counter]), seed=1)
    with capture_responses() as captured:
        responses = llm.sample(TEXT, 4)
        await llm.asample(TEXT, 4)
    raw: Any = responses[0].raw
    assert len(counter.llm_token_counts) == len(captured) == 2
    assert counter.completion_llm_token_count == 2 * raw["usage"]["completion_tokens"]


@pytest.mark.parametrize("method", ["chat", "complete", "achat", "acomplete"])
async def test_with_n_the_first_answer_is_returned_and_all_are_choices(make: Make, method: str) -> None:
    llm = make(seed=3)
    argument: Any = [ChatMessage(content=TEXT)] if "chat" in method else TEXT
    answer = getattr(llm, method)(argument, n=3)
    response = await answer if method.startswith("a") else answer
    choices = response.raw["choices"]
    assert [choice["message"]["content"] for choice in choices] == texts(llm.sample(TEXT, 3))
    assert str(response.message.content if "chat" in method else response.text) == choices[0]["message"]["content"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert all("".join(text for text, _ in choice["baco"]["spans"]) == choice["message"]["content"] for choice in choices)


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_stream_is_of_one_answer(make: Make, method: str) -> None:
    with pytest.raises(ConfigError, match=r"sample\(…, n\)"):
        getattr(make(), method)([ChatMessage(content=TEXT)] if "chat" in method else TEXT, n=2)


def test_near_duplicates_are_dropped_and_others_drawn_until_there_are_enough(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    write = scripted(monkeypatch)
    rounds: list[list[Request]] = [write("A rabbit.", "a rabbit", "A cat.")]

    def alike(one: ChatResponse, other: ChatResponse) -> bool:
        if len(rounds) == 1:  # the first round has been drawn
            rounds.append(write("A dog."))
        return similarity(str(one.message.content), str(other.message.content)) == 1

    assert texts(make(seed=1).sample(TEXT, 3, distinct=alike)) == ["A rabbit.", "A cat.", "A dog."]
    assert [request.params.n for requests in rounds for request in requests] == [3, 1]
    assert rounds[0][0].seed != rounds[1][0].seed, "else the second round would repeat the first"
    assert texts(make(seed=1).sample(TEXT, 3, distinct=1)) == ["A dog."]


async def test_a_token_budget_ends_the_drawing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scripted(monkeypatch)("the same")
    llm = make(seed=1, max_tokens=4)
    assert len(llm.sample(TEXT, 3, distinct=0.9, token_budget=12)) == 1
    drawn = sum(request.params.n for request in seen)
    assert drawn * 3 <= 12
    seen.clear()
    assert len(await llm.asample(TEXT, 3, distinct=lambda one, other: False)) == 3 == seen[0].params.n and len(seen) == 1


async def test_the_best_come_first(make: Make, engine: Engine) -> None:
    llm = make(router="p", threshold=0.6, seed=3)
    ranked = llm.sample(TEXT, 5, rank="likelihood")
    (scored,) = engine.score([engine.generate(TEXT, SamplingParams(n=5, max_tokens=12, seed=3), Router("p", threshold=0.6))])
    best = sorted(scored.candidates, key=lambda one: -(one.score or 0))
    assert texts(ranked) == [one.text for one in best]
    assert [response.raw["baco"]["score"] for response in ranked if response.raw] == pytest.approx([one.score for one in best], abs=1e-5)
    longest = await llm.asample(TEXT, 5, rank=lambda response: len(response.message.content or ""))
    assert sorted(texts(longest), key=lambda text: -len(text or "")) == texts(longest)


def test_an_answer_without_tokens_comes_last_and_its_score_is_json(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)("", "A cat.")
    found = make(seed=1).sample(TEXT, 2, rank="likelihood")
    assert texts(found) == ["A cat.", ""]
    told = [json.loads(json.dumps(response.raw, allow_nan=False))["baco"]["score"] for response in found]
    assert told[0] < 0 and told[1] is None


def test_a_block_may_ask_for_scores(make: Make) -> None:
    llm = make(seed=1)
    with llm.using(score=True):
        raw: Any = llm.complete(TEXT).raw
    assert raw["baco"]["score"] < 0


def test_samples_may_call_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = FunctionTool.from_defaults(lambda city: "x", name="clock", description="Tell the time.")
    calls = [f'<tool_call>\n{{"name": "clock", "arguments": {{"city": "{city}"}}}}\n</tool_call>' for city in ("Bonn", "Ulm")]
    scripted(monkeypatch)(*calls)
    llm = BacoLLM(device="cpu", max_tokens=60, seed=1)
    found = llm.sample("What time is it?", 2, tools=[tool])
    assert [llm.get_tool_calls_from_response(one)[0].tool_kwargs for one in found] == [{"city": "Bonn"}, {"city": "Ulm"}]
    raw: Any = llm.chat([ChatMessage(content="What time is it?")], tools=[tool], n=2).raw
    assert [json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])["city"] for choice in raw["choices"]] == ["Bonn", "Ulm"]


async def test_a_cancelled_task_draws_no_more(make: Make, gate: Gate) -> None:
    task = asyncio.create_task(make(max_tokens=60, router="aligned").asample(TEXT, 3))
    await asyncio.to_thread(gate.permit, 2)
    task.cancel()
    await open_after(gate, task)
    assert task.cancelled() and {one.finish_reason for one in gate.requests[0].candidates.values()} == {"cancelled"}


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"n": 0}, "`n` must be"),
        ({"n": 2, "temperature": 0}, "`temperature` must be above 0"),
        ({"n": 2, "distinct": 1.5}, "`distinct` must be"),
        ({"n": 2, "token_budget": 100}, "left out without `distinct`"),
        ({"n": 2, "distinct": 0.5, "token_budget": 3}, "at least 24"),
        ({"n": 2, "rank": "length"}, "`rank` must be"),
        ({"n": 2, "score": True}, 'rank="likelihood"'),
        ({"n": 2, "rank": "likelihood", "router": "base"}, "cannot be scored"),
        ({"n": 2, "temprature": 1}, "did you mean"),
    ],
)
def test_wrong_wishes_are_errors(make: Make, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make().sample(TEXT, **keywords)
