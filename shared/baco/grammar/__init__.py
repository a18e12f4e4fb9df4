"""What an answer may be, and how it is completed in time."""

from baco.grammar.grammar import Grammar

__all__ = ["Grammar"]
