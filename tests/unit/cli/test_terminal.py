"""Owners in the terminal: colours, marks, counts."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from baco.cli.terminal import ALIGNED_STYLE, BASE_STYLE, Column, OwnedStream, count_distinct, needs_marks, owned_text, side_by_side
from baco.results import Span

SPANS = st.lists(st.tuples(st.text("ab .\n", min_size=1, max_size=6), st.sampled_from(("base", "aligned"))), max_size=8)


def by_owner(answer: list[Span]) -> list[Span]:
    """Each character with its owner."""
    return [(char, owner) for text, owner in answer for char in text]


def test_marks_stand_around_the_words_of_the_base_and_not_around_the_space_beside_them() -> None:
    answer = [("Call it", "aligned"), (" Clover", "base"), (" or", "aligned"), (" Pip", "base"), (".", "aligned")]
    assert owned_text(answer, marked=True).plain == "Call it «Clover» or «Pip»."


def test_neighbouring_tokens_of_the_base_share_one_pair_of_marks() -> None:
    assert owned_text([(" Clo", "base"), ("ver", "base"), (" the", "base"), (" hare", "aligned")], marked=True).plain == "«Clover the» hare"


def test_an_answer_that_ends_with_the_base_is_closed() -> None:
    assert owned_text([("Call it", "aligned"), (" Clover\n", "base")], marked=True).plain == "Call it «Clover»"


@given(SPANS)
def test_without_its_marks_an_answer_is_its_text(answer: list[Span]) -> None:
    marked = owned_text(answer, marked=True).plain
    assert marked.replace("«", "").replace("»", "") == "".join(text for text, _ in answer).strip()
    assert owned_text(answer, marked=False).plain == "".join(text for text, _ in answer).strip()


@given(SPANS)
def test_every_visible_character_stands_on_its_owners_side_of_the_marks(answer: list[Span]) -> None:
    inside, shown = False, []
    for char in owned_text(answer, marked=True).plain:
        if char in "«»":
            assert inside == (char == "»")
            inside = char == "«"
        elif not char.isspace():
            shown.append((char, inside))
    assert not inside
    assert shown == [(char, owner == "base") for char, owner in by_owner(answer) if not char.isspace()]


@given(SPANS, st.booleans())
def test_an_answer_shown_piece_by_piece_reads_as_the_whole(answer: list[Span], marked: bool) -> None:
    stream = OwnedStream(marked=marked)
    pieces = [stream.push(char, owner).plain for char, owner in by_owner(answer)]
    assert "".join(pieces) + stream.end().plain == owned_text(answer, marked=marked).plain


def test_each_owner_has_a_colour_of_its_own() -> None:
    text = owned_text([("Call it", "aligned"), (" Clover", "base")], marked=False)
    styles = {text.plain[span.start : span.end]: span.style for span in text.spans}
    assert styles == {"Call it": ALIGNED_STYLE, " Clover": BASE_STYLE}
    assert BASE_STYLE != ALIGNED_STYLE


@pytest.mark.parametrize("marked", [True, False])
def test_a_model_cannot_send_control_sequences_to_the_terminal(marked: bool) -> None:
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, color_system=None).print(owned_text([("a\x1b]0;title\x07b\x9bc", "base")], marked=marked))
    assert not set(screen.getvalue()) & {"\x1b", "\x07", "\x9b"}


def test_square_brackets_in_an_answer_are_text_and_not_markup() -> None:
    assert owned_text([("[bold]x[/bold]", "aligned")], marked=True).plain == "[bold]x[/bold]"


@pytest.mark.parametrize(
    ("texts", "distinct"),
    [
        (["Call it Pip.", "call it pip", "CALL  IT, PIP!"], 1),
        (["Pip", "Pipp"], 2),
        (["It's", "its"], 1),
        (["a b", "ab"], 2),
        (["£5", "€5"], 2),
        ([], 0),
    ],
)
def test_texts_are_distinct_by_their_words_alone(texts: list[str], distinct: int) -> None:
    assert count_distinct(texts) == distinct


def test_marks_take_the_place_of_colours_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs_marks(Console(file=io.StringIO()))
    assert not needs_marks(Console(file=io.StringIO(), force_terminal=True, color_system="standard"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert needs_marks(Console(file=io.StringIO(), force_terminal=True, color_system="standard"))


def test_a_comparison_counts_each_way_under_its_answers() -> None:
    columns = [
        Column(title="aligned", answers=[[("Pip", "aligned")], [("Pip.", "aligned")]], base_share=0.0),
        Column(title="both", answers=[[("Pip", "base")], [("Clo", "aligned"), ("ver", "base")]], base_share=0.625),
    ]
    screen = io.StringIO()
    Console(file=screen, width=100).print(side_by_side(columns, marked=True, title="Name a rabbit."))
    lines = [line.split() for line in screen.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["Name", "a", "rabbit."]
    assert ["1", "Pip", "«Pip»"] in lines and ["2", "Pip.", "Clo«ver»"] in lines
    assert lines[-2:] == [["distinct", "1", "of", "2", "distinct", "2", "of", "2"], ["base", "0%", "base", "62%"]]
