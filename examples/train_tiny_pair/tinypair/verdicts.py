"""What the pair must reach, item by item, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tinypair.evaluation import RIVALS, Evaluation
from tinypair.scoring import Figure, best
from tinypair.ways import ALIGNED, BASE

GAIN = 1.6
KEPT = 95.0
MUST_KEEP = ("fact", "context", "tool")
"""Closed families in which the default must stay as right as the aligned model; the others are only reported."""


@dataclass(frozen=True)
class Verdict:
    """One item: a figure, and the bounds that it must keep."""

    item: str
    figure: Figure
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the value keeps its bounds, or None where it has none."""
        if self.at_least is None and self.at_most is None:
            return None
        above = self.at_least is None or self.figure.value >= self.at_least
        return above and (self.at_most is None or self.figure.value <= self.at_most)

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g}–{self.at_most:g}{self.unit}"
        if self.at_least is not None:
            return f"≥ {self.at_least:g}{self.unit}"
        return "reported" if self.at_most is None else f"≤ {self.at_most:g}{self.unit}"

    def as_json(self) -> dict[str, object]:
        """The item as it is kept in the report."""
        figure = self.figure
        return {
            "item": self.item,
            "value": figure.value,
            "low": figure.low,
            "high": figure.high,
            "wanted": self.wanted,
            "passed": self.passed,
        }


def verdicts(measured: Evaluation) -> list[Verdict]:
    """Judge everything that was measured."""
    return [*_alone(measured), *_default(measured), *_gains(measured), *_closed(measured), _agreement(measured)]


def _alone(measured: Evaluation) -> Iterator[Verdict]:
    base, aligned = measured.rows[BASE.label], measured.rows[ALIGNED.label]
    yield Verdict("base: distinct of 10", base.distinct, at_least=8)
    yield Verdict("base: valid", base.valid_percent, " %", at_least=40, at_most=80)
    yield Verdict("aligned: distinct of 10", aligned.distinct, at_most=4)
    yield Verdict("aligned: valid", aligned.valid_percent, " %", at_least=95)


def _default(measured: Evaluation) -> Iterator[Verdict]:
    row = measured.rows[measured.default]
    yield Verdict(f"{measured.default}: distinct of 10", row.distinct, at_least=7)
    yield Verdict(f"{measured.default}: valid", row.valid_percent, " %", at_least=88)
    yield Verdict(f"{measured.default}: distinct and valid of 10", row.joint, at_least=7)


def _gains(measured: Evaluation) -> Iterator[Verdict]:
    """The default against the coin that is matched to it, and each method at its best setting against the default router at its own."""
    matched = measured.matched_rand
    yield Verdict(f"{measured.default} over rand at the same share ({matched})", measured.gains[matched], "×", at_least=GAIN)
    for router in RIVALS:
        label = best(measured.rows, router)
        yield Verdict(f"{measured.best} over best {router} ({label})", measured.best_gains[label], "×", at_least=GAIN)
    yield Verdict(f"{measured.default} over {BASE.label}, both at temperature 1", measured.gains[BASE.label], "×")


def _closed(measured: Evaluation) -> Iterator[Verdict]:
    for family, figure in measured.kept[measured.default].items():
        bound = KEPT if family in MUST_KEEP else None
        yield Verdict(f"{family}: {measured.default} of aligned", figure, " %", at_least=bound)


def _agreement(measured: Evaluation) -> Verdict:
    return Verdict("same top token along aligned answers", measured.agreement.same_top_percent, " %", at_least=70, at_most=95)
