"""From a target share of base tokens (`diversity`) to a router's threshold, measured once per pair and router.

A `CalibrationMap` is a table of (threshold, share) read by linear interpolation. It is measured by decoding a dozen built-in prompts at
a grid of thresholds, refined where the share changes fastest, because the realised share depends on the word rule and on the text that
routing leads to, not only on the signal's quantiles (our own choice). Maps are kept in the user's cache folder; the embedded pair ships
its own. Knows routers and files; knows no models.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from tqdm import tqdm

from baco import atomic
from baco.errors import ConfigError
from baco.routing import Router
from baco.routing.registry import get_kind

PROMPTS = (
    "Name a pet rabbit.",
    "Suggest a gift for my sister, who likes music.",
    "Where should I go for a weekend trip?",
    "Write a two-sentence story about a lighthouse.",
    "What should I cook for dinner tonight?",
    "Give me an idea for a small business.",
    "Tell me something about the sea.",
    "Suggest a new hobby for the winter.",
    "Write one sentence about a rainy morning.",
    "What is a good name for a coffee shop?",
    "Describe your favourite place.",
    "Give me a reason to learn a language.",
)
SAMPLES_PER_PROMPT = 2
MAX_TOKENS = 40
GRID = 9
REFINEMENTS = 3
REFINED_PER_ROUND = 4
SLACK = 0.01
"""How far outside the measured shares a target may lie: the sampling error of the measurement."""

Measure = Callable[[Sequence[float]], list[float]]
"""Decodes the built-in prompts at each threshold and returns the share of base tokens at each."""


@dataclass(frozen=True)
class CalibrationMap:
    """Measured shares of base tokens, by threshold. `shares` never falls along the table."""

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]

    def threshold(self, share: float, router: str) -> float:
        """Interpolate the threshold that gives the base a `share` of the tokens.

        Raises:
            ConfigError: the router cannot reach this share on this pair.
        """
        low, high = self.shares[0], self.shares[-1]
        if not low - SLACK <= share <= high + SLACK:
            raise ConfigError(f"`diversity` is {share}, but router {router!r} reaches shares of {low:.2f} to {high:.2f} on this pair")
        if share >= high:
            return self.thresholds[self.shares.index(high)]
        above = next(i for i, measured in enumerate(self.shares) if measured > share)
        if above == 0:
            return self.thresholds[0]
        (x0, x1), (y0, y1) = self.thresholds[above - 1 : above + 1], self.shares[above - 1 : above + 1]
        return x0 + (x1 - x0) * max(0.0, share - y0) / (y1 - y0)


def measure_map(router: Router, vocab_size: int, measure: Measure, title: str) -> CalibrationMap:
    """Measure a router's map, with a progress bar on standard error."""
    kind = get_kind(router.name)
    assert kind.threshold_range is not None, "only a router with a threshold has a diversity"
    low, high = kind.threshold_range
    high = min(high, math.log(vocab_size)) if high > 1 else high
    points: dict[float, float] = {}
    pending = [low + (high - low) * step / (GRID - 1) for step in range(GRID)]
    with tqdm(total=GRID + REFINEMENTS * REFINED_PER_ROUND, desc=title, unit="threshold", leave=False) as bar:
        for _ in range(1 + REFINEMENTS):
            points.update(zip(pending, measure(pending), strict=True))
            bar.update(len(pending))
            pending = _widest_gaps(points)
    return _monotone(points, kind.increasing)


def _widest_gaps(points: dict[float, float]) -> list[float]:
    """Thresholds in the middle of the steps where the share changes most."""
    ordered = sorted(points.items())
    gaps = sorted(((abs(b[1] - a[1]), (a[0] + b[0]) / 2) for a, b in pairwise(ordered)), reverse=True)
    return [middle for _, middle in gaps[:REFINED_PER_ROUND]]


def _monotone(points: dict[float, float], increasing: bool) -> CalibrationMap:
    """Order points so that the share never falls; where sampling noise makes it fall, the running maximum replaces it."""
    thresholds, shares = zip(*sorted(points.items(), reverse=not increasing), strict=True)
    return CalibrationMap(thresholds, tuple(accumulate(shares, max)))


def map_key(router: Router, base_prompt: str, reasoning: Mapping[str, Any] | None = None) -> str:
    """The settings that a map depends on, beside the pair; `reasoning` are variables of the chat template, if any are set."""
    key = f"{router.name}/probe={router.probe}/word_boundary={router.word_boundary}/base_prompt={base_prompt}"
    return key + "".join(f"/{name}={json.dumps(value)}" for name, value in sorted((reasoning or {}).items()))


def load_map(key: str, places: Sequence[Path]) -> CalibrationMap | None:
    """Find a map in the first of some files that has it; a missing file has none."""
    for path in places:
        if path.is_file():
            table = json.loads(path.read_text())
            if key in table:
                return CalibrationMap(tuple(table[key]["thresholds"]), tuple(table[key]["shares"]))
    return None


def save_map(key: str, calibration: CalibrationMap, path: Path) -> None:
    """Add a map to a file of maps; an interrupted write leaves the old file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = json.loads(path.read_text()) if path.is_file() else {}
    table[key] = asdict(calibration)
    atomic.write_text(path, json.dumps(table, indent=1))


def cache_file(fingerprint: str) -> Path:
    """The file in the user's cache folder that has the maps of a pair (`ModelPair.fingerprint`)."""
    return user_cache_path("baco") / "calibration" / f"{fingerprint}.json"
