"""What all tool-call parsers have in common: pieces make no difference, white space, new lines, and how much is held back."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES
from baco.parsing.llama3 import LLAMA3
from baco.parsing.mistral import MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import Calls, MarkedParser, ToolCall
from tests.support.call_templates import FAMILIES

FORMATS = [HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED, *(family.form for family in FAMILIES.values())]
PARTS = {
    "hermes": ["<tool_call>", "</tool_call>", '{"name": "a", "arguments": {}}'],
    "llama3": [
        "<|python_tag|>",
        '{"name": "a", "parameters": {}}',
        '{"name": "a"',
        ', "parameters"',
        ": {}}",
        '{"type": "function", ',
        ";",
        "\\",
    ],
    "mistral": ["[TOOL_CALLS]", "[TOOL_CALLS] [", "]", ", ", '{"name": "a", "arguments": {}}', "{", "}"],
    "mistral-named": ["[TOOL_CALLS]", "a", "[ARGS]", "[CALL_ID]", "{}", '{"x": "[TOOL_CALLS]"}', "{", "["],
    **{
        # The markers and brackets of a call, and what stands between them.
        name: re.split(r"(<[^<>]*>|\{|\}|\[|\]|\n)", family.form.write([("a", {"x": "y", "n": 1}), ("b", {})]))
        for name, family in FAMILIES.items()
    },
}
COMMON = ['"', "\n", " ", "<", "[", "x"]
PIECES = st.sampled_from(FORMATS).flatmap(
    lambda form: st.tuples(st.just(form), st.lists(st.sampled_from(PARTS[form.name] + COMMON), max_size=12))
)


def read(form: ToolCallTemplate, pieces: list[str]) -> tuple[str, Calls]:
    parser, content, calls = form.reader(), "", Calls()
    for piece in pieces:
        more, found = parser.push(piece)
        content, calls = content + more, calls + found
    more, found = parser.push("", final=True)
    return content + more, calls + found


@given(PIECES, st.data())
def test_how_an_answer_is_cut_into_pieces_makes_no_difference(given_text: tuple[ToolCallTemplate, list[str]], data: st.DataObject) -> None:
    form, parts = given_text
    text = "".join(parts)
    pieces, rest = [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read(form, pieces) == read(form, list(text)) == form.reader().push(text, final=True)


@given(PIECES)
def test_an_answer_without_calls_and_markers_is_its_content(given_text: tuple[ToolCallTemplate, list[str]]) -> None:
    form, parts = given_text
    text = "".join(parts)
    content, calls = form.reader().push(text, final=True)
    openings = form.parser.openings if issubclass(form.parser, MarkedParser) else ()
    if not any(marker in text for marker in (*form.control_tokens, *openings)):
        assert calls or content == text
        assert form is LLAMA3 or not calls


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_calls_that_follow_text_are_read_as_soon_as_they_are_whole(form: ToolCallTemplate) -> None:
    whole = form.write([("a", {"x": "}]"}), ("b", {})])
    seen: list[Any] = []
    parser = form.reader()
    for end in range(len(whole)):
        _, calls = parser.push(whole[end])
        seen += [(call, end) for call in calls]
    assert [call for call, _ in seen] == [ToolCall(name="a", arguments={"x": "}]"}), ToolCall(name="b", arguments={})]
    assert seen[0][1] < whole.rindex("b"), "the first one, while the second is being written"
    assert parser.push("", final=True) == ("", [])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_white_space_beside_calls_is_dropped_and_content_after_one_begins_a_line(form: ToolCallTemplate) -> None:
    written = form.write([("a", {})])
    call = ToolCall(name="a", arguments={})
    assert form.reader().push(f" \n{written} \n", final=True) == ("", [call])
    assert form.reader().push(f"{written} And more. ", final=True) == ("And more. ", [call])
    if form is not LLAMA3:
        assert form.reader().push(f"Well. {written}\n\nAnd more.", final=True) == ("Well.\nAnd more.", [call])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_text_without_a_call_is_left_as_it_is(form: ToolCallTemplate) -> None:
    for text in (
        "",
        " \n",
        "a < b",
        "x <tool_",
        "</tool_call> \n",
        "[TOOL",
        '{"name": "Anna", "age": 3}',
        '{"na',
        "<|pyth",
        '{"name": "a\\',
        "[1]",
    ):
        assert form.reader().push(text, final=True) == (text, [])
