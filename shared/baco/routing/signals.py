"""What a routing rule may look at: the base model's raw distribution, the probe's top-1 token, keyed noise, the prefix.

Everything is computed when first read, so a rule pays only for the signals that it uses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from baco.noise import uniform
from baco.vocab.lexicon import Lexicon


@dataclass(frozen=True)
class Prefix:
    """Text that the judge router is asked about."""

    text: str
    """The answer so far."""
    base_token: str
    """The base model's most likely next token, as text."""
    aligned_token: str
    """The aligned model's most likely next token, as text."""


@dataclass
class Signals:
    """Signals of one decoding step over B rows."""

    base_logits: Tensor
    """float32 [B, V]: raw, before penalties, temperature and truncation."""
    aligned_top1: Tensor | None
    """int64 [B], or None where no row needs the aligned model for its route."""
    reads_aligned: Tensor
    """bool [B]: rows whose probe is the aligned model."""
    step_keys: Tensor
    """int64 [B]: key of each row's noise at this position."""
    lexicon: Lexicon
    prefixes: Callable[[Sequence[int]], Sequence[Prefix]]
    """The prefixes of the given rows; only the judge reads them."""
    asked: Tensor | None = None
    """bool [B]: rows whose answer the caller will use, for rules that cost by the row; None for all."""

    @cached_property
    def base_top1(self) -> Tensor:
        """Most likely token of the base model, int64 [B]."""
        return self.base_logits.argmax(-1)

    @cached_property
    def probe_top1(self) -> Tensor:
        """Most likely token of each row's probe model, int64 [B]."""
        if self.aligned_top1 is None:
            return self.base_top1
        return torch.where(self.reads_aligned, self.aligned_top1, self.base_top1)

    @cached_property
    def log_partition(self) -> Tensor:
        """Logarithm of the sum of exponentials of the base logits, [B]."""
        return self.base_logits.logsumexp(-1)

    @cached_property
    def max_probability(self) -> Tensor:
        """Largest probability of the base distribution, [B], in (0, 1]."""
        return (self.base_logits.amax(-1) - self.log_partition).exp()

    @cached_property
    def entropy(self) -> Tensor:
        """Entropy of the base distribution in nats, [B], at least 0."""
        log_probabilities = self.base_logits - self.log_partition[:, None]
        probabilities = log_probabilities.exp()
        # A token of probability 0 adds nothing, but 0 * -inf would be nan.
        terms = torch.where(probabilities > 0, probabilities * log_probabilities, 0.0)
        return -terms.sum(-1).clamp(max=0.0)

    @cached_property
    def uniform(self) -> Tensor:
        """Keyed uniform noise in [0, 1), float64 [B]."""
        return uniform(self.step_keys)
