"""Tools: their form, and calls of them written and read, whole and in pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.detokenize import AnswerText
from baco.errors import ConfigError, PromptError
from baco.tools import BrokenCall, CallReader, Calls, ToolCall, check_calls, check_tools, parse_tool_calls, written_call
from tests.tokenizers import byte_level_bpe

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


def tool(name: Any = "weather", **changes: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}} | changes}


def test_a_call_is_written_as_hermes_writes_it() -> None:
    written = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln", "days": 2}}\n</tool_call>'
    assert written_call("weather", {"city": "Köln", "days": 2}) == written


@given(st.text(min_size=1), st.dictionaries(st.text(), JSON))
def test_what_is_written_is_read_back(name: str, arguments: dict[str, Any]) -> None:
    written = written_call(name, arguments)
    assert parse_tool_calls(f"Let me see.\n{written}\n{written}") == ("Let me see.", [ToolCall(name=name, arguments=arguments)] * 2)


@pytest.mark.parametrize("argument", ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "你好啊集团\n🎉", "\\"])
def test_an_argument_may_hold_anything(argument: str) -> None:
    assert parse_tool_calls(written_call("say", {"text": argument}))[1] == [ToolCall(name="say", arguments={"text": argument})]


@pytest.mark.parametrize(
    ("text", "content", "broken"),
    [
        ("A <tool_call>\n{no json}\n</tool_call> B", "A\nB", "<tool_call>\n{no json}\n</tool_call>"),
        ('<tool_call>{"name": "a"}</tool_call>', "", '<tool_call>{"name": "a"}</tool_call>'),
        ('<tool_call>{"name": "", "arguments": {}}</tool_call>', "", '<tool_call>{"name": "", "arguments": {}}</tool_call>'),
        ('<tool_call>{"name": "a", "arguments": []}</tool_call>', "", '<tool_call>{"name": "a", "arguments": []}</tool_call>'),
        ("<tool_call>[1]</tool_call>", "", "<tool_call>[1]</tool_call>"),
        ('Yes.\n<tool_call>{"name": "a", "argu', "Yes.", '<tool_call>{"name": "a", "argu'),
        ('<tool_call>{"name: 1}</tool_call>\nB', "B", '<tool_call>{"name: 1}</tool_call>'),
    ],
)
def test_a_malformed_call_is_told_and_not_dropped(text: str, content: str, broken: str) -> None:
    found, (call,) = parse_tool_calls(text)
    assert isinstance(call, BrokenCall) and call.error
    assert (found, call.text) == (content, broken)


def test_a_call_of_which_only_the_end_is_missing_is_one() -> None:
    assert parse_tool_calls('<tool_call>\n{"name": "a", "arguments": {}}') == ("", [ToolCall(name="a", arguments={})])


def test_text_without_a_call_is_left_as_it_is() -> None:
    for text in ("", " \n", "a < b", "x <tool_", "</tool_call> \n"):
        assert parse_tool_calls(text) == (text, [])


@given(st.lists(st.sampled_from(["<tool_call>", "</tool_call>", '{"name": "a", "arguments": {}}', '"', "\n", " ", "<", "x"])), st.data())
def test_how_an_answer_is_cut_into_pieces_makes_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    reader, content, calls = CallReader(), "", Calls()
    rest = text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        more, found = reader.push(rest[:size])
        content, calls, rest = content + more, calls + found, rest[size:]
    more, found = reader.finish()
    assert (content + more, calls + found) == parse_tool_calls(text)


def test_content_is_held_only_while_it_may_become_a_call() -> None:
    reader = CallReader()
    assert [reader.push(piece)[0] for piece in ("a ", "<", "b", "\n<tool", "_call")] == ["a", "", " <b", "", ""]
    assert reader.finish() == ("\n<tool_call", [])


def test_the_marker_of_a_call_is_no_control_token_of_an_answer() -> None:
    tokenizer = byte_level_bpe()
    tokenizer.add_tokens(["<tool_call>", "</tool_call>"])
    written = written_call("weather", {"city": "Köln"})
    answer = AnswerText(tokenizer)
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_tokens_to_ids("<tool_call>") in ids
    tokens = [token for token_id in ids for token in answer.push(token_id, False)] + answer.finish()
    assert "".join(token.text for token in tokens) == written


def test_tools_are_copied_as_json_keeps_them() -> None:
    assert check_tools(None) == check_tools([]) == []
    given = [tool("a", description="Does a.", strict=True), tool("b")]
    assert json.dumps(check_tools(given)) == json.dumps(given)
    assert check_tools([{"type": "function", "function": {"name": "a"}}]) != []


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        (tool(), "`tools` must be None or a list"),
        ("weather", "`tools` must be None or a list"),
        (5, "`tools` must be None or a list"),
        ([tool(), print], r"`tools\[1\]` must be"),
        ([{"name": "a"}], r"`tools\[0\]` must be"),
        ([{"type": "web_search"}], r"`tools\[0\]` must be"),
        ([{"type": "function", "function": {}}], r"`tools\[0\]` must be a function with a name"),
        ([tool(name=3)], "a function with a name"),
        ([tool("a"), tool("a")], "a name each of its own"),
        ([tool(parameters=[])], "the parameters of tool 'weather'"),
        ([tool(parameters={"type": "string"})], "the parameters of tool 'weather'"),
        ([tool(description=5)], "the description of tool 'weather'"),
        ([tool(parameters={"type": "object", "properties": {1, 2}})], "what JSON can say"),
    ],
)
def test_malformed_tools_are_named(tools: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_tools(tools)


def test_the_arguments_of_a_call_may_be_a_dict_or_json() -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "a", "arguments": '{"x": "é"}'}}, {"function": {"name": "b"}}]
    checked = check_calls("message 0", calls)
    assert [call["function"] for call in checked] == [{"name": "a", "arguments": {"x": "é"}}, {"name": "b", "arguments": {}}]
    assert checked[0]["id"] == "1"
    assert isinstance(calls[0]["function"]["arguments"], str), "the caller's own are left alone"


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ("x", "must be a list"),
        ([{"function": {}}], "each of the tool_calls of message 0 must be"),
        ([{"name": "a", "args": {}}], "each of the tool_calls of message 0 must be"),
        ([{"function": {"name": "a", "arguments": "{x"}}], "are no JSON"),
        ([{"function": {"name": "a", "arguments": "[]"}}], "must be a JSON object"),
        ([{"function": {"name": "a", "arguments": {"x": {1}}}}], "are no JSON"),
    ],
)
def test_malformed_calls_are_named(calls: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        check_calls("message 0", calls)
