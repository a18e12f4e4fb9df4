"""ChatBaco with models that write calls in other forms than Hermes': read, streamed, forced, and shown again in the next turn."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import add

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from baco import Engine
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, content_of
from tests.support.call_templates import FAMILIES
from tests.support.scripted import scripted
from tests.support.tokenizers import LLAMA_TEMPLATE, MISTRAL_NAMED_TEMPLATE, MISTRAL_TEMPLATE

OTHERS = [FAMILIES[name] for name in ("qwen-xml", "gemma4")]
CALLS = [("clock", {"city": "Köln"}), ("clock", {})]
WRITTEN = {
    LLAMA_TEMPLATE: '{"name": "clock", "parameters": {"city": "Köln"}}; {"name": "clock", "parameters": {}}',
    MISTRAL_TEMPLATE: '[TOOL_CALLS] [{"name": "clock", "arguments": {"city": "Köln"}}, {"name": "clock", "arguments": {}}]',
    MISTRAL_NAMED_TEMPLATE: '[TOOL_CALLS]clock[ARGS]{"city": "Köln"}[TOOL_CALLS]clock[ARGS]{}',
    **{family.template: family.form.write(CALLS) for family in OTHERS},
}
BROKEN = {
    LLAMA_TEMPLATE: '{"name": "clock", "parameters": {"city": "K',
    MISTRAL_TEMPLATE: '[TOOL_CALLS] [{"name": "clock", "arguments": {"city": "K',
    MISTRAL_NAMED_TEMPLATE: '[TOOL_CALLS]clock[ARGS]{"city": "K',
    **{family.template: family.form.write(CALLS).partition("öln")[0] for family in OTHERS},
}


@tool
def clock(city: str = "here") -> str:
    """Tell the time."""
    return "noon"


pytestmark = pytest.mark.usefixtures("room_for_tools")


@pytest.fixture(params=WRITTEN, ids=["llama3", "mistral", "mistral-named", "qwen-xml", "gemma4"])
def template(request: pytest.FixtureRequest, engine: Engine, monkeypatch: pytest.MonkeyPatch, room_for_tools: None) -> Iterator[str]:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", request.param)
    yield request.param


def test_calls_come_back_the_same_whole_and_streamed(model: ChatBaco, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = scripted(monkeypatch)
    bound = model.bind_tools([clock]).bind(seed=1)
    marker = "<|python_tag|>" if template == LLAMA_TEMPLATE else ""
    plain = 'No call [ or { "name" here.'
    for text, reason, content, calls, broken, finish_reason in (
        (WRITTEN[template], "stop", "", CALLS, [], "tool_calls"),
        (BROKEN[template], "length", "", [], [(None, marker + BROKEN[template])], "length"),
        (plain, "stop", plain, [], [], "stop"),
    ):
        expected = {"content": content, "calls": calls, "broken": broken, "finish_reason": finish_reason, "usage": None}
        write(text, reason=reason)

        async def streamed() -> BaseMessage:
            return reduce(add, [chunk async for chunk in bound.astream(PROMPT)])

        for answer in (bound.invoke(PROMPT), reduce(add, bound.stream(PROMPT)), asyncio.run(streamed())):
            assert {**content_of(answer), "usage": None} == expected


def test_a_stream_shows_each_call_as_a_whole(model: ChatBaco, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)(WRITTEN[template])
    chunks = list(model.bind_tools([clock]).stream(PROMPT))
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    calls = [[(call["name"], call["args"], call["index"]) for call in chunk.tool_call_chunks] for chunk in chunks]  # type: ignore[attr-defined]
    assert [call for call in calls if call] == [[("clock", '{"city": "Köln"}', 0)], [("clock", "{}", 1)]]


def test_a_forced_call_comes_whole_and_streamed(model: ChatBaco, template: str) -> None:
    bound = model.model_copy(update={"max_tokens": 160, "temperature": 1.5}).bind_tools([clock], tool_choice="any")
    for seed in range(2):
        said = bound.invoke(PROMPT, seed=seed)
        assert isinstance(said, AIMessage)
        assert (said.content, [call["name"] for call in said.tool_calls], said.invalid_tool_calls) == ("", ["clock"], [])
        assert said.tool_calls[0]["args"].keys() <= {"city"}
        assert content_of(reduce(add, bound.stream(PROMPT, seed=seed))) == content_of(said)


def test_calls_and_their_results_go_into_the_next_turn(model: ChatBaco, template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scripted(monkeypatch)(WRITTEN[template])
    bound = model.bind_tools([clock])
    answer = bound.invoke("T")
    assert isinstance(answer, AIMessage)
    results = [ToolMessage(f"result {index}", tool_call_id=str(call["id"])) for index, call in enumerate(answer.tool_calls)]
    bound.invoke([HumanMessage("T"), answer, *results])
    tokenizer = ChatBaco._settings(model, {}).engine().pair.tokenizer
    aligned, base = (tokenizer.decode(seen[-1].prompt.token_ids[which]) for which in ("aligned", "base"))
    assert WRITTEN[template] in base
    assert aligned.count("Köln") == 1 and aligned.count("result 0") == aligned.count("result 1") == 1
