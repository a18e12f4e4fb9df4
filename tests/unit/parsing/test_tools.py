"""Tools: their form, and that of calls in a conversation."""

import json
from typing import Any

import pytest

from baco.errors import ConfigError, PromptError
from baco.parsing.tools import check_calls, check_tools


def tool(name: Any = "weather", **changes: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}} | changes}


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
