"""Sampling settings are checked on creation: a bad value or keyword is named with what is allowed."""

import math
from typing import Any

import pytest

from baco import ConfigError, SamplingParams, UnknownKeywordError


@pytest.mark.parametrize(
    ("argument", "value", "allowed"),
    [
        ("n", 0, "an integer of at least 1"),
        ("n", -3, "an integer of at least 1"),
        ("n", 1.5, "an integer of at least 1"),
        ("n", True, "an integer of at least 1"),
        ("max_tokens", 0, "an integer of at least 1"),
        ("temperature", -0.1, "0 .greedy. or a number of at least 0.01"),
        ("temperature", 0.001, "0 .greedy. or a number of at least 0.01"),
        ("temperature", math.nan, "0 .greedy. or a number"),
        ("temperature", math.inf, "0 .greedy. or a number"),
        ("temperature", "hot", "0 .greedy. or a number"),
        ("top_p", 0.0, r"a number in \(0, 1\]"),
        ("top_p", 1.01, r"a number in \(0, 1\]"),
        ("top_k", -1, "an integer of at least 0"),
        ("min_p", 1.5, r"a number in \[0, 1\]"),
        ("repetition_penalty", 0.0, "a number above 0"),
        ("stop", "", "none of them empty"),
        ("stop", ["end", ""], "none of them empty"),
        ("stop", [3], "a list of texts"),
        ("seed", -1, r"None or an integer in \[0, 2\*\*63\)"),
        ("seed", 2**63, r"None or an integer in \[0, 2\*\*63\)"),
        ("seed", 1.0, r"None or an integer in \[0, 2\*\*63\)"),
        ("logprobs", 21, r"None or an integer in \[0, 20\]"),
        ("deadline", 0, "a number of seconds above 0"),
    ],
)
def test_a_sampling_value_out_of_range_names_argument_range_and_value(argument: str, value: Any, allowed: str) -> None:
    with pytest.raises(ConfigError, match=f"`{argument}` must be .*{allowed}.*, but is ") as caught:
        SamplingParams(**{argument: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "right"), [("temprature", "temperature"), ("max_token", "max_tokens"), ("topp", "top_p"), ("Seed", "seed"), ("num_n", None)]
)
def test_an_unknown_sampling_keyword_names_the_nearest(wrong: str, right: str | None) -> None:
    with pytest.raises(UnknownKeywordError, match=f"SamplingParams has no keyword '{wrong}'") as caught:
        SamplingParams(**{wrong: 1})
    assert (f"did you mean '{right}'?" in str(caught.value)) == (right is not None)
    assert "temperature" in str(caught.value), "all keywords are listed"
