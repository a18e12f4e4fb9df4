"""From logits to token ids: penalties, temperature, truncation, and the Gumbel-max draw.

Knows tensors of logits and the sampling settings of each row; knows nothing of models or routers. Order and formulas are those
of transformers' logits processors (repetition penalty, temperature, top-k, top-p, min-p), so that both can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from baco.config import ResolvedSamplingParams
from baco.noise import gumbel, row_key, step_keys


@dataclass(frozen=True)
class SamplingBatch:
    """Sampling settings of B rows, as tensors [B] on the models' device."""

    row_keys: Tensor
    """int64: see `noise.row_key`."""
    temperature: Tensor
    """1 for a greedy row, which `greedy` marks."""
    greedy: Tensor
    top_k: Tensor
    top_p: Tensor
    min_p: Tensor
    repetition_penalty: Tensor
    truncates: bool
    """Whether any row uses top-k, top-p or min-p; known on the host, so that a step need not synchronise with the device."""
    draws: bool
    """Whether any row is not greedy."""

    @classmethod
    def build(
        cls, params: Sequence[ResolvedSamplingParams], seeds: Sequence[int], samples: Sequence[int], device: torch.device
    ) -> "SamplingBatch":
        """Gather the settings of B rows; `seeds` and `samples` name each row's noise."""

        def column(values: list[float], dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        return cls(
            row_keys=column([row_key(seed, sample) for seed, sample in zip(seeds, samples, strict=True)], torch.int64),
            temperature=column([p.temperature or 1.0 for p in params]),
            greedy=column([p.is_greedy for p in params], torch.bool),
            top_k=column([p.top_k for p in params], torch.int64),
            top_p=column([p.top_p for p in params]),
            min_p=column([p.min_p for p in params]),
            repetition_penalty=column([p.repetition_penalty for p in params]),
            truncates=any(p.top_k > 0 or p.top_p < 1 or p.min_p > 0 for p in params),
            draws=not all(p.is_greedy for p in params),
        )

    def select(self, rows: Tensor) -> "SamplingBatch":
        """Keep the rows at int64 indices [K]."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        kept: dict[str, Any] = {name: column[rows] for name, column in columns.items() if isinstance(column, Tensor)}
        return replace(self, **kept)


def draw_noise(row_keys: Tensor, positions: Tensor, vocab_size: int) -> Tensor:
    """Noise of rows at positions of their answers: int64 [B] and int64 [B] to float32 [B, V], the same for both models."""
    return gumbel(step_keys(row_keys, positions), vocab_size)


def penalise(logits: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Apply the repetition penalty [B] (CTRL, arXiv 1909.05858) to logits [B, V]; `seen`, bool [B, V], are tokens of prompt and answer."""
    factor = penalty[:, None]
    return torch.where(seen, torch.where(logits < 0, logits * factor, logits / factor), logits)


def truncate(logits: Tensor, top_k: Tensor, top_p: Tensor, min_p: Tensor) -> Tensor:
    """Set logits [B, V] outside top-k, then top-p, then min-p to -inf; each setting is [B], and off at 0, 1 and 0."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)  # [B, V]
    last = torch.where(top_k > 0, top_k, logits.shape[-1]).clamp(max=logits.shape[-1]) - 1
    kept = ordered >= ordered.gather(-1, last[:, None])
    probabilities = ordered.masked_fill(~kept, -torch.inf).softmax(-1)
    # A token stays while the tokens before it have not reached top_p yet, so the first always stays.
    before = probabilities.cumsum(-1) - probabilities
    kept &= (before < top_p[:, None]) | (top_p >= 1)[:, None]
    kept &= probabilities >= min_p[:, None] * probabilities[:, :1]
    return logits.masked_fill(~torch.zeros_like(kept).scatter(-1, order, kept), -torch.inf)


def sample(logits: Tensor, batch: SamplingBatch, noise: Tensor | None) -> Tensor:
    """Draw one token per row.

    Args:
        logits: float32 [B, V], penalties applied.
        batch: the rows' settings.
        noise: Gumbel noise [B, V], see `draw_noise`; None where every row is greedy.

    Returns:
        int64 [B]. A greedy row takes the first of its largest logits.
    """
    if noise is None:
        return logits.argmax(-1)
    scaled = logits / batch.temperature[:, None]
    if batch.truncates:
        scaled = truncate(scaled, batch.top_k, batch.top_p, batch.min_p)
    return torch.where(batch.greedy[:, None], logits, scaled + noise).argmax(-1)
