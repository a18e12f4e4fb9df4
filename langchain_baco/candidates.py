"""Several answers to one prompt: what is asked of each, and their chunks. Knows messages; calls no model."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

from langchain_core.messages import AIMessage, AIMessageChunk

from baco.parsing import answer

Likeness = float | Callable[[AIMessage, AIMessage], bool] | None
Rank = Literal["likelihood"] | Callable[[AIMessage], float] | None


def score(message: AIMessage) -> float:
    """How likely the aligned model finds an answer."""
    return cast(float, message.response_metadata["baco"]["score"])


def readable(message: AIMessage) -> str:
    """What an answer says: its text and its calls."""
    return answer.readable(message.text, ((call["name"], call["args"]) for call in message.tool_calls))


class CandidateChunk(NamedTuple):
    """A piece of one of several answers."""

    candidate: int
    """Which answer, from 0."""
    chunk: AIMessageChunk


class Candidates(list[AIMessageChunk | None]):
    """Pieces of several answers, None where there is none; adding two joins the pieces of each answer."""

    @classmethod
    def of(cls, piece: CandidateChunk, n: int) -> "Candidates":
        """One piece, at its place among n."""
        return cls(piece.chunk if index == piece.candidate else None for index in range(n))

    def __add__(self, other: Any) -> "Candidates":  # type: ignore[override]
        """Join the pieces of each answer."""
        pairs = zip(self, other, strict=True)
        return Candidates(two if one is None else one if two is None else cast(AIMessageChunk, one + two) for one, two in pairs)
