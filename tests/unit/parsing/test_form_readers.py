"""Calls read in the forms of Hermes, Mistral and Llama 3: what is a call, what is a broken one, and what is text."""

import pytest

from baco.parsing.formats import HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall

A, B = ToolCall(name="a", arguments={"x": 1}), ToolCall(name="b", arguments={})


@pytest.mark.parametrize("argument", ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "你好啊集团\n🎉", "\\"])
def test_an_argument_may_hold_anything(argument: str) -> None:
    assert HERMES.read(HERMES.write([("say", {"text": argument})]))[1] == [ToolCall(name="say", arguments={"text": argument})]


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
    found, (call,) = HERMES.read(text)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (found, call.text) == (content, broken)


def test_a_call_of_which_only_the_end_is_missing_is_one() -> None:
    assert HERMES.read('<tool_call>\n{"name": "a", "arguments": {}}') == ("", [ToolCall(name="a", arguments={})])


def test_content_is_held_only_while_it_may_become_a_call() -> None:
    reader = HERMES.reader()
    assert [reader.push(piece)[0] for piece in ("a ", "<", "b", "\n<tool", "_call")] == ["a", "", " <b", "", ""]
    assert reader.finish() == ("\n<tool_call", [])


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
def test_every_spelling_of_mistral_is_read(text: str) -> None:
    assert MISTRAL.read(text) == MISTRAL_NAMED.read(text) == ("", [A, B])


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a", "parameters": {"x": 1}}; {"name": "b", "parameters": {}}',
        '<|python_tag|>{"name": "a", "parameters": {"x": 1}}; {"name": "b", "parameters": {}}<|python_tag|>',
        ' {\n"name" : "a", "arguments": {"x": 1}}\n{"type": "function", "name": "b", "parameters": {}}\n',
        '<|python_tag|> {"parameters": {"x": 1}, "name": "a"}<|python_tag|>{"name": "b", "parameters": {}};',
    ],
)
def test_every_spelling_of_llama_is_read(text: str) -> None:
    text = text.removesuffix("<|python_tag|>")
    assert LLAMA3.read(text) == ("", [A, B])


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
def test_json_that_begins_as_no_call_of_llamas_is_text(text: str) -> None:
    assert LLAMA3.read(text) == (text, [])


def test_a_control_token_announces_a_call_of_llamas_anywhere() -> None:
    assert LLAMA3.read('So: <|python_tag|>{"name": "a", "parameters": {"x": 1}} Done.') == ("So:\nDone.", [A])


@pytest.mark.parametrize(
    ("text", "content", "broken", "calls"),
    [
        ('[TOOL_CALLS] [{"name": "a", "arguments": {"x": 1}}, {"name": "b", "ar', "", '[TOOL_CALLS] [{"name": "b", "ar', [A]),
        ("Well. [TOOL_CALLS] none", "Well.", "[TOOL_CALLS] none", []),
        ('[TOOL_CALLS] [1, 2] [TOOL_CALLS]a[ARGS]{"x": 1}', "", "[TOOL_CALLS] [1, 2]", [A]),
        ('[TOOL_CALLS]a[ARGS]{"x": [', "", '[TOOL_CALLS]a[ARGS]{"x": [', []),
        ('[TOOL_CALLS] [{"name": "a", "arguments": "x"}]', "", '[TOOL_CALLS] [{"name": "a", "arguments": "x"}', []),
    ],
)
def test_what_is_no_call_of_mistrals_is_told_with_its_marker(text: str, content: str, broken: str, calls: Calls) -> None:
    found, read = MISTRAL.read(text)
    assert found == content
    assert [call for call in read if isinstance(call, ToolCall)] == calls
    assert [call.text for call in read if isinstance(call, InvalidToolCall)] == [broken]


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ('{"name": "a", "parameters": {"x', '<|python_tag|>{"name": "a", "parameters": {"x'),
        ('{"name": "a", "parameters": null}', '<|python_tag|>{"name": "a", "parameters": null}'),
        ("<|python_tag|>import os", "<|python_tag|>import os"),
        ('<|python_tag|>{"name": "a"}', '<|python_tag|>{"name": "a"}'),
    ],
)
def test_what_is_no_call_of_llamas_is_told_with_the_token_that_announces_one(text: str, broken: str) -> None:
    content, (call,) = LLAMA3.read(text)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (content, call.text) == ("", broken)


def test_json_that_is_no_call_is_streamed_as_soon_as_that_is_certain() -> None:
    reader = LLAMA3.reader()
    assert [reader.push(piece)[0] for piece in ('{"na', 'me": "An', 'na", "', "p", "o")] == ["", "", "", "", '{"name": "Anna", "po']
