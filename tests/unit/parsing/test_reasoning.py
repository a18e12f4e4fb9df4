"""Reasoning parsed out of answers: hand-worked cases, and however an answer is cut, the result is the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.parsing.answer import AnswerFormat
from baco.parsing.detection import reasoning_format
from baco.parsing.harmony import CHANNELS
from baco.parsing.reasoning import MARKERS, ReasoningFormat, ReasoningParser
from baco.text.detokenize import AnswerText
from tests.support.tokenizers import CHAT_TEMPLATE, byte_level_bpe, with_control_tokens

PIECES = st.lists(st.sampled_from(["<think>", "</think>", "<thi", "nk>", "</", "think>", "\n", " ", "Hm.", "So: 7", "<"]), max_size=9)


def by_expression(text: str, inside: bool) -> tuple[str, str]:
    """The rule in one expression: reasoning at the very beginning, closed or not."""
    opening = "" if inside else r"\s*<think>"
    match = re.match(rf"{opening}(?P<reasoning>.*?)(?:</think>(?P<rest>.*)|\Z)", text, re.DOTALL)
    return ("", text) if match is None else (match["reasoning"].strip(), (match["rest"] or "").lstrip())


@pytest.mark.parametrize(
    ("text", "inside", "reasoning", "rest"),
    [
        ("<think>\nTwo and two.\n</think>\n\nFour.", False, "Two and two.", "Four."),
        ("Two and two.\n</think>\n\nFour.", True, "Two and two.", "Four."),
        ("<think>\n\n</think>\n\nFour.", False, "", "Four."),
        ("<think>\nTwo and", False, "Two and", ""),
        (" Four.", False, "", " Four."),
        ("Four <think>is</think> it.", False, "", "Four <think>is</think> it."),
        ("<thinking> is hard", False, "", "<thinking> is hard"),
        ("<thin", False, "", "<thin"),
        ("<think>a</thinks>b</think>c</think>d", False, "a</thinks>b", "c</think>d"),
        ("", True, "", ""),
    ],
)
def test_an_answer_is_split_into_its_reasoning_and_the_rest(text: str, inside: bool, reasoning: str, rest: str) -> None:
    assert ReasoningParser(inside).push(text, final=True) == (reasoning, rest)
    assert by_expression(text, inside) == (reasoning, rest)


@given(PIECES, st.booleans(), st.data())
def test_however_it_is_cut_it_is_read_the_same(pieces: list[str], inside: bool, data: st.DataObject) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    parser = ReasoningParser(inside)
    found = [parser.push(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)] + [
        parser.push("", final=True)
    ]
    reasoning, rest = ("".join(part) for part in zip(*found, strict=True))
    assert (reasoning, rest) == by_expression(text, inside)


def test_what_is_certain_comes_at_once() -> None:
    parser = ReasoningParser(False)
    assert [parser.push(text) for text in ("<think>Let me", " see </", "think>\n", "Fo", "ur.")] == [
        ("Let me", ""),
        (" see", ""),
        ("", ""),
        ("", "Fo"),
        ("", "ur."),
    ]


@pytest.mark.parametrize(("start", "end"), MARKERS)
@pytest.mark.parametrize("special", [True, False])
def test_a_familys_own_markers_are_found_in_its_template_and_kept_in_the_text(start: str, end: str, special: bool) -> None:
    tokens = (start, end) if special else ()
    tokenizer = with_control_tokens(byte_level_bpe(), f"{CHAT_TEMPLATE}{{# {start} {end} #}}", tokens)
    for prompt, inside in ((f"x{start}\n", True), (f"x{start}\n\n{end}\n", False), ("x", False)):
        form = reasoning_format(tokenizer, tokenizer(prompt)["input_ids"])
        assert form == ReasoningFormat(inside, start, end)
        parser = AnswerFormat(reasoning=form)
        text = AnswerText(tokenizer, shown=parser.control_tokens)
        written = ("" if inside else start) + f"\nTwo and two.\n{end}\n\nFour."
        ids = tokenizer(written, add_special_tokens=False)["input_ids"]
        answer = "".join(token.text for each in ids for token in text.push(each, False)) + "".join(token.text for token in text.finish())
        read = parser.read(answer)
        assert (read.reasoning, read.content) == ("Two and two.", "Four.")


def test_channels_are_found_in_a_template() -> None:
    tokenizer = with_control_tokens(byte_level_bpe(), CHAT_TEMPLATE + "{# <|channel|>analysis<|message|> #}", CHANNELS.control_tokens[2:])
    assert reasoning_format(tokenizer, tokenizer("x<|start|>assistant")["input_ids"]) == CHANNELS
    assert reasoning_format(tokenizer, []) is None
