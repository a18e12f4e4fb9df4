"""The routing rules: each says for every row whether it wants the base model at this token.

A rule is a pure function of `Signals` and of one threshold per row; the word-boundary rule is applied by the caller. Sources: BACo
(arXiv 2511.05650) for p, h, punc, fc and their combinations; Nudging (Fei et al. 2025) for `nudging`. Which model's top-1 token the
content rules read, the strictness at equality, natural logarithms and the full vocabulary for the entropy are our own choices.
"""

from torch import Tensor

from baco.routing.signals import Signals


def always_base(signals: Signals, threshold: Tensor) -> Tensor:
    """Base model alone."""
    return signals.base_top1 >= 0


def always_aligned(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned model alone."""
    return signals.base_top1 < 0


def random(signals: Signals, threshold: Tensor) -> Tensor:
    """Base with probability `threshold`: the baseline that any router must beat at the same share."""
    return signals.uniform < threshold


def max_probability(signals: Signals, threshold: Tensor) -> Tensor:
    """Base where its largest probability is below the threshold: many continuations are right."""
    return signals.max_probability < threshold


def entropy(signals: Signals, threshold: Tensor) -> Tensor:
    """Base where its entropy in nats is above the threshold. A larger threshold gives the base fewer tokens."""
    return signals.entropy > threshold


def nudging(signals: Signals, threshold: Tensor) -> Tensor:
    """Base where it is sure, aligned where the base's largest probability is below the threshold: the reverse of `p`.

    Token by token; the original hands over whole words of the aligned model, which the word-boundary rule does here.
    """
    return signals.max_probability >= threshold


def punctuation(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned where the probe's top-1 token is punctuation, format or special."""
    return ~(signals.lexicon.punctuation | signals.lexicon.special)[signals.probe_top1]


def function_word(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned where the probe's top-1 token is a function word."""
    return ~signals.lexicon.function_word[signals.probe_top1]


def punctuation_then_probability(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned on punctuation, else `p`."""
    return punctuation(signals, threshold) & max_probability(signals, threshold)


def function_word_then_probability(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned on function words, else `p`."""
    return function_word(signals, threshold) & max_probability(signals, threshold)


def punctuation_then_entropy(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned on punctuation, else `h`."""
    return punctuation(signals, threshold) & entropy(signals, threshold)


def function_word_then_entropy(signals: Signals, threshold: Tensor) -> Tensor:
    """Aligned on function words, else `h`."""
    return function_word(signals, threshold) & entropy(signals, threshold)
