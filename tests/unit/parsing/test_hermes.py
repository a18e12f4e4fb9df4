"""Hermes' calls: what is a valid call, what is an invalid one, and what is content."""

import pytest

from baco.parsing.hermes import HERMES
from baco.parsing.tool_call import InvalidToolCall, ToolCall


@pytest.mark.parametrize("argument", ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "你好啊集团\n🎉", "\\"])
def test_an_argument_may_hold_anything(argument: str) -> None:
    assert HERMES.reader().push(HERMES.write([("say", {"text": argument})]), final=True)[1] == [
        ToolCall(name="say", arguments={"text": argument})
    ]


@pytest.mark.parametrize(
    ("text", "content", "invalid"),
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
def test_an_invalid_call_is_returned_and_not_dropped(text: str, content: str, invalid: str) -> None:
    found, (call,) = HERMES.reader().push(text, final=True)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (found, call.text) == (content, invalid)


def test_a_call_without_its_closing_marker_is_valid_at_the_end() -> None:
    assert HERMES.reader().push('<tool_call>\n{"name": "a", "arguments": {}}', final=True) == ("", [ToolCall(name="a", arguments={})])


def test_content_is_held_only_while_it_may_become_a_call() -> None:
    parser = HERMES.reader()
    assert [parser.push(piece)[0] for piece in ("a ", "<", "b", "\n<tool", "_call")] == ["a", "", " <b", "", ""]
    assert parser.push("", final=True) == ("\n<tool_call", [])
