"""Several answers to one prompt: which of them to keep, when to draw more, in which order they come back; and their chunks.

Knows messages; calls no model.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from langchain_core.messages import AIMessage, AIMessageChunk

from baco.distinct import distinct, likeness

Likeness = float | Callable[[AIMessage, AIMessage], bool] | None
Rank = Literal["likelihood"] | Callable[[AIMessage], float] | None


@dataclass
class Selection:
    """The answers to one prompt so far."""

    n: int
    distinct: Likeness
    rank: Rank
    max_tokens: int
    token_budget: int
    seed: int | None
    kept: list[AIMessage] = field(default_factory=list)
    spent: int = 0
    rounds: int = 0

    def missing(self) -> int:
        """How many answers to draw now; 0 when there are enough, or no further one fits into the budget."""
        if self.rounds and self.distinct is None:
            return 0
        affordable = (self.token_budget - self.spent) // self.max_tokens if self.rounds else self.n
        return max(0, min(self.n - len(self.kept), affordable))

    def settings(self) -> dict[str, Any]:
        """Settings of the call that draws them. A round has a seed of its own, else it would give the answers of the first again."""
        seed = self.seed
        if seed is not None and self.rounds:
            seed = random.Random(f"{seed} {self.rounds}").getrandbits(63)
        # LangChain would decode as a stream for some callbacks, and a stream is of one answer.
        return {"n": self.missing(), "seed": seed, "stream": False, "score": self.rank == "likelihood"}

    def take(self, messages: Sequence[AIMessage]) -> None:
        """Take the answers of a round, and drop those that are too much like earlier ones."""
        usage = messages[0].usage_metadata
        self.spent += 0 if usage is None else usage["output_tokens"]
        self.rounds += 1
        self.kept += messages if self.distinct is None else distinct(messages, self._are_alike, self.kept)

    def result(self) -> list[AIMessage]:
        """What was kept, the best first where they are ranked."""
        if self.rank is None:
            return list(self.kept)
        key = _score if self.rank == "likelihood" else self.rank
        return sorted(self.kept, key=key, reverse=True)

    def _are_alike(self, one: AIMessage, other: AIMessage) -> bool:
        if callable(self.distinct):
            return self.distinct(one, other)
        assert self.distinct is not None, "asked only where answers are to be distinct"
        return likeness(readable(one), readable(other)) >= self.distinct


def _score(message: AIMessage) -> float:
    return cast(float, message.response_metadata["baco"]["score"])


def readable(message: AIMessage) -> str:
    """What an answer says: its text and its calls."""
    calls = [json.dumps([call["name"], call["args"]], sort_keys=True, ensure_ascii=False, default=str) for call in message.tool_calls]
    return "\n".join([message.text, *calls])


class CandidateChunk(NamedTuple):
    """A piece of one of several answers."""

    candidate: int
    """Which answer, from 0."""
    chunk: AIMessageChunk


class Candidates(list[AIMessageChunk | None]):
    """Several answers as far as they are known, None where nothing is; added to another, the pieces of each are joined."""

    @classmethod
    def of(cls, piece: CandidateChunk, n: int) -> "Candidates":
        """One piece, at its place among n."""
        return cls(piece.chunk if index == piece.candidate else None for index in range(n))

    def __add__(self, other: Any) -> "Candidates":  # type: ignore[override]
        """Join the pieces of each answer."""
        pairs = zip(self, other, strict=True)
        return Candidates(two if one is None else one if two is None else cast(AIMessageChunk, one + two) for one, two in pairs)
