"""`GrammarMasks`: the token masks of a pass, as tensors.

Knows guides and tensors; knows no models and no schedule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco.grammar.guide import Guide, TokenMask


@dataclass(frozen=True, slots=True)
class GrammarMasks:
    """Token masks at C queries; answers without a grammar may write anything."""

    allowed: Tensor
    """bool [C, V]: tokens that may come next."""
    has_grammar: Tensor
    """bool [C]: queries of answers with a grammar."""
    base_may_write: Tensor
    """bool [C]: queries at which the base model may write."""
    closing_tokens: Tensor
    """bool [C, V]: tokens that may end a value, where there is syntax."""

    @classmethod
    def of(cls, guides: Sequence[Guide | None], prefixes: Sequence[Sequence[int]], vocab_size: int, device: torch.device) -> "GrammarMasks":
        """Ask each query's guide what may follow its prefix; None is the guide of an answer without a grammar."""
        nothing = torch.zeros(vocab_size, dtype=torch.bool)
        everything = TokenMask(~nothing, True)
        masks = [None if guide is None else guide.allowed(prefix) for guide, prefix in zip(guides, prefixes, strict=True)]
        # A prefix that its grammar does not allow has a draft token that will be rejected: the mask after it does not matter.
        known = [mask or everything for mask in masks]
        closing = [guide.grammar.closing_tokens if guide is not None and guide.is_json else nothing for guide in guides]
        return cls(
            allowed=torch.stack([mask.tokens for mask in known]).to(device),
            has_grammar=torch.tensor([mask is not None for mask in masks], device=device),
            base_may_write=torch.tensor([mask.base_may_write for mask in known], device=device),
            closing_tokens=torch.stack(closing).to(device),
        )

    def apply(self, logits: Tensor) -> Tensor:
        """Set the logits [C, V] of tokens that are not allowed to -inf."""
        return logits.masked_fill(~self.allowed, -torch.inf)

    def aligned_only(self, special: Tensor) -> Tensor:
        """Tokens that the base model never writes, bool [C, V]: special ones, bool [V], and in syntax those that end values."""
        return special | self.closing_tokens

    def aligned_forced(self, base_logits: Tensor, aligned_only: Tensor) -> Tensor:
        """Where the aligned model writes whatever the route says, bool [C].

        It does in syntax, and where the base model's most likely token, by `base_logits` [C, V] with masks applied, is one that it never
        writes (`aligned_only`, bool [C, V]).
        """
        ends = aligned_only.gather(1, base_logits.argmax(-1, keepdim=True))[:, 0]
        return self.has_grammar & (~self.base_may_write | ends)
