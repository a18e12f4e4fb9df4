"""Sampling settings are checked on creation: a bad value or keyword is named with what is allowed."""

import math
from typing import Any

import pytest

from baco import ConfigError, SamplingParams, SamplingSettings, UnknownKeywordError


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


MAKERS = SamplingSettings(temperature=0.6, top_p=0.95, top_k=20)


def test_what_is_not_set_is_the_makers_each_by_itself() -> None:
    assert SamplingParams().resolve(MAKERS).settings == MAKERS
    assert SamplingParams(top_k=5).resolve(MAKERS).settings == SamplingSettings(temperature=0.6, top_p=0.95, top_k=5)


def test_what_is_set_wins_also_where_it_switches_off() -> None:
    explicit = SamplingParams(temperature=1.0, top_p=1.0, top_k=0)
    assert explicit.resolve(MAKERS).settings == SamplingSettings(temperature=1.0, top_p=1.0, top_k=0)
    assert SamplingParams(temperature=0).resolve(MAKERS).temperature == 0


def test_resolving_leaves_everything_else_and_can_be_repeated() -> None:
    params = SamplingParams(n=3, max_tokens=9, min_p=0.1, repetition_penalty=1.2, stop=("a",), seed=5, logprobs=2, deadline=3.0)
    once = params.resolve(MAKERS)
    assert {name: getattr(once, name) for name in SamplingParams.__dataclass_fields__} == {
        **{name: getattr(params, name) for name in SamplingParams.__dataclass_fields__},
        **MAKERS.as_dict(),
    }
    assert once.resolve(SamplingSettings()) == once


@pytest.mark.parametrize(("temperature", "greedy"), [(0, True), (0.0, True), (0.01, False), (1.0, False), (None, False)])
def test_only_a_temperature_of_0_is_greedy(temperature: float | None, greedy: bool) -> None:
    assert SamplingParams(temperature=temperature).is_greedy is greedy
