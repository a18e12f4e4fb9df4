"""Likeness of texts and the answers that are kept, against hand-worked cases and the measure's own properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.distinct import distinct, is_alike, likeness

TEXTS = st.text(alphabet="ab .,Ä字か", max_size=20)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Call it Bramble.", "call it BRAMBLE!", 1.0),
        ("Call it Bramble.", "Call it Comet.", 4 / 6),  # two words of three match: 2 * 2 / (3 + 3)
        ("one two three four", "five six", 0.0),
        ("a walk by the sea", "the sea", 4 / 7),
        ("你好啊", "你好", 4 / 5),  # every character is a word
        ("", "", 1.0),
        ("", "word", 0.0),
        ("?!", "...", 0.0),
        ("…", " … ", 1.0),
    ],
)
def test_likeness_is_the_share_of_words_in_common(first: str, second: str, expected: float) -> None:
    assert likeness(first, second) == pytest.approx(expected)


@given(TEXTS, TEXTS)
def test_likeness_is_a_share_that_knows_no_order_of_its_texts(first: str, second: str) -> None:
    assert 0 <= likeness(first, second) <= 1
    assert likeness(first, second) == likeness(second, first)
    assert likeness(first, first) == 1


@given(TEXTS, TEXTS, st.floats(0, 1) | st.sampled_from([0.5, 2 / 3, 0.8, 1.0]))
def test_being_alike_is_a_likeness_of_the_threshold_or_more(first: str, second: str, threshold: float) -> None:
    assert is_alike(first, second, threshold) == (likeness(first, second) >= threshold)
    assert is_alike(first, second, likeness(first, second))


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=3), st.integers(1, 4))
def test_what_is_kept_is_like_nothing_before_it_and_what_is_dropped_is(answers: list[int], kept: list[int], near: int) -> None:
    def are_alike(one: int, other: int) -> bool:
        return abs(one - other) < near

    found = distinct(answers, are_alike, kept)
    expected: list[int] = []
    for answer in answers:
        if all(abs(answer - other) >= near for other in kept + expected):
            expected.append(answer)
    assert found == expected
    assert all(any(are_alike(answer, other) for other in kept + found) for answer in answers)
