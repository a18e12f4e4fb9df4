"""Llama 3's calls: what is a valid call, what is an invalid one, and what is content."""

import pytest

from baco.parsing.llama3 import LLAMA3
from baco.parsing.tool_call import InvalidToolCall, ToolCall

A, B = ToolCall(name="a", arguments={"x": 1}), ToolCall(name="b", arguments={})


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a", "parameters": {"x": 1}}; {"name": "b", "parameters": {}}',
        '<|python_tag|>{"name": "a", "parameters": {"x": 1}}; {"name": "b", "parameters": {}}<|python_tag|>',
        ' {\n"name" : "a", "arguments": {"x": 1}}\n{"type": "function", "name": "b", "parameters": {}}\n',
        '<|python_tag|> {"parameters": {"x": 1}, "name": "a"}<|python_tag|>{"name": "b", "parameters": {}};',
    ],
)
def test_every_spelling_is_parsed(text: str) -> None:
    text = text.removesuffix("<|python_tag|>")
    assert LLAMA3.reader().push(text, final=True) == ("", [A, B])


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Anna", "age": 3}',
        '{"name": {"first": "Anna"}, "parameters": {}}',
        '{"parameters": {}, "name": "a"}',
        'So: {"name": "a", "parameters": {}}',
        '{"name": "a", "parameters"',
        '[{"name": "a", "parameters": {}}]',
    ],
)
def test_json_that_does_not_begin_as_a_call_is_content(text: str) -> None:
    assert LLAMA3.reader().push(text, final=True) == (text, [])


def test_the_tag_announces_a_call_anywhere() -> None:
    assert LLAMA3.reader().push('So: <|python_tag|>{"name": "a", "parameters": {"x": 1}} Done.', final=True) == ("So:\nDone.", [A])


@pytest.mark.parametrize(
    ("text", "invalid"),
    [
        ('{"name": "a", "parameters": {"x', '<|python_tag|>{"name": "a", "parameters": {"x'),
        ('{"name": "a", "parameters": null}', '<|python_tag|>{"name": "a", "parameters": null}'),
        ("<|python_tag|>import os", "<|python_tag|>import os"),
        ('<|python_tag|>{"name": "a"}', '<|python_tag|>{"name": "a"}'),
    ],
)
def test_an_invalid_call_is_returned_with_the_tag(text: str, invalid: str) -> None:
    content, (call,) = LLAMA3.reader().push(text, final=True)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (content, call.text) == ("", invalid)


def test_json_that_is_no_call_is_streamed_as_soon_as_that_is_certain() -> None:
    parser = LLAMA3.reader()
    assert [parser.push(piece)[0] for piece in ('{"na', 'me": "An', 'na", "', "p", "o")] == ["", "", "", "", '{"name": "Anna", "po']
