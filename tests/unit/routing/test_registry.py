"""Routers by name: those of one's own, and the settings that each refuses on creation."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import ConfigError, Engine, Router, SamplingParams, UnknownKeywordError, register_router, router_names
from baco.routing import Signals, registry, rules


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test registers is gone after it."""
    monkeypatch.setattr(registry, "KINDS", dict(registry.KINDS))


@pytest.mark.usefixtures("own_registry")
def test_a_router_of_ones_own_works_by_name_through_the_engine(engine: Engine) -> None:
    @register_router("even-top", threshold_range=(2.0, 9.0), default=2.0)
    def even_top(signals: Signals, threshold: Tensor) -> Tensor:
        return signals.base_top1 % threshold.long() == 0

    assert "even-top" in router_names() and Router("even-top").threshold == 2.0
    for router in (Router("even-top", word_boundary=False), Router("even-top", threshold=5.0, word_boundary=False)):
        params = SamplingParams(n=4, max_tokens=12, seed=1, logprobs=1)
        result = engine.generate("a fish", params, router)
        for candidate in result.candidates:
            assert candidate.logprobs is not None
            for token in candidate.logprobs:
                # Where the base wrote, the top alternative is the base's own top-1.
                assert not token.from_base or token.top[0].token_id % int(router.threshold or 0) == 0
        assert 0 < result.usage.base_tokens < result.usage.completion_tokens
        assert (result.router, result.threshold) == ("even-top", router.threshold)


@pytest.mark.usefixtures("own_registry")
def test_a_registration_that_does_not_fit_is_refused() -> None:
    for replace in (False, True):
        with pytest.raises(ConfigError, match="there is a router 'p' already, a built-in one"):
            register_router("p", replace=replace)
    with pytest.raises(ConfigError, match=r"default threshold in \[0, 1\], but has 2"):
        register_router("mine", threshold_range=(0, 1), default=2)
    with pytest.raises(ConfigError, match=r"default threshold in \[0, 1\], but has None"):
        register_router("mine", threshold_range=(0, 1))
    with pytest.raises(ConfigError, match="no `threshold_range`"):
        register_router("mine", default=0.5)
    assert "mine" not in router_names()


@pytest.mark.usefixtures("own_registry")
def test_a_notebooks_cell_that_registers_a_router_can_run_again(engine: Engine) -> None:
    def cell(wants_base: bool) -> None:
        @register_router("mine", replace=True)
        def mine(signals: Signals, threshold: Tensor) -> Tensor:
            return torch.full_like(threshold, wants_base, dtype=torch.bool)

    cell(True)
    router = Router("mine", word_boundary=False)
    shares = []
    for wants_base in (True, False):
        cell(wants_base)
        usage = engine.generate("a fish", SamplingParams(max_tokens=8, seed=1), router).usage
        shares.append(usage.base_tokens / usage.completion_tokens)
    # The end of an answer is the aligned model's.
    assert shares[0] > 0.5 and shares[1] == 0
    with pytest.raises(ConfigError, match="there is a router 'mine' already; register yours under another name, or with replace=True"):
        register_router("mine")
    with pytest.raises(ConfigError, match="`replace` must be True or False, but is 'yes'"):
        register_router("mine", replace="yes")  # type: ignore[arg-type]


@pytest.mark.usefixtures("own_registry")
def test_a_name_that_was_taken_meanwhile_is_refused() -> None:
    first, second = register_router("mine"), register_router("mine")
    first(rules.always_base)
    with pytest.raises(ConfigError, match="there is a router 'mine' already"):
        second(rules.always_aligned)
    assert registry.get_kind("mine").rule is rules.always_base


def test_a_router_without_a_threshold_gets_its_default() -> None:
    assert Router().name == "p-punc" and Router().threshold == registry.get_kind("p-punc").default is not None
    assert Router("punc").threshold is None


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("p-pnuc", {}, r"there is no router 'p-pnuc'; did you mean 'p-punc'\?.*aligned, base, fc"),
        ("Nudgin", {}, r"did you mean 'nudging'\?"),
        ("xyzzy", {}, r"there is no router 'xyzzy' \(routers: "),
        ("p", {"threshold": 1.5}, r"`threshold` must be a number in \[0.0, 1.0\] for router 'p', but is 1.5"),
        ("p", {"threshold": -0.1}, r"but is -0.1"),
        ("p", {"threshold": math.nan}, r"but is nan"),
        ("p", {"threshold": "0.5"}, r"but is '0.5'"),
        ("p", {"threshold": True}, r"but is True"),
        ("h", {"threshold": 21}, r"`threshold` must be a number in \[0.0, 20.0\] for router 'h', but is 21"),
        ("p", {"diversity": 1.1}, r"`diversity` must be a number in \[0, 1\], but is 1.1"),
        ("p", {"diversity": -1}, r"`diversity` must be a number in \[0, 1\], but is -1"),
        ("p", {"threshold": 0.4, "diversity": 0.3}, r"`threshold` \(0.4\) or `diversity` \(0.3\), not both"),
        ("punc", {"threshold": 0.4}, r"router 'punc' has no threshold, so `threshold` must be None, but is 0.4"),
        ("fc", {"diversity": 0.4}, r"router 'fc' has no threshold, so `diversity` must be None, but is 0.4"),
        ("aligned", {"diversity": 0.0}, r"router 'aligned' has no threshold"),
        ("p", {"probe": "draft"}, r"`probe` must be \"base\" or \"aligned\", but is 'draft'"),
        ("p", {"word_boundary": 1}, r"`word_boundary` must be True or False, but is 1"),
        ("judge", {}, r"`judge` must be a function for Router\('judge'\)"),
        ("p", {"judge": lambda prefix: "base"}, r"else None, but Router\('p'\) has"),
        ("judge", {"judge": "gpt"}, r"`judge` must be a function"),
    ],
)
def test_a_router_that_cannot_be_is_refused_on_creation(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Router(name, **settings)


def test_an_unknown_keyword_of_a_router_names_the_nearest() -> None:
    with pytest.raises(UnknownKeywordError, match=r"Router has no keyword 'treshold'; did you mean 'threshold'\?"):
        Router("p", treshold=0.4)  # type: ignore[call-arg]


def test_a_router_that_is_no_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`router` must be the name of a router, but is \['p'\]"):
        Router(["p"])  # type: ignore[arg-type]
