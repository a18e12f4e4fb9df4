"""Several answers to one prompt: how many to draw, which of them to keep, and in which order they come back.

Knows of answers what it is told; draws none.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from baco.answers.comparison import drop_similar, similarity_rule
from baco.checks import is_integer, is_number, require
from baco.config import SamplingParams

Answer = TypeVar("Answer")
BUDGET = 2
"""A token budget is so many times what all answers have at most, unless it is said (our own choice)."""


@dataclass(kw_only=True)
class Selection(Generic[Answer]):
    """The answers to one prompt so far.

    Args:
        n: how many are wanted.
        params: how each is sampled.
        distinct: drop an answer that is too much like one before it: a number in (0, 1] is the similarity (`baco.answers.similarity`)
            from which on it is dropped; or a function that says whether two answers are too much alike; or None.
        rank: put the best first: by "likelihood", or by a function that gives an answer a number; or None.
        token_budget: tokens that all answers together may have, the dropped ones included. None: twice n times `max_tokens`.
        text: what an answer says.
        score: how likely the aligned model finds an answer.

    Raises:
        ConfigError: a value is out of its range, or answers at temperature 0 are asked to differ.
    """

    n: int
    params: SamplingParams
    distinct: float | Callable[[Answer, Answer], bool] | None
    rank: Literal["likelihood"] | Callable[[Answer], float] | None
    token_budget: int | None
    text: Callable[[Answer], str]
    score: Callable[[Answer], float]
    kept: list[Answer] = field(default_factory=list)
    spent: int = 0
    num_rounds: int = 0

    def __post_init__(self) -> None:
        require(is_integer(self.n) and self.n >= 1, "n", "an integer of at least 1", self.n)
        near = self.distinct is None or callable(self.distinct) or (is_number(self.distinct) and 0 < self.distinct <= 1)
        require(near, "distinct", "None, a number in (0, 1] or a function of two answers", self.distinct)
        ranked = self.rank in (None, "likelihood") or callable(self.rank)
        require(ranked, "rank", 'None, "likelihood" or a function of an answer', self.rank)
        hot = self.n == 1 or not self.params.is_greedy
        require(hot, "temperature", "above 0 where answers are to differ", self.params.temperature)
        least, budget = self.n * self.params.max_tokens, self.token_budget
        require(budget is None or self.distinct is not None, "token_budget", "left out without `distinct`", budget)
        enough = budget is None or (is_integer(budget) and budget >= least)
        require(enough, "token_budget", f"None or at least {least}, n times `max_tokens`", budget)

    def missing(self) -> int:
        """How many answers to draw now; 0 when there are enough, or no further one fits into the budget."""
        if not self.num_rounds:
            return self.n
        if self.distinct is None:
            return 0
        budget = self.token_budget or BUDGET * self.n * self.params.max_tokens
        return max(0, min(self.n - len(self.kept), (budget - self.spent) // self.params.max_tokens))

    def seed(self) -> int | None:
        """The seed of the answers to draw now. A round has its own, else it would give the answers of the first again."""
        if self.params.seed is None or not self.num_rounds:
            return self.params.seed
        return random.Random(f"{self.params.seed} {self.num_rounds}").getrandbits(63)

    def rounds(self) -> Iterator[tuple[int, int | None]]:
        """Yield how many answers to draw and their seed, round by round, until `missing` is 0. Each round is given to `take`."""
        while count := self.missing():
            yield count, self.seed()

    def take(self, answers: Sequence[Answer], tokens: int) -> None:
        """Take the answers of a round, which have so many tokens together, and drop those that are too much like earlier ones."""
        # Answers that ended before their first token cost something too, or they would be drawn for ever.
        self.spent += max(tokens, len(answers))
        self.num_rounds += 1
        self.kept += answers if self.distinct is None else drop_similar(answers, similarity_rule(self.distinct, self.text), self.kept)

    def result(self) -> list[Answer]:
        """What was kept, the best first where they are ranked."""
        if self.rank is None:
            return list(self.kept)
        return sorted(self.kept, key=self.score if self.rank == "likelihood" else self.rank, reverse=True)
