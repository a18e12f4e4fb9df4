"""Whole answers: score, compare and choose them."""

from baco.answers.comparison import drop_similar, similarity
from baco.answers.scoring import with_model_logprobs, with_scores
from baco.answers.selection import Selection

__all__ = ["Selection", "drop_similar", "similarity", "with_model_logprobs", "with_scores"]
