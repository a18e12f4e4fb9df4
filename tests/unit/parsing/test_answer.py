"""An answer's parts, whole and event by event: however its text is cut, they are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.parsing.answer import AnswerFormat, ParsedAnswer
from baco.parsing.formats import ToolCallFormat
from baco.parsing.hermes import HERMES
from baco.parsing.reasoning import ReasoningFormat
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall

CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
TEXT = f"<think>Shall I call <tool_call>?</think>\n\nI do.\n{CALL}\nDone.<tool_call>\n{{"


def streamed(text: str, form: AnswerFormat, cuts: list[int]) -> ParsedAnswer:
    parser, reasoning, content, calls = form.reader(), "", "", Calls()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in pairwise(places):
        new = parser.push(text[start:end], final=end == len(text))
        reasoning, content, calls = reasoning + new.reasoning, content + new.content, calls + new.calls
    return ParsedAnswer(reasoning, content, calls)


def test_reasoning_content_and_calls_are_told_apart() -> None:
    whole = AnswerFormat(reasoning=ReasoningFormat(inside=False), tool_calls=HERMES).read(TEXT)
    assert (whole.reasoning, whole.content) == ("Shall I call <tool_call>?", "I do.\nDone.")
    call, invalid = whole.calls
    assert call == ToolCall(name="add", arguments={"a": 2})
    assert isinstance(invalid, InvalidToolCall) and invalid.text == "<tool_call>\n{"


@pytest.mark.parametrize("reasoning", [None, ReasoningFormat(inside=False), ReasoningFormat(inside=True)])
@pytest.mark.parametrize("calls", [None, HERMES])
@given(cuts=st.lists(st.integers(1, len(TEXT) - 1)))
def test_a_stream_gives_the_same_parts_however_it_is_cut(
    reasoning: ReasoningFormat | None, calls: ToolCallFormat | None, cuts: list[int]
) -> None:
    form = AnswerFormat(reasoning=reasoning, tool_calls=calls)
    assert streamed(TEXT, form, cuts) == form.read(TEXT)


def test_without_calls_and_reasoning_text_comes_as_it_is() -> None:
    assert AnswerFormat().read(TEXT) == ParsedAnswer(content=TEXT)
