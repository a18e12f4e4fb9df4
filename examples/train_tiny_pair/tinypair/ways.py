"""The ways of decoding that the evaluation compares: each model alone, and every router of the registry at several thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from baco import Router
from baco.routers.registry import KINDS
from tinypair import first_words

TEMPERATURES = (0.7, 1.0, 1.3, 1.6, 2.0)
THRESHOLDS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(("p", "p-punc", "p-fc"), (0.2, 0.3, 0.4, 0.5)),
    **dict.fromkeys(("h", "h-punc", "h-fc"), (1.0, 1.5, 2.0)),
    "nudging": (0.2, 0.4, 0.6, 0.8),
    first_words.NAME: first_words.WORDS,
}
"""Thresholds that are measured beside each router's default."""
RAND_THRESHOLDS = (0.1, 0.2, 0.3, 0.5)
P_LIKE = ("p", "p-punc", "p-fc")
LEFT_OUT = ("base", "aligned", "rand", "judge")
"""Routers with no place in the grid: two have rows of their own, `rand` is matched to the default, the judge needs a user's function."""


@dataclass(frozen=True)
class Way:
    """A router at a temperature."""

    router: Router
    temperature: float = 1.0

    @property
    def label(self) -> str:
        """Its name in tables, and its key in the report."""
        parts = [self.router.name]
        if self.router.threshold is not None:
            parts.append(f"{self.router.threshold:g}")
        if self.temperature != 1:
            parts.append(f"T {self.temperature:g}")
        return ", ".join(parts)


BASE = Way(Router("base"))
ALIGNED = Way(Router("aligned"))
DEFAULT = Way(Router())


def alone() -> list[Way]:
    """Each model alone, the aligned one at several temperatures."""
    return [BASE, *(Way(Router("aligned"), temperature) for temperature in TEMPERATURES)]


def routed() -> list[Way]:
    """Every router of the registry that has a place in the grid, at several thresholds, its default among them."""
    ways = []
    for name, kind in KINDS.items():
        if name in LEFT_OUT:
            continue
        defaults = [kind.default, DEFAULT.router.threshold if name == DEFAULT.router.name else None]
        grid = {*THRESHOLDS.get(name, ()), *(value for value in defaults if value is not None)}
        ways += [Way(Router(name, threshold=threshold)) for threshold in sorted(grid)] or [Way(Router(name))]
    return ways


def rand(threshold: float) -> Way:
    """The router that flips a coin."""
    return Way(Router("rand", threshold=threshold))


def closed() -> list[Way]:
    """The ways that are asked what has one right answer."""
    return list({way.label: way for way in (BASE, ALIGNED, DEFAULT, Way(Router("p", threshold=0.3)))}.values())


def compared() -> list[Way]:
    """The ways whose answers are looked into position by position: the default, and each router on the base's largest probability."""
    ways = [DEFAULT, *(Way(Router(name)) for name in P_LIKE)]
    return list({way.label: way for way in ways}.values())


def threshold_for(share: float, measured: dict[float, float]) -> float:
    """Interpolate the coin's threshold that gives the base a share of the tokens, from the shares measured at other thresholds."""
    points = sorted(({0.0: 0.0, 1.0: 1.0} | measured).items())
    for (low, below), (high, above) in pairwise(points):
        if below <= share <= above:
            return round(low + (high - low) * (share - below) / (above - below), 4) if above > below else low
    return share
