"""Routers by name: the built-in ones, and those that users register."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from baco.checks import is_number, nearest, require
from baco.errors import ConfigError
from baco.routing import rules
from baco.routing.signals import Signals


class Rule(Protocol):
    """Says for every row whether the base model should write the next token."""

    def __call__(self, signals: Signals, threshold: Tensor, /) -> Tensor:
        """Map signals and a threshold [B] (nan for a router without one) to a bool tensor [B], True for base."""


@dataclass(frozen=True, kw_only=True)
class RouterKind:
    """A rule, and what its threshold may be."""

    rule: Rule | None
    """None for the judge, whose rule comes with each `Router`."""
    threshold_range: tuple[float, float] | None = None
    """Lowest and highest threshold, or None for a router that has none."""
    default: float | None = None
    """Threshold where the user gives neither threshold nor diversity."""
    increasing: bool = True
    """Whether a larger threshold gives the base more tokens."""
    reads_aligned: bool = False
    """Whether the rule reads `Signals.prefixes`, which takes a pass of the aligned model for every token."""


UNIT_INTERVAL = (0.0, 1.0)
NATS = (0.0, 20.0)
"""Range of an entropy threshold: the logarithm of the largest vocabulary in use is about 12.5."""

KINDS: dict[str, RouterKind] = {
    "base": RouterKind(rule=rules.always_base),
    "aligned": RouterKind(rule=rules.always_aligned),
    "rand": RouterKind(rule=rules.random, threshold_range=UNIT_INTERVAL, default=0.3),
    "p": RouterKind(rule=rules.max_probability, threshold_range=UNIT_INTERVAL, default=0.4),
    "h": RouterKind(rule=rules.entropy, threshold_range=NATS, default=1.5, increasing=False),
    "punc": RouterKind(rule=rules.punctuation),
    "fc": RouterKind(rule=rules.function_word),
    "p-punc": RouterKind(rule=rules.punctuation_then_probability, threshold_range=UNIT_INTERVAL, default=0.4),
    "p-fc": RouterKind(rule=rules.function_word_then_probability, threshold_range=UNIT_INTERVAL, default=0.4),
    "h-punc": RouterKind(rule=rules.punctuation_then_entropy, threshold_range=NATS, default=1.5, increasing=False),
    "h-fc": RouterKind(rule=rules.function_word_then_entropy, threshold_range=NATS, default=1.5, increasing=False),
    "nudging": RouterKind(rule=rules.nudging, threshold_range=UNIT_INTERVAL, default=0.4, increasing=False),
    "judge": RouterKind(rule=None, reads_aligned=True),
}

BUILT_IN_NAMES = frozenset(KINDS)
BUILT_IN: frozenset[Rule] = frozenset(kind.rule for kind in KINDS.values() if kind.rule is not None)
"""Rules that are only operations on tensors, and never wait for the device."""

_lock = threading.Lock()
"""Held from the check that a name is free to its registration."""


def router_names() -> list[str]:
    """Names of all registered routers."""
    return sorted(KINDS)


def get_kind(name: str) -> RouterKind:
    """Find a router by name.

    Raises:
        ConfigError: no router has this name.
    """
    require(isinstance(name, str), "router", "the name of a router", name)
    if name not in KINDS:
        names = ", ".join(router_names())
        raise ConfigError(f"there is no router {name!r}{nearest(name, KINDS)} (routers: {names}; add your own with register_router)")
    return KINDS[name]


def register_router(
    name: str,
    *,
    threshold_range: tuple[float, float] | None = None,
    default: float | None = None,
    increasing: bool = True,
    reads_aligned: bool = False,
    replace: bool = False,
) -> Callable[[Rule], Rule]:
    """Register a rule of your own, which `Router(name)` then finds.

    Args:
        name: a name of your own.
        threshold_range: lowest and highest threshold; None for a rule that ignores it.
        default: threshold where the user gives none; needed with `threshold_range`.
        increasing: whether a larger threshold gives the base more tokens; `diversity` relies on it.
        reads_aligned: whether the rule reads `Signals.prefixes`, which name the aligned model's likeliest token. Without it the route is a
            function of the base alone, which is what makes decoding cheap.
        replace: whether a rule of yours under this name gives way, as when a notebook's cell runs again. Routers find their rule by name,
            so those that exist follow the new rule; a `diversity` that was measured keeps its threshold.

    Raises:
        ConfigError: the name is a built-in router's, or taken and `replace` is False, or range and default do not fit together.
    """
    require(isinstance(replace, bool), "replace", "True or False", replace)
    _check_free(name, replace)
    if threshold_range is None and default is not None:
        raise ConfigError(f"router {name!r} has a default threshold but no `threshold_range`")
    if threshold_range is not None:
        low, high = threshold_range
        if default is None or not (is_number(default) and low <= default <= high):
            raise ConfigError(f"router {name!r} needs a default threshold in [{low}, {high}], but has {default!r}")

    def add(rule: Rule) -> Rule:
        with _lock:
            _check_free(name, replace)  # another thread may have taken it
            KINDS[name] = RouterKind(
                rule=rule, threshold_range=threshold_range, default=default, increasing=increasing, reads_aligned=reads_aligned
            )
        return rule

    return add


def _check_free(name: str, replace: bool) -> None:
    if name in BUILT_IN_NAMES:
        raise ConfigError(f"there is a router {name!r} already, a built-in one; register yours under another name")
    if name in KINDS and not replace:
        raise ConfigError(f"there is a router {name!r} already; register yours under another name, or with replace=True")
