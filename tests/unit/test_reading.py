"""An answer's parts, whole and event by event: however its text is cut, they are the same."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco import Candidate, GenerationResult, StreamEvent, Token
from baco.call_formats import HERMES, CallFormat
from baco.call_reader import BrokenCall, Calls, ToolCall
from baco.reading import AnswerReader, Reading, read
from baco.results import Passes, Usage
from baco.thoughts import ThoughtFormat

CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
TEXT = f"<think>Shall I call <tool_call>?</think>\n\nI do.\n{CALL}\nDone.<tool_call>\n{{"


def result(text: str, calls: CallFormat | None, thoughts: ThoughtFormat | None) -> GenerationResult:
    return GenerationResult(
        candidates=(Candidate(index=0, tokens=(Token(token_id=1, text=text, from_base=False),), finish_reason="stop"),),
        prompt_token_ids={},
        usage=Usage(prompt_tokens=1, completion_tokens=1, base_tokens=0, aligned_tokens=1),
        passes=Passes(base=0, aligned=1),
        seed=0,
        router="p",
        threshold=None,
        call_format=calls,
        thought_format=thoughts,
    )


def streamed(text: str, whole: GenerationResult, cuts: list[int]) -> Reading:
    reader, thought, content, calls = AnswerReader(), "", "", Calls()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in pairwise(places):
        tokens = (Token(token_id=1, text=text[start:end], from_base=False),)
        event = StreamEvent(index=0, tokens=tokens, call_format=whole.call_format, thought_format=whole.thought_format)
        new = reader.push(replace(event, result=whole) if end == len(text) else event)
        thought, content, calls = thought + new.thought, content + new.content, calls + new.calls
    return Reading(thought, content, calls)


def test_thought_content_and_calls_are_told_apart() -> None:
    whole = read(TEXT, result(TEXT, HERMES, ThoughtFormat(inside=False)))
    assert (whole.thought, whole.content) == ("Shall I call <tool_call>?", "I do.\nDone.")
    call, broken = whole.calls
    assert call == ToolCall(name="add", arguments={"a": 2})
    assert isinstance(broken, BrokenCall) and broken.text == "<tool_call>\n{"


@pytest.mark.parametrize("thoughts", [None, ThoughtFormat(inside=False), ThoughtFormat(inside=True)])
@pytest.mark.parametrize("calls", [None, HERMES])
@given(cuts=st.lists(st.integers(1, len(TEXT) - 1)))
def test_a_stream_gives_the_same_parts_however_it_is_cut(thoughts: ThoughtFormat | None, calls: CallFormat | None, cuts: list[int]) -> None:
    whole = result(TEXT, calls, thoughts)
    assert streamed(TEXT, whole, cuts) == read(TEXT, whole)


def test_without_calls_and_thoughts_text_comes_as_it_is() -> None:
    assert read(TEXT, result(TEXT, None, None)) == Reading(content=TEXT)
