"""Similarity of texts and the answers that are kept, against hand-worked cases and the measure's own properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.answers.comparison import drop_similar, similarity, similarity_rule

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
def test_similarity_is_the_share_of_words_in_common(first: str, second: str, expected: float) -> None:
    assert similarity(first, second) == pytest.approx(expected)


@given(TEXTS, TEXTS)
def test_similarity_is_a_share_that_knows_no_order_of_its_texts(first: str, second: str) -> None:
    assert 0 <= similarity(first, second) <= 1
    assert similarity(first, second) == similarity(second, first)
    assert similarity(first, first) == 1


def longest_common_subsequence(first: list[str], second: list[str]) -> int:
    """By the textbook's table."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_similarity_is_the_f_measure_of_the_longest_common_subsequence(first: list[str], second: list[str]) -> None:
    expected = 2 * longest_common_subsequence(first, second) / (len(first) + len(second))
    assert similarity(" ".join(first), " ".join(second)) == pytest.approx(expected)


@given(TEXTS, TEXTS, st.floats(0, 1) | st.sampled_from([0.5, 2 / 3, 0.8, 1.0]))
def test_a_number_or_a_function_says_what_is_too_similar(first: str, second: str, threshold: float) -> None:
    assert similarity_rule(threshold, str)(first, second) == (similarity(first, second) >= threshold)
    assert similarity_rule(lambda one, other: one == other, str)(first, second) == (first == second)


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=3), st.integers(1, 4))
def test_what_is_kept_is_like_nothing_before_it_and_what_is_dropped_is(answers: list[int], kept: list[int], near: int) -> None:
    def are_similar(one: int, other: int) -> bool:
        return abs(one - other) < near

    found = drop_similar(answers, are_similar, kept)
    expected: list[int] = []
    for answer in answers:
        if all(abs(answer - other) >= near for other in kept + expected):
            expected.append(answer)
    assert found == expected
    assert all(any(are_similar(answer, other) for other in kept + found) for answer in answers)
