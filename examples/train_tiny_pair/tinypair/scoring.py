"""Figures from answers: what is counted for each prompt, and ratios of sums over prompts with their bootstrap intervals.

A mean is such a ratio too, over ones. Prompts are resampled within their family, and one table of resamples serves all ways of decoding
that answered the same prompts, so that a comparison of two of them is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco import GenerationResult
from tinypair.check import distinct, distinct_and_valid, is_valid
from tinypair.task import Task

RESAMPLES = 1000
BOOTSTRAP_SEED = 20
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Figure:
    """A measured value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Counts:
    """What is counted over the answers to one prompt."""

    answers: int
    distinct: int
    valid: int
    joint: int
    """Different answers among the valid ones."""
    base_tokens: int
    tokens: int


@dataclass(frozen=True)
class Row:
    """One line of a table: one way of decoding over many prompts."""

    distinct: Figure
    valid_percent: Figure
    joint: Figure
    base_percent: Figure


def count(task: Task, result: GenerationResult) -> Counts:
    """Count what the oracle says of the answers to one prompt."""
    texts = [candidate.text for candidate in result.candidates]
    return Counts(
        answers=len(texts),
        distinct=distinct(texts),
        valid=sum(is_valid(task, text) for text in texts),
        joint=distinct_and_valid(task, texts),
        base_tokens=result.usage.base_tokens,
        tokens=result.usage.completion_tokens,
    )


def resamples(sizes: Sequence[int], times: int = RESAMPLES) -> Tensor:
    """Draw prompts with replacement within each family.

    Args:
        sizes: number of prompts of each family; they are numbered family by family.
        times: how many resamples.

    Returns:
        int64 [times, N]: the numbers of the prompts that each resample holds. The same sizes always give the same table.
    """
    generator = torch.Generator().manual_seed(BOOTSTRAP_SEED)
    columns, first = [], 0
    for size in sizes:
        columns.append(first + torch.randint(size, (times, size), generator=generator))
        first += size
    return torch.cat(columns, dim=1)


def ratio(numerators: Sequence[float], denominators: Sequence[float], picks: Tensor) -> Figure:
    """Divide two sums over prompts, with the interval over resamples ``picks`` [times, N].

    A denominator counts as 1 at the least, so that what is compared with nothing at all stays finite.
    """
    above = torch.tensor(numerators, dtype=torch.float64)
    below = torch.tensor(denominators, dtype=torch.float64)
    value = above.sum() / below.sum().clamp(min=1)
    drawn = above[picks].sum(1) / below[picks].sum(1).clamp(min=1)
    low, high = torch.quantile(drawn, torch.tensor(LEVELS, dtype=torch.float64)).tolist()
    return Figure(round(float(value), 4), round(low, 4), round(high, 4))


def score(counts: Sequence[Counts], picks: Tensor) -> Row:
    """Turn the counts of prompts into a line of a table."""
    ones = [1.0] * len(counts)
    answers = [each.answers for each in counts]
    return Row(
        distinct=ratio([each.distinct for each in counts], ones, picks),
        valid_percent=ratio([100 * each.valid for each in counts], answers, picks),
        joint=ratio([each.joint for each in counts], ones, picks),
        base_percent=ratio([100 * each.base_tokens for each in counts], [each.tokens for each in counts], picks),
    )


def gain(counts: Sequence[Counts], over: Sequence[Counts], picks: Tensor) -> Figure:
    """Say how many times as many different valid answers one way gives as another, to the same prompts."""
    return ratio([each.joint for each in counts], [each.joint for each in over], picks)


def best(rows: Mapping[str, Row], router: str) -> str:
    """Find the way with the most different valid answers among those of one router, by their labels."""
    labels = [label for label in rows if label.split(",")[0] == router]
    return max(labels, key=lambda label: rows[label].joint.value)


def right(counts: Sequence[Counts], picks: Tensor) -> Figure:
    """Give the percentage of valid answers."""
    return ratio([100 * each.valid for each in counts], [each.answers for each in counts], picks)


def kept(counts: Sequence[Counts], of: Sequence[Counts], picks: Tensor) -> Figure:
    """Give the valid answers of one way as a percentage of another's, to the same prompts."""
    return ratio([100 * each.valid for each in counts], [each.valid for each in of], picks)


def base_share(counts: Sequence[Counts]) -> float:
    """Give the share of tokens that the base model wrote."""
    return sum(each.base_tokens for each in counts) / sum(each.tokens for each in counts)
