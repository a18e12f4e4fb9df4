"""BacoLLM with tools: what is shown, what comes back whole and streamed, and what goes into the next prompt.

Random weights call nothing, so most answers are a script here. Prompts, metadata and usage are real.
"""

import json
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.tools import FunctionTool

from baco import ConfigError, Engine
from llamaindex_baco import BacoLLM
from llamaindex_baco.messages import core_messages
from tests.llamaindex.helpers import Make
from tests.support.scripted import Script, scripted
from tests.support.tokenizers import QWEN_TEMPLATE

CALL = '<tool_call>\n{"name": "clock", "arguments": {"city": "Köln"}}\n</tool_call>'
TWO = f'I look.\n{CALL}\n<tool_call>\n{{"name": "clock", "arguments": {{}}}}\n</tool_call>'
BROKEN = 'So: <tool_call>\n{"name": "clock", "arguments": {"city": "K'
CHAT = ("chat", "achat", "stream_chat", "astream_chat")
THINKING = QWEN_TEMPLATE + "{# <think> </think> #}"


def clock(city: str = "here") -> str:
    """Tell the time."""
    return f"noon in {city}"


TOOL = FunctionTool.from_defaults(clock)


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Script:
    return scripted(monkeypatch)


@pytest.fixture
def llm(make: Make, room_for_tools: None) -> BacoLLM:
    return make(seed=1, max_tokens=120)


async def ask(llm: BacoLLM, way: str, **keywords: Any) -> list[ChatResponse]:
    """Ask with tools in one of the four ways; return the response, or all chunks."""
    method = getattr(llm, f"{way}_with_tools")
    given: dict[str, Any] = {"user_msg": "What time is it?", **keywords}
    answer = await method([TOOL], **given) if way.startswith("a") else method([TOOL], **given)
    if "stream" not in way:
        return [answer]
    return [chunk async for chunk in answer] if way.startswith("a") else list(answer)


def told(message: ChatMessage) -> list[Any]:
    """What a message's blocks say, without ids."""
    return [(b.tool_name, b.tool_kwargs) if isinstance(b, ToolCallBlock) else getattr(b, "text", None) or b.content for b in message.blocks]


@pytest.mark.parametrize("way", CHAT)
@pytest.mark.parametrize(
    ("text", "reason", "blocks", "finish_reason"),
    [
        (TWO, "stop", ["I look.", ("clock", {"city": "Köln"}), ("clock", {})], "tool_calls"),
        (CALL, "stop", [("clock", {"city": "Köln"})], "tool_calls"),
        (BROKEN, "length", ["So:\n" + BROKEN[4:]], "length"),
        ("No call < here. ", "stop", ["No call < here. "], "stop"),
    ],
)
async def test_calls_come_back_the_same_in_each_way(
    llm: BacoLLM, write: Script, way: str, text: str, reason: str, blocks: list[Any], finish_reason: str
) -> None:
    write(text, reason=reason)
    *parts, last = await ask(llm, way, allow_parallel_tool_calls=True)
    assert told(last.message) == blocks
    assert isinstance(last.raw, dict) and last.raw["finish_reason"] == finish_reason
    assert last.message.additional_kwargs == {} == last.additional_kwargs
    assert json.loads(last.model_dump_json())["raw"] == last.raw
    found = llm.get_tool_calls_from_response(last, error_on_no_tool_call=False)
    calls = [block for block in blocks if isinstance(block, tuple)]
    assert [(one.tool_name, one.tool_kwargs) for one in found] == calls
    assert len({one.tool_id for one in found}) == len(calls) and all(one.tool_id.startswith("call_") for one in found)
    for part in parts:
        llm.get_tool_calls_from_response(part, error_on_no_tool_call=False)
        assert (last.message.content or "").startswith(part.message.content or "")
    assert "".join(part.delta or "" for part in (*parts, last)) in ("", last.message.content)


@pytest.mark.parametrize("way", [way for way in CHAT if "stream" in way])
async def test_a_streamed_call_keeps_its_id(llm: BacoLLM, write: Script, way: str) -> None:
    write(TWO)
    chunks = await ask(llm, way, allow_parallel_tool_calls=True)
    first = [next(i for i in ids if i) for ids in [[c.tool_id for c in llm.get_tool_calls_from_response(x, False)] for x in chunks] if ids]
    assert len(first) > 1 and len(set(first)) == 1


@pytest.mark.parametrize("way", CHAT)
async def test_without_leave_for_several_only_the_first_call_counts(llm: BacoLLM, write: Script, way: str) -> None:
    write(TWO)
    last = (await ask(llm, way))[-1]
    assert told(last.message) == ["I look.", ("clock", {"city": "Köln"})]
    assert last.raw is not None and "".join(text for text, _ in last.raw["baco"]["spans"]) == TWO
    assert last.raw["baco"]["calls_left_out"] == 1


def test_an_answer_without_the_call_that_was_expected_is_an_error_that_shows_it(llm: BacoLLM, write: Script) -> None:
    write("I will not.")
    with pytest.raises(ValueError, match=r"but the answer is 'I will not\.'"):
        llm.get_tool_calls_from_response(llm.chat_with_tools([TOOL], "What time is it?"))


def test_what_is_broken_in_a_call_is_told(llm: BacoLLM, write: Script) -> None:
    write(BROKEN, reason="length")
    raw: Any = llm.chat_with_tools([TOOL], "What time is it?").raw
    (broken,) = raw["baco"]["broken_calls"]
    assert broken["text"] == BROKEN[4:] and broken["error"]


def test_calls_of_other_integrations_and_half_written_ones_are_read(llm: BacoLLM) -> None:
    kwargs = [{"id": "1", "function": {"name": "clock", "arguments": '{"city": "Bonn"}'}}, {"function": {"name": None}}]
    theirs = ChatResponse(message=ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": kwargs}))
    assert [(c.tool_id, c.tool_kwargs) for c in llm.get_tool_calls_from_response(theirs)] == [("1", {"city": "Bonn"})]
    for text, arguments in (('{"city": "Bo', {}), ("{", {}), ("", {}), ("[1]", {}), ('{"a": 1, "city": "Bo', {"a": 1})):
        half = ChatResponse(message=ChatMessage(blocks=[ToolCallBlock(tool_name="clock", tool_kwargs=text)]))
        assert llm.get_tool_calls_from_response(half)[0].tool_kwargs == arguments


def test_the_models_see_the_tools_only_where_there_are_any(llm: BacoLLM, write: Script) -> None:
    seen = write("x")
    llm.chat([ChatMessage(content="What time is it?")])
    llm.chat_with_tools([], "What time is it?")
    llm.chat_with_tools([TOOL], "What time is it?")
    llm.chat_with_tools([TOOL], "What time is it?", tool_choice="none")
    plain, none, shown, hidden = [request.prompt.token_ids for request in seen]
    assert plain == none == hidden
    assert all(len(shown[which]) > len(plain[which]) for which in ("base", "aligned"))


@pytest.mark.parametrize("forced", [{"tool_required": True}, {"tool_choice": "clock"}, {"tool_choice": "any"}])
@pytest.mark.parametrize("way", CHAT)
async def test_a_required_call_is_one_by_construction(llm: BacoLLM, way: str, forced: dict[str, Any]) -> None:
    hot = llm.with_(temperature=1.5)
    last = (await ask(hot, way, **forced))[-1]
    (call,) = hot.get_tool_calls_from_response(last)
    assert call.tool_name == "clock" and set(call.tool_kwargs) <= {"city"}
    assert last.raw is not None and last.raw["finish_reason"] == "tool_calls"


def test_several_calls_may_be_required_at_once(llm: BacoLLM, write: Script) -> None:
    seen = write(TWO.removeprefix("I look.\n"))
    for several in (True, False):
        response = llm.chat_with_tools([TOOL], "What time is it?", tool_required=True, allow_parallel_tool_calls=several)
        assert len(llm.get_tool_calls_from_response(response)) == 1 + several
    assert [json.loads(request.params.grammar.source)["several"] for request in seen if request.params.grammar] == [True, False]


@pytest.mark.parametrize("method", ["complete", "stream_complete"])
def test_a_completion_cannot_say_calls(llm: BacoLLM, method: str) -> None:
    with pytest.raises(ConfigError, match="use chat"):
        list(getattr(llm, method)("What time is it?", tools=[TOOL]))


async def test_predict_and_call_calls_the_tool(write: Script) -> None:
    write(CALL)
    llm = BacoLLM(max_tokens=60)
    for found in (llm.predict_and_call([TOOL], "What time is it?"), await llm.apredict_and_call([TOOL], "What time is it?")):
        assert found.response == "noon in Köln" and found.sources[0].tool_name == "clock"


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex's own agents
async def test_predict_and_call_works_by_a_prompt_where_the_template_has_no_place_for_tools(
    make: Make, write: Script, engine: Engine
) -> None:
    seen = write('Thought: I need a tool.\nAction: clock\nAction Input: {"city": "Bonn"}\n')
    llm = make(max_tokens=60)
    engine.pair.info.__dict__["context_window"], before = 4096, engine.pair.context_window
    try:
        assert not llm.metadata.is_function_calling_model
        for found in (llm.predict_and_call([TOOL], "What time is it?"), await llm.apredict_and_call([TOOL], "What time is it?")):
            assert found.response == "noon in Bonn"
        assert all(request.params.stop == ("Observation:",) for request in seen)
        with pytest.raises(ConfigError, match="no place for tools"):
            llm.predict_and_call([TOOL], "What time is it?", tool_required=True)
    finally:
        engine.pair.info.__dict__["context_window"] = before


@pytest.mark.parametrize("way", CHAT)
async def test_a_thought_is_a_block_of_its_own(
    llm: BacoLLM, write: Script, engine: Engine, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", THINKING)
    write(f"<think>\nWhich city?\n</think>\n\n{CALL}")
    *parts, last = await ask(llm, way)
    assert told(last.message) == ["Which city?", ("clock", {"city": "Köln"})]
    deltas = [part.additional_kwargs.get("thinking_delta", "") for part in (*parts, last)]
    assert "".join(deltas) == ("Which city?" if "stream" in way else "")
    assert all(part.message.content is None or "Which" not in part.message.content for part in (*parts, last))
    again = core_messages([last.message])
    assert again[0]["content"] == ""
    assert last.raw is not None and last.raw["baco"]["thought"] == "Which city?"
