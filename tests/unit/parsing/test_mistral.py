"""Mistral's calls in both formats: what is a valid call, and what is an invalid one."""

import pytest

from baco.parsing.mistral import MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall

A, B = ToolCall(name="a", arguments={"x": 1}), ToolCall(name="b", arguments={})


@pytest.mark.parametrize(
    "text",
    [
        '[TOOL_CALLS] [{"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": {}}]',
        '[TOOL_CALLS][{"name": "a", "arguments": {"x": 1}, "id": "abcdefghi"},{"arguments": {}, "name": "b", "id": "ihgfedcba"}]',
        '[TOOL_CALLS]\n[\n{"name": "a", "arguments": {"x": 1}}\n,\n{"name": "b", "arguments": {}}\n]\n',
        '[TOOL_CALLS]a[ARGS]{"x": 1}[TOOL_CALLS]b[ARGS]{}',
        '[TOOL_CALLS]a[CALL_ID]abcdefghi[ARGS]{"x": 1}\n[TOOL_CALLS] b {}',
        '[TOOL_CALLS]{"name": "a", "arguments": {"x": 1}}[TOOL_CALLS] [{"name": "b", "arguments": {}}',
    ],
)
def test_every_spelling_is_parsed(text: str) -> None:
    assert MISTRAL.reader().push(text, final=True) == MISTRAL_NAMED.reader().push(text, final=True) == ("", [A, B])


@pytest.mark.parametrize(
    ("text", "content", "invalid", "calls"),
    [
        ('[TOOL_CALLS] [{"name": "a", "arguments": {"x": 1}}, {"name": "b", "ar', "", '[TOOL_CALLS] [{"name": "b", "ar', [A]),
        ("Well. [TOOL_CALLS] none", "Well.", "[TOOL_CALLS] none", []),
        ('[TOOL_CALLS] [1, 2] [TOOL_CALLS]a[ARGS]{"x": 1}', "", "[TOOL_CALLS] [1, 2]", [A]),
        ('[TOOL_CALLS]a[ARGS]{"x": [', "", '[TOOL_CALLS]a[ARGS]{"x": [', []),
        ('[TOOL_CALLS] [{"name": "a", "arguments": "x"}]', "", '[TOOL_CALLS] [{"name": "a", "arguments": "x"}', []),
    ],
)
def test_an_invalid_call_is_returned_with_its_marker(text: str, content: str, invalid: str, calls: Calls) -> None:
    found, read = MISTRAL.reader().push(text, final=True)
    assert found == content
    assert [call for call in read if isinstance(call, ToolCall)] == calls
    assert [call.text for call in read if isinstance(call, InvalidToolCall)] == [invalid]
