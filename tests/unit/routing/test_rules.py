"""Each routing rule on distributions worked by hand, and the word-boundary rule."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import ConfigError, Engine, Router, SamplingParams
from baco.routing import Prefix, Signals, registry
from baco.routing.batch import RoutingBatch
from baco.vocab.lexicon import Lexicon

# A vocabulary of six tokens: " cat", " the", "s", ".", "<end>" and "ing ".
CAT, THE, S, DOT, END, ING = range(6)


def flags(*tokens: int) -> Tensor:
    return torch.tensor([token in tokens for token in range(6)])


LEXICON = Lexicon(
    special=flags(END),
    punctuation=flags(DOT),
    function_word=flags(THE),
    starts_word=flags(CAT, THE, DOT, END),
    ends_word=flags(DOT, END, ING),
)

SURE = [0.9, 0.02, 0.02, 0.02, 0.02, 0.02]
"""Largest probability 0.9, entropy -0.9 ln 0.9 - 5 * 0.02 ln 0.02 = 0.486 nats."""
TORN = [0.25, 0.25, 0.25, 0.25, 0.0, 0.0]
"""Largest probability 0.25, entropy ln 4 = 1.386 nats."""
HALVES = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]
"""Largest probability 0.5, entropy ln 2 = 0.693 nats."""


def on(top1: int, probability: float = 0.9) -> list[float]:
    """A distribution with its top-1 token at `top1`."""
    return [probability if token == top1 else (1 - probability) / 5 for token in range(6)]


def signals(
    distributions: Sequence[Sequence[float]], aligned_top1: Sequence[int] | None = None, keys: Sequence[int] | None = None
) -> Signals:
    rows = len(distributions)
    return Signals(
        base_logits=torch.tensor(distributions).log() + 5.0,  # any constant: logits are not log-probabilities
        aligned_top1=torch.tensor(aligned_top1 if aligned_top1 is not None else [CAT] * rows),
        reads_aligned=torch.zeros(rows, dtype=torch.bool),
        step_keys=torch.tensor(keys if keys is not None else [0] * rows),
        lexicon=LEXICON,
        prefixes=lambda slots: [Prefix(text=f"text {slot}", base_token="b", aligned_token="a") for slot in slots],
    )


def wants_base(router: Router, distribution: Sequence[float]) -> bool:
    """Ask one rule about one row."""
    threshold = torch.tensor([math.nan if router.threshold is None else router.threshold])
    return bool(router.rule(signals([distribution]), threshold)[0])


def route(
    routers: list[Router], distributions: list[list[float]], owners: list[bool], last: list[int], aligned: list[int] | None = None
) -> list[bool]:
    """Ask the plan of several rows: the rules and the word-boundary rule. Where the owner may not change, it stays."""
    plan = RoutingBatch.build(routers, torch.device("cpu"))
    seen = signals(distributions, aligned)
    seen.reads_aligned = plan.reads_aligned
    wanted, may_switch = plan.ask(seen, torch.tensor(last))
    return torch.where(may_switch, wanted, torch.tensor(owners)).tolist()  # type: ignore[no-any-return]


def test_signals_of_a_distribution_worked_by_hand() -> None:
    found = signals([SURE, TORN, HALVES])
    assert found.max_probability.tolist() == pytest.approx([0.9, 0.25, 0.5], rel=1e-5)
    assert found.entropy.tolist() == pytest.approx([0.48604, math.log(4), math.log(2)], rel=1e-4)
    assert found.base_top1.tolist() == [CAT, CAT, CAT]


def test_the_entropy_of_a_certain_distribution_is_zero_and_not_negative() -> None:
    assert signals([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]).entropy.tolist() == [0.0]


@pytest.mark.parametrize(
    ("router", "distribution", "base"),
    [
        (Router("base"), SURE, True),
        (Router("aligned"), TORN, False),
        (Router("p", threshold=0.6), HALVES, True),
        (Router("p", threshold=0.4), HALVES, False),
        (Router("p", threshold=0.4), TORN, True),
        (Router("p", threshold=0.0), TORN, False),
        (Router("h", threshold=0.6), HALVES, True),
        (Router("h", threshold=0.8), HALVES, False),
        (Router("h", threshold=1.3), TORN, True),
        (Router("nudging", threshold=0.4), HALVES, True),
        (Router("nudging", threshold=0.6), HALVES, False),
        (Router("nudging", threshold=0.0), TORN, True),
        (Router("punc"), on(CAT), True),
        (Router("punc"), on(THE), True),
        (Router("punc"), on(DOT), False),
        (Router("punc"), on(END), False),
        (Router("fc"), on(CAT), True),
        (Router("fc"), on(THE), False),
        (Router("fc"), on(DOT), True),  # punctuation and special tokens are no function words
        (Router("fc"), on(END), True),
        (Router("p-punc", threshold=0.5), on(CAT, 0.4), True),
        (Router("p-punc", threshold=0.5), on(CAT, 0.6), False),
        (Router("p-punc", threshold=0.5), on(DOT, 0.4), False),  # the content rule comes first
        (Router("p-punc", threshold=1.0), on(END, 0.4), False),
        (Router("p-fc", threshold=0.5), on(CAT, 0.4), True),
        (Router("p-fc", threshold=0.5), on(THE, 0.4), False),
        (Router("p-fc", threshold=0.5), on(DOT, 0.4), True),
        (Router("h-punc", threshold=0.5), on(CAT, 0.4), True),
        (Router("h-punc", threshold=0.5), on(CAT, 0.95), False),
        (Router("h-punc", threshold=0.0), on(DOT, 0.4), False),
        (Router("h-fc", threshold=0.5), on(CAT, 0.4), True),
        (Router("h-fc", threshold=0.0), on(THE, 0.4), False),
    ],
)
def test_each_rule_on_a_distribution_worked_by_hand(router: Router, distribution: list[float], base: bool) -> None:
    assert wants_base(router, distribution) is base


def test_a_tie_with_the_threshold_goes_to_the_aligned_model_except_in_nudging() -> None:
    half = torch.tensor([0.5])
    exact = signals([HALVES])
    exact.max_probability = half  # type: ignore[misc]
    exact.entropy = half  # type: ignore[misc]
    assert [bool(Router(name, threshold=0.5).rule(exact, half)) for name in ("p", "h", "nudging")] == [False, False, True]


def test_nudging_is_the_reverse_of_p() -> None:
    for distribution in (SURE, TORN, HALVES):
        for threshold in (0.1, 0.3, 0.7, 0.95):
            p, nudging = (wants_base(Router(name, threshold=threshold), distribution) for name in ("p", "nudging"))
            assert p != nudging


@pytest.mark.parametrize("name", ["rand", "p", "h", "p-punc", "p-fc", "h-punc", "h-fc", "nudging"])
def test_the_base_share_is_monotone_in_the_threshold(name: str) -> None:
    logits = torch.randn(300, 6, generator=torch.Generator().manual_seed(1)) * 2
    seen = signals(logits.softmax(-1).tolist(), keys=list(range(300)))
    kind = registry.get_kind(name)
    assert kind.threshold_range is not None
    low, high = kind.threshold_range
    wanted = [Router(name).rule(seen, torch.full((300,), low + (min(high, 2.0) - low) * i / 20)) for i in range(21)]
    if not kind.increasing:
        wanted.reverse()
    assert all(bool((less <= more).all()) for less, more in pairwise(wanted))
    assert wanted[0].sum() < wanted[-1].sum()


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_rand_gives_the_base_its_threshold_as_a_share(threshold: float) -> None:
    rows = 20_000
    wanted = Router("rand").rule(signals([SURE] * rows, keys=[key * 2654435761 for key in range(rows)]), torch.full((rows,), threshold))
    assert float(wanted.float().mean()) == pytest.approx(threshold, abs=0.02)


def test_the_owner_changes_only_where_a_word_may_start() -> None:
    """All rows want the other model; the last token and the probe's top-1 token decide whether they get it."""
    router = Router("p", threshold=0.95)
    cases = [  # (owner is base, last token, probe's top-1 token, may change)
        (False, -1, S, True),  # the first token
        (False, CAT, CAT, True),  # a new word starts
        (False, CAT, DOT, True),
        (False, CAT, S, False),  # inside a word: " cat" + "s"
        (False, S, ING, False),
        (False, ING, S, True),  # the last token ended a word
        (False, DOT, S, True),
    ]
    distributions = [on(top1, 0.9) for _, _, top1, _ in cases]
    found = route([router] * len(cases), distributions, [owner for owner, *_ in cases], [last for _, last, _, _ in cases])
    assert found == [change for *_, change in cases]
    back = route([Router("p", threshold=0.1)] * len(cases), distributions, [True] * len(cases), [last for _, last, _, _ in cases])
    assert back == [not change for *_, change in cases]


def test_without_the_word_rule_the_owner_changes_anywhere() -> None:
    router = Router("p", threshold=0.95, word_boundary=False)
    assert route([router], [on(S)], [False], [CAT]) == [True]


def test_the_probe_is_read_by_the_content_rule_and_the_word_rule_but_not_by_the_logit_rule() -> None:
    base, aligned = Router("p-punc", threshold=0.95), Router("p-punc", threshold=0.95, probe="aligned")
    # The base's top-1 is " cat" at 0.9; the aligned model's is "."; then "s".
    assert route([base, aligned], [on(CAT)] * 2, [False] * 2, [CAT] * 2, [DOT] * 2) == [True, False]
    assert route([base, aligned], [on(CAT)] * 2, [False] * 2, [CAT] * 2, [S] * 2) == [True, False]
    assert route([base, aligned], [on(S)] * 2, [False] * 2, [CAT] * 2, [CAT] * 2) == [False, True]
    assert route([aligned], [on(CAT, 0.97)], [False], [CAT], [CAT]) == [False]


def test_each_row_of_a_batch_follows_its_own_router() -> None:
    routers = [Router("aligned"), Router("p", threshold=0.95), Router("p", threshold=0.5), Router("punc"), Router("nudging", threshold=0.5)]
    plan = [on(CAT), on(CAT), on(CAT), on(DOT), on(CAT)]
    assert route(routers, plan, [False] * 5, [-1] * 5) == [False, True, False, False, True]
    chosen = RoutingBatch.build(routers, torch.device("cpu")).select(torch.tensor([4, 1]))
    wanted, may_switch = chosen.ask(signals([on(CAT)] * 2), torch.tensor([-1] * 2))
    assert (wanted.tolist(), may_switch.tolist()) == ([True, True], [True, True])


def test_a_judge_is_asked_only_about_the_rows_that_may_change() -> None:
    asked: list[str] = []

    def judge(prefix: Prefix) -> Any:
        asked.append(prefix.text)
        return "base" if prefix.text == "text 2" else "aligned"

    router = Router("judge", judge=judge)
    assert route([router, Router("base"), router, router], [on(CAT), on(CAT), on(CAT), on(S)], [True] * 4, [-1, -1, ING, CAT]) == [
        False,
        True,
        True,
        True,
    ]
    assert asked == ["text 0", "text 2"]


def test_a_judge_that_answers_something_else_is_named() -> None:
    judge: Any = lambda prefix: "either"  # noqa: E731
    with pytest.raises(ConfigError, match=r"`judge` must be .*\"base\" or \"aligned\".*'either'"):
        route([Router("judge", judge=judge)], [on(CAT)], [False], [-1])


def test_a_judge_sees_the_answer_so_far_through_the_engine(engine: Engine) -> None:
    seen: list[Prefix] = []

    def judge(prefix: Prefix) -> Any:
        seen.append(prefix)
        return "base"

    router = Router("judge", judge=judge, word_boundary=False)
    candidate = engine.generate("a fish", SamplingParams(max_tokens=6, seed=3), router).candidates[0]
    decode = engine.pair.tokenizer.decode
    assert all(candidate.from_base)
    assert [prefix.text for prefix in seen] == [decode(candidate.token_ids[:count]) for count in range(len(candidate.token_ids))]
    assert all(prefix.base_token and prefix.aligned_token for prefix in seen)
