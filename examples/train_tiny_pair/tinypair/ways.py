"""The ways of decoding that the evaluation compares: each model alone, and every router of the registry at several thresholds.

Temperature is a setting like any other: each model alone, the default router and its rivals are each measured over several, because a
comparison at one temperature says little where every method has its best elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from baco import Router
from baco.routing.registry import KINDS
from tinypair import first_words

BASE_TEMPERATURES = (0.3, 0.4, 0.5, 0.7, 1.0)
ALIGNED_TEMPERATURES = (0.7, 1.0, 1.3, 1.6, 2.0)
ROUTED_TEMPERATURES = (0.5, 0.7)
"""Temperatures that routers are measured at beside 1."""
MIN_P = 0.1
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
    """A router at a temperature, with or without truncation by min-p."""

    router: Router
    temperature: float = 1.0
    min_p: float = 0.0

    @property
    def label(self) -> str:
        """Its name in tables, and its key in the report."""
        parts = [self.router.name]
        if self.router.threshold is not None:
            parts.append(f"{self.router.threshold:g}")
        if self.temperature != 1:
            parts.append(f"T {self.temperature:g}")
        if self.min_p:
            parts.append(f"min-p {self.min_p:g}")
        return ", ".join(parts)


BASE = Way(Router("base"))
ALIGNED = Way(Router("aligned"))
DEFAULT = Way(Router())
COOL_BASE = Way(Router("base"), 0.4)
"""The base model at its best temperature on the embedded pair."""
COOL_DEFAULT = Way(Router(), 0.7)
"""The default router at its best temperature on the embedded pair."""


def alone() -> list[Way]:
    """Each model alone, at several temperatures and truncated."""
    return [
        *(Way(Router("base"), temperature) for temperature in BASE_TEMPERATURES),
        Way(Router("base"), min_p=MIN_P),
        *(Way(Router("aligned"), temperature) for temperature in ALIGNED_TEMPERATURES),
        Way(Router("aligned"), 3.0, MIN_P),
    ]


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


def cooled() -> list[Way]:
    """The default router and its rivals, each at what is best or nearly so at temperature 1, at lower temperatures."""
    routers = (
        DEFAULT.router,
        Router("p"),
        Router("nudging", threshold=0.2),
        *(Router("rand", threshold=threshold) for threshold in RAND_THRESHOLDS[1:]),
    )
    return [Way(router, temperature) for router in routers for temperature in ROUTED_TEMPERATURES]


def rand(threshold: float) -> Way:
    """The router that flips a coin."""
    return Way(Router("rand", threshold=threshold))


def closed() -> list[Way]:
    """The ways that are asked what has one right answer."""
    return list({way.label: way for way in (BASE, COOL_BASE, ALIGNED, DEFAULT, COOL_DEFAULT, Way(Router("p", threshold=0.3)))}.values())


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
