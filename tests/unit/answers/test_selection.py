"""Which of several answers are kept, how many more are drawn, with which seed, and in which order they come back."""

from typing import Any

import pytest

from baco import ConfigError, SamplingParams
from baco.answers.selection import Selection


def make(n: int = 3, *, seed: int | None = 7, **wishes: Any) -> Selection[str]:
    given = {"distinct": None, "rank": None, "token_budget": None, **wishes}
    return Selection(n=n, params=SamplingParams(max_tokens=10, seed=seed), text=str, score=len, **given)


def test_without_distinct_one_round_is_all() -> None:
    selection = make()
    assert (selection.missing(), selection.seed()) == (3, 7)
    selection.take(["a", "a", "a"], 3)
    assert selection.missing() == 0 and selection.result() == ["a", "a", "a"]


def test_duplicates_leave_room_for_others_within_the_budget() -> None:
    selection = make(distinct=1.0, token_budget=50)
    selection.take(["a b", "A b.", "c"], 30)
    assert selection.missing() == 1, "20 tokens are left, and an answer has at most 10"
    seeds = {selection.seed()}
    selection.take(["c"], 10)
    seeds.add(selection.seed())
    assert selection.missing() == 1 and len(seeds) == 2 and 7 not in seeds
    selection.take(["C!"], 1)
    assert selection.missing() == 0, "9 tokens are left"
    assert selection.result() == ["a b", "c"]


def test_the_budget_is_twice_what_all_have_at_most_unless_it_is_said() -> None:
    selection = make(distinct=0.9)
    selection.take(["a", "a", "a"], 30)
    assert selection.missing() == 2
    selection.take(["a", "a"], 20)
    assert selection.missing() == 1
    selection.take(["a"], 10)
    assert selection.missing() == 0


def test_answers_without_a_token_are_not_drawn_for_ever() -> None:
    selection, rounds = make(distinct=0.9), 0
    for missing, _ in selection.rounds():
        selection.take([""] * missing, 0)
        rounds += 1
    assert 1 < rounds <= 60 and selection.result() == [""]


def test_seeds_of_rounds_are_the_same_again_and_none_stays_none() -> None:
    one, other, free = make(distinct=0.9), make(distinct=0.9), make(distinct=0.9, seed=None)
    for selection in (one, other, free):
        selection.take(["a", "a", "a"], 3)
    assert one.seed() == other.seed() and free.seed() is None


def test_answers_are_ranked_by_likelihood_or_by_a_function() -> None:
    for rank, expected in ((None, ["bb", "a", "ccc"]), ("likelihood", ["ccc", "bb", "a"]), (lambda text: -len(text), ["a", "bb", "ccc"])):
        selection = make(rank=rank)
        selection.take(["bb", "a", "ccc"], 6)
        assert selection.result() == expected


def test_a_function_may_say_what_is_alike() -> None:
    selection = make(distinct=lambda one, other: one[0] == other[0])
    selection.take(["ab", "ac", "b"], 3)
    assert selection.result() == ["ab", "b"]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"n": 0}, "`n` must be an integer of at least 1"),
        ({"n": True}, "`n` must be"),
        ({"distinct": 0}, "`distinct` must be"),
        ({"distinct": "yes"}, "`distinct` must be"),
        ({"rank": "best"}, "`rank` must be"),
        ({"token_budget": 40}, "left out without `distinct`"),
        ({"distinct": 0.5, "token_budget": 29}, "at least 30"),
    ],
)
def test_wrong_wishes_are_errors(wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(**wishes)


def test_at_temperature_0_there_is_only_one_answer() -> None:
    cold: Any = {"params": SamplingParams(temperature=0), "distinct": None, "rank": None, "token_budget": None, "text": str, "score": len}
    assert Selection(n=1, **cold).missing() == 1
    with pytest.raises(ConfigError, match="above 0"):
        Selection(n=2, **cold)
