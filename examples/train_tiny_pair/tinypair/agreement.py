"""Where the two models agree: their distributions at every position of given answers, from one forward pass of each.

Each model reads its own prompt and the same answer. For pairs whose models share one vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco import Candidate, GenerationResult, ModelPair
from baco.results import Model
from tinypair.scoring import Figure, ratio

ANSWERS_READ = 3
"""Answers to each prompt that are read: more cost time and tell little more."""


@dataclass(frozen=True)
class Positions:
    """What both models say at the T positions of the answers to one prompt."""

    same_top: Tensor
    """bool [T]: whether both have the same most likely token."""
    variation: Tensor
    """float [T]: total variation between their distributions, 0 to 1."""
    from_base: Tensor
    """bool [T]: whether the base wrote the token that stands there."""
    is_end: Tensor
    """bool [T]: whether the token that stands there ends an answer. The models were taught different ends."""


@dataclass(frozen=True)
class Agreement:
    """How alike the models are along answers of the aligned one."""

    same_top_percent: Figure
    """Positions with the same most likely token, ends left out."""
    variation: Figure
    """Mean total variation, over all positions."""
    variation_inside: Figure
    """The same, ends left out."""


@dataclass(frozen=True)
class Routed:
    """How alike the models are where a router gave the word to either of them, along its own answers: mean total variation."""

    at_base: Figure
    at_aligned: Figure
    at_aligned_inside: Figure
    """The same, ends left out: the base never writes one."""


def compare(base: Tensor, aligned: Tensor) -> tuple[Tensor, Tensor]:
    """Compare two models' logits [T, V]; return whether their top tokens are the same, bool [T], and the total variation, [T]."""
    same_top = base.argmax(-1) == aligned.argmax(-1)
    return same_top, (base.softmax(-1) - aligned.softmax(-1)).abs().sum(-1) / 2


@torch.inference_mode()
def answer_logits(pair: ModelPair, which: Model, prompt: list[int], answers: Sequence[list[int]]) -> list[Tensor]:
    """Give a model's logits [T, V] at each position of some answers to one prompt, all read in one pass."""
    longest = max(len(answer) for answer in answers)
    # The last token of an answer is written but never read. Padding stands to the right, where no token can see it.
    rows = [prompt + answer[:-1] + [prompt[-1]] * (longest - len(answer)) for answer in answers]
    logits = pair.model(which)(torch.tensor(rows, device=pair.device), logits_to_keep=longest).logits.float()
    return [values[: len(answer)] for values, answer in zip(logits, answers, strict=True)]


def read(pair: ModelPair, prompts: dict[Model, list[int]], candidates: Sequence[Candidate]) -> Positions:
    """Compare the models along the first few answers to one prompt, given as each model reads it."""
    chosen = candidates[:ANSWERS_READ]
    answers = [candidate.token_ids for candidate in chosen]
    base, aligned = (torch.cat(answer_logits(pair, which, prompts[which], answers)) for which in ("base", "aligned"))
    same_top, variation = compare(base, aligned)
    ends = pair.end_ids("base") | pair.end_ids("aligned")
    return Positions(
        same_top=same_top,
        variation=variation,
        from_base=torch.tensor([owner for candidate in chosen for owner in candidate.from_base]),
        is_end=torch.tensor([token in ends for answer in answers for token in answer]),
    )


def read_all(pair: ModelPair, prompts: Sequence[GenerationResult], answers: Sequence[GenerationResult]) -> list[Positions]:
    """Compare the models along many answers; the prompts are taken from results that both models had a part in."""
    return [read(pair, asked.prompt_token_ids, told.candidates) for asked, told in zip(prompts, answers, strict=True)]


def mean(values: Sequence[Tensor], where: Sequence[Tensor], picks: Tensor) -> Figure:
    """Average values [T] of each prompt over the positions ``where``, bool [T]."""
    sums = [float(each[mask].sum()) for each, mask in zip(values, where, strict=True)]
    return ratio(sums, [int(mask.sum()) for mask in where], picks)


def agreement(positions: Sequence[Positions], picks: Tensor) -> Agreement:
    """Sum up how alike the models are along answers of the aligned one."""
    variation = [each.variation for each in positions]
    inside = [~each.is_end for each in positions]
    return Agreement(
        same_top_percent=mean([100.0 * each.same_top for each in positions], inside, picks),
        variation=mean(variation, [torch.ones_like(mask) for mask in inside], picks),
        variation_inside=mean(variation, inside, picks),
    )


def routed(positions: Sequence[Positions], picks: Tensor) -> Routed:
    """Sum up how alike the models are where either of them had the word."""
    variation = [each.variation for each in positions]
    return Routed(
        at_base=mean(variation, [each.from_base for each in positions], picks),
        at_aligned=mean(variation, [~each.from_base for each in positions], picks),
        at_aligned_inside=mean(variation, [~each.from_base & ~each.is_end for each in positions], picks),
    )
