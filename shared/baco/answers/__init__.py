"""Whole answers: compare and choose them."""

from baco.answers.comparison import drop_similar, similarity
from baco.answers.selection import Selection

__all__ = ["Selection", "drop_similar", "similarity"]
