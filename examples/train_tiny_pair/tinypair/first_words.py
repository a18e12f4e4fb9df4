"""A rule about the first words, to measure whether it helps: the aligned model begins the answer, then the default router takes over.

A base that writes the first token may start off topic, and the aligned model must go on from there. `p-punc-after` is no router of the
library: it is registered here, as a user registers one, and stands in the tables beside those that are.
"""

from __future__ import annotations

from torch import Tensor, full_like, tensor

from baco import Router, register_router
from baco.routing import rules
from baco.routing.signals import Signals

NAME = "p-punc-after"
WORDS = (1.0, 3.0, 6.0)
"""Numbers of words of which the aligned model is sure to write the first."""


@register_router(NAME, threshold_range=(0.0, 1000.0), default=WORDS[0], increasing=False, reads_aligned=True)
def after_first_words(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned for as many words as the threshold says, then the default router at its own threshold."""
    default = Router().threshold
    assert default is not None
    wanted = rules.punctuation_then_probability(signals, full_like(threshold, default))
    rows = wanted.nonzero().flatten().tolist()
    begun = tensor([len(prefix.text.split()) for prefix in signals.prefixes(rows)], dtype=threshold.dtype)
    wanted[rows] = begun >= threshold[rows]
    return wanted
