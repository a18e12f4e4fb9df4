"""What an answer may be, and how it is brought to its end."""

from baco.grammar.grammar import Grammar

__all__ = ["Grammar"]
