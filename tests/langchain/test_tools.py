"""ChatBaco with tools: what is bound, what comes back whole and streamed, and what goes into the next prompt.

Random weights call nothing, so the engine's decoding is replaced by a script here. Prompts, metadata and usage are real.
"""

import asyncio
from functools import reduce
from operator import add
from typing import Any, Literal

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool

from baco import ConfigError, UnknownKeywordError
from langchain_baco import ChatBaco
from langchain_baco.messages import openai_tools, to_core
from tests.langchain.helpers import PROMPT, content_of
from tests.support.marks import slow_but
from tests.support.scripted import Script, scripted

TEXT = (
    'I look.\n<tool_call>\n{"name": "clock", "arguments": {"city": "Köln"}}\n</tool_call>\n'
    '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>'
)
CALLS = [("clock", {"city": "Köln"}), ("clock", {})]
BROKEN = 'So: <tool_call>\n{"name": "clock", "arguments": {"city": "K'


@tool
def clock(city: str = "here") -> str:
    """Tell the time."""
    return "noon"


pytestmark = pytest.mark.usefixtures("room_for_tools")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return scripted(monkeypatch)


@pytest.mark.parametrize(
    ("text", "reason", "content", "calls", "broken", "finish_reason"),
    [
        (TEXT, "stop", "I look.", CALLS, [], "tool_calls"),
        (TEXT + "\nDone.", "stop", "I look.\nDone.", CALLS, [], "tool_calls"),
        (BROKEN, "length", "So:", [], [(None, BROKEN[4:])], "length"),
        ("No call < here. ", "stop", "No call < here. ", [], [], "stop"),
    ],
)
def test_calls_come_back_the_same_whole_streamed_and_batched(
    model: ChatBaco, script: Script, text: str, reason: str, content: str, calls: Any, broken: Any, finish_reason: str
) -> None:
    script(text, reason=reason)
    bound = model.bind_tools([clock]).bind(seed=1)
    answer = bound.invoke(PROMPT)
    assert {**content_of(answer), "usage": None} == {
        "content": content,
        "calls": calls,
        "broken": broken,
        "finish_reason": finish_reason,
        "usage": None,
    }
    ids = [call["id"] for call in (*answer.tool_calls, *answer.invalid_tool_calls)]
    assert len(set(ids)) == len(ids) and all(str(call_id).startswith("call_") for call_id in ids)

    async def others() -> list[BaseMessage]:
        chunks = [chunk async for chunk in bound.astream(PROMPT)]
        return [await bound.ainvoke(PROMPT), reduce(add, chunks), *await bound.abatch([PROMPT, PROMPT])]

    answers = [reduce(add, bound.stream(PROMPT)), *bound.batch([PROMPT, PROMPT]), *asyncio.run(others())]
    assert [content_of(other) for other in answers] == [content_of(answer)] * 7


def test_a_stream_shows_text_at_once_and_each_call_as_a_whole(model: ChatBaco, script: Script) -> None:
    script(TEXT)
    chunks = list(model.bind_tools([clock]).stream(PROMPT))
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert [chunk.text for chunk in chunks if chunk.text] == ["I l", "ook", "."]
    calls = [[(call["name"], call["args"], call["index"]) for call in chunk.tool_call_chunks] for chunk in chunks]  # type: ignore[attr-defined]
    assert [call for call in calls if call] == [[("clock", '{"city": "Köln"}', 0)], [("clock", "{}", 1)]]


def test_generate_reads_the_calls_of_all_n_answers(model: ChatBaco, script: Script) -> None:
    script(TEXT, "None.")
    first, second = model.generate([[HumanMessage(PROMPT)]], n=2, tools=openai_tools([clock])).generations[0]
    assert content_of(first.message)["calls"] == CALLS  # type: ignore[union-attr]
    assert content_of(second.message)["content"] == "None."  # type: ignore[union-attr]


def test_only_where_tools_are_bound_is_text_read_as_calls(model: ChatBaco, script: Script) -> None:
    seen = script(TEXT)
    for plain in (model, model.bind_tools([clock], tool_choice="none"), model.bind_tools([])):
        assert plain.invoke(PROMPT).content == TEXT
        assert reduce(add, plain.stream(PROMPT)).content == TEXT
    assert model.bind_tools([clock]).invoke(PROMPT, tool_choice="none").content == TEXT
    assert len({tuple(request.prompt.token_ids["aligned"]) for request in seen}) == 1


def test_prompts_with_other_tools_are_batched_apart(model: ChatBaco, script: Script) -> None:
    seen = script("x")
    bound = model.bind_tools([clock])
    bound.batch([PROMPT, PROMPT])
    model.invoke(PROMPT)
    lengths = [len(request.prompt.token_ids["aligned"]) for request in seen]
    assert lengths[0] == lengths[1] > lengths[2]
    settings = [model._settings({"tools": tools}) for tools in (openai_tools([clock]), None, [])]
    assert settings[0] != settings[1] == settings[2]


def test_answers_with_other_tools_are_cached_apart(model: ChatBaco, script: Script) -> None:
    seen = script(TEXT)
    cached = model.model_copy(update={"cache": InMemoryCache(), "temperature": 0.0})
    bound = cached.bind_tools([clock])
    assert content_of(bound.invoke(PROMPT))["calls"] == content_of(bound.invoke(PROMPT))["calls"] == CALLS
    assert cached.invoke(PROMPT).content == TEXT
    assert len(seen) == 2


FORCED = ["any", "required", "clock", True, {"type": "function", "function": {"name": "clock"}}, {"type": "tool", "name": "clock"}]


@tool
def measure(width: int, unit: Literal["m", "mm"]) -> str:
    """Measure a table."""
    return "done"


@pytest.mark.parametrize("choice", slow_but(["any", "clock"], FORCED))
def test_a_forced_call_comes_from_any_model_whole_and_streamed(model: ChatBaco, choice: Any) -> None:
    bound = model.model_copy(update={"max_tokens": 160, "temperature": 1.5}).bind_tools([measure, clock], tool_choice=choice)
    for seed in range(2):
        said = bound.invoke(PROMPT, seed=seed)
        assert (said.content, len(said.tool_calls), said.invalid_tool_calls) == ("", 1, [])
        (call,) = said.tool_calls
        assert call["name"] == "clock" or choice in ("any", "required", True)
        assert call["args"].keys() <= {"city"} if call["name"] == "clock" else isinstance(call["args"]["width"], int)
        assert content_of(reduce(add, bound.stream(PROMPT, seed=seed))) == content_of(said)


@pytest.mark.slow
def test_several_calls_are_forced_only_where_that_is_asked_for(model: ChatBaco) -> None:
    settings = {"max_tokens": 300, "temperature": 1.5}
    bound = model.model_copy(update=settings).bind_tools([clock], tool_choice="any", parallel_tool_calls=True)
    assert any(len(bound.invoke(PROMPT, seed=seed).tool_calls) > 1 for seed in range(12))


def test_a_choice_that_cannot_be_made_is_refused(model: ChatBaco) -> None:
    with pytest.raises(ConfigError, match='must be "any", "auto", "none" or one of clock, but is \'clok\''):
        model.bind_tools([clock], tool_choice="clok")
    with pytest.raises(ConfigError, match="`tool_choice` must be left out where there are no tools"):
        model.invoke(PROMPT, tool_choice="any")
    with pytest.raises(ConfigError, match="`parallel_tool_calls` must be"):
        model.bind_tools([clock], parallel_tool_calls="yes")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="left out where a call is forced"):
        model.bind_tools([clock], tool_choice="any", response_format={"type": "json_object"})


def test_tools_belong_to_a_call_and_are_checked_when_bound(model: ChatBaco) -> None:
    for keyword in ("tools", "tool_choice"):
        with pytest.raises(UnknownKeywordError):
            ChatBaco(**{keyword: None})
    with pytest.raises(ConfigError, match=r"`tools\[0\]` must be"):
        model.bind_tools([{"type": "web_search"}])
    with pytest.raises(UnknownKeywordError, match="did you mean 'temperature'"):
        model.bind_tools([clock], temprature=1)


def test_calls_and_results_in_the_history_go_to_the_core_in_openais_form() -> None:
    call = {"name": "clock", "args": {"city": "Köln"}, "id": "a"}
    broken = {"name": None, "args": BROKEN[4:], "id": "b", "error": "no JSON"}
    foreign = {"name": "clock", "args": "{", "id": "c", "error": None}
    core = to_core(
        [
            AIMessage("", tool_calls=[call]),
            ToolMessage("noon", tool_call_id="a", name="clock"),
            AIMessage("So:", invalid_tool_calls=[broken, foreign]),
        ]
    )
    function = {"name": "clock", "arguments": {"city": "Köln"}}
    assert core == [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "type": "function", "function": function}]},
        {"role": "tool", "content": "noon", "tool_call_id": "a", "name": "clock"},
        {"role": "assistant", "content": f'So:\n{BROKEN[4:]}\n<tool_call>\n{{"name": "clock", "arguments": {{}}\n</tool_call>'},
    ]


def test_an_answer_with_a_call_and_its_result_go_on_and_are_counted_exactly(model: ChatBaco, script: Script) -> None:
    seen = script(TEXT)
    bound = model.bind_tools([clock])
    answer = bound.invoke("T")
    messages: list[BaseMessage] = [HumanMessage("T"), answer, ToolMessage("noon", tool_call_id=str(answer.tool_calls[0]["id"]))]
    small = model.model_copy(update={"router": "aligned", "threshold": None})
    count = small.get_num_tokens_from_messages(messages, tools=[clock])
    usage = small.bind_tools([clock]).invoke(messages).usage_metadata
    assert usage is not None and count == usage["input_tokens"] > small.get_num_tokens_from_messages(messages)
    tokenizer = ChatBaco._settings(small, {}).engine().pair.tokenizer
    assert TEXT in tokenizer.decode(seen[-1].prompt.token_ids["aligned"])
