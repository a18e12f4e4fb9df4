"""`GrammarMasks`: what grammars allow at the positions of a pass, in tensors.

Knows guides and tensors; knows no models and no schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco.grammar.guide import Guide, TokenMask


@dataclass(frozen=True, slots=True)
class GrammarMasks:
    """GrammarMasks at C cells; those of answers without a grammar have none."""

    allowed: Tensor
    """bool [C, V]"""
    bound: Tensor
    """bool [C]: cells of answers that have a grammar."""
    base_may_write: Tensor
    """bool [C]: cells at which the base may write."""
    is_json: Tensor
    """bool [C]: cells at which `closing` counts."""
    closing: Tensor
    """bool [V]: tokens that may end what the base may write in JSON."""

    @classmethod
    def of(cls, guides: Sequence[Guide | None], prefixes: Sequence[Sequence[int]], vocab_size: int, device: torch.device) -> "GrammarMasks":
        """Ask each cell's guide what may follow its prefix."""
        nothing = torch.zeros(vocab_size, dtype=torch.bool)
        everything = TokenMask(~nothing, True)
        asked = [None if guide is None else guide.allowed(prefix) for guide, prefix in zip(guides, prefixes, strict=True)]
        # A prefix that its grammar does not allow is a proposal that will be dropped: what is said behind it does not matter.
        allowed = [answer or everything for answer in asked]
        # All answers of a pair have the same tokens.
        closing = next((guide.vocabulary.closing for guide in guides if guide is not None), nothing)
        return cls(
            allowed=torch.stack([answer.tokens for answer in allowed]).to(device),
            bound=torch.tensor([answer is not None for answer in asked], device=device),
            base_may_write=torch.tensor([answer.base_may_write for answer in allowed], device=device),
            is_json=torch.tensor([guide is not None and guide.is_json for guide in guides], device=device),
            closing=closing.to(device),
        )

    def apply(self, logits: Tensor) -> Tensor:
        """Set logits [C, V] of what is not allowed to -inf."""
        return logits.masked_fill(~self.allowed, -torch.inf)

    def aligned_only(self, special: Tensor) -> Tensor:
        """Tokens that the base never writes, bool [C, V]: special ones, bool [V], and those that may end a string of JSON."""
        return special | (self.is_json[:, None] & self.closing)

    def aligned_forced(self, base_logits: Tensor, aligned_only: Tensor) -> Tensor:
        """Where the aligned model writes whatever the route says, bool [C].

        In syntax, and where the base would most likely write what it never does.

        Args:
            base_logits: those of the base, limits applied, [C, V].
            aligned_only: bool [C, V].
        """
        ends = aligned_only.gather(1, base_logits.argmax(-1, keepdim=True))[:, 0]
        return self.bound & (~self.base_may_write | ends)
