"""Tools, calls and their results in LlamaIndex's forms: how they get into a prompt, and which of them are refused."""

import copy
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from baco import ConfigError, PromptError
from baco.engine.requests import Request
from llamaindex_baco import BacoLLM
from llamaindex_baco.messages import core_messages
from llamaindex_baco.tools import openai_tools
from tests.llamaindex.helpers import Make
from tests.support.scripted import scripted


def clock(city: str = "here") -> str:
    """Tell the time."""
    return f"noon in {city}"


TOOL = FunctionTool.from_defaults(clock)


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = []


@pytest.fixture
def llm(make: Make, room_for_tools: None) -> BacoLLM:
    return make(seed=1, max_tokens=120)


def test_a_history_is_read_and_left_as_it_is(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = scripted(monkeypatch)("noon")
    call = ToolCallBlock(tool_call_id="c1", tool_name="clock", tool_kwargs={"city": "Köln"})
    history = [
        ChatMessage(content="What time is it in Köln?"),
        ChatMessage(role="assistant", blocks=[ThinkingBlock(content="hm"), call]),
        ChatMessage(role="tool", blocks=[TextBlock(text="noon")], additional_kwargs={"tool_call_id": "c1"}),
    ]
    before = copy.deepcopy(history)
    llm.chat_with_tools([TOOL], "And in Bonn?", chat_history=history)
    assert history == before
    user, asked, answered = core_messages(history)
    assert user == {"role": "user", "content": "What time is it in Köln?"}
    called = {"type": "function", "function": {"name": "clock", "arguments": {"city": "Köln"}}, "id": "c1"}
    assert asked == {"role": "assistant", "content": "", "tool_calls": [called]}
    assert answered == {"role": "tool", "content": "noon", "tool_call_id": "c1", "name": "clock"}
    shown = llm._engine().pair.tokenizer.decode(seen[0].prompt.token_ids["aligned"])
    assert '{"name": "clock", "arguments": {"city": "Köln"}}' in shown


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (ToolCallBlock(tool_name="clock", tool_kwargs='{"city": '), "are no JSON"),
        (ToolCallBlock(tool_name="clock", tool_kwargs="[1]"), "must be a JSON object"),
        (ToolCallBlock(tool_name=""), "must be"),
    ],
)
def test_a_history_with_a_call_that_no_template_can_show_is_an_error(llm: BacoLLM, call: ToolCallBlock, error: str) -> None:
    with pytest.raises(PromptError, match=error):
        llm.chat([ChatMessage(content="a"), ChatMessage(role="assistant", blocks=[call]), ChatMessage(content="b")])


def test_tools_keep_their_names_long_descriptions_and_recursive_arguments() -> None:
    def grow(tree: Tree) -> str:
        return "grown"

    long = "very " * 400 + "long"
    tools = [
        FunctionTool.from_defaults(grow, name="grow[it]", description=long),
        FunctionTool.from_defaults(lambda: "x", fn_schema=Tree, name="t"),
    ]
    first, second = openai_tools(tools)
    assert (first["function"]["name"], first["function"]["description"]) == ("grow[it]", long)
    assert second["function"]["parameters"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert openai_tools([first]) == [first]


@pytest.mark.parametrize(
    ("tools", "keywords", "error"),
    [
        ([TOOL, TOOL], {}, "a name each of its own"),
        (["clock"], {}, "a LlamaIndex tool"),
        ("clock", {}, "a list of tools"),
        ([TOOL], {"tool_choice": "clocks"}, "did you mean 'clock'"),
        ([], {"tool_required": True}, "left out where there are no tools"),
    ],
)
def test_wrong_tools_are_an_error_before_anything_is_decoded(
    llm: BacoLLM, submitted: list[Request], tools: Any, keywords: dict[str, Any], error: str
) -> None:
    with pytest.raises(ConfigError, match=error):
        llm.chat_with_tools(tools, "What time is it?", **keywords)
    assert submitted == []


def test_roles_of_tools_are_known_without_a_call_before() -> None:
    alone = ChatMessage(role=MessageRole.TOOL, content="noon", additional_kwargs={"tool_call_id": "x", "name": "clock"})
    assert core_messages([alone]) == [{"role": "tool", "content": "noon", "tool_call_id": "x", "name": "clock"}]
