"""`TurnPolicy`: whose turn it is, and how far rows may run ahead. Changes what a step costs, never what is decoded.

Running ahead saves passes and wastes the tokens that are dropped. While a pass is bound by reading the weights, tokens are almost free
and it pays; with many rows, computing takes over, and lockstep (each row one sure token a pass) is cheaper. Where that is depends on the
machine and on the pair, so both are measured while they run. All of it is our own choice.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from baco.decoding.sequence import SequenceState
from baco.results import Model

MAX_DRAFT_TOKENS = 4
WORTH_VERIFYING = 0.4
"""A proposal is read on while the chance that all before it stand is at least this."""
MEMORY = 0.98
"""Weight of what is known of passes when one more is measured."""
ENOUGH_PASSES = 20.0
MARGIN = 0.95
"""The other way must be expected to be this much cheaper before it is taken."""
SHORT_PASS = 256
"""Passes of more tokens are prompts, whose cost says nothing about steps."""


class PassCost:
    """Seconds of a pass by its tokens: a straight line through what was measured, with exponentially fading weights."""

    def __init__(self) -> None:
        self.weight = self.tokens = self.seconds = self.squares = self.products = 0.0

    def note(self, tokens: int, seconds: float) -> None:
        """Take in one pass."""
        self.weight = MEMORY * self.weight + 1
        self.tokens = MEMORY * self.tokens + tokens
        self.seconds = MEMORY * self.seconds + seconds
        self.squares = MEMORY * self.squares + tokens**2
        self.products = MEMORY * self.products + tokens * seconds

    def line(self) -> tuple[float, float] | None:
        """Seconds of a pass without tokens, and of each token; None while too little is known to tell them apart."""
        spread = self.weight * self.squares - self.tokens**2
        if self.weight < ENOUGH_PASSES or spread < 0.1 * self.tokens**2:
            return None
        slope = max(0.0, (self.weight * self.products - self.tokens * self.seconds) / spread)
        return max(0.0, (self.seconds - slope * self.tokens) / self.weight), slope


class TurnPolicy:
    """The turns of one decoder."""

    def __init__(self) -> None:
        self.speculates = True
        """Whether rows are fed what is only proposed."""
        self.adapts = True
        """Whether `speculates` follows from what passes cost; else it stays as it is set."""
        self.passes = 0
        """Number of the current pass."""
        self.cost = PassCost()
        self.tokens_per_row = 1.9
        """Tokens that a row is fed in a pass while it runs ahead; these two start at what trained pairs show."""
        self.committed_per_row = 0.83
        """Tokens that become final for it."""
        self._last: Model = "aligned"

    def choose(self, needs: Sequence[tuple[Model, int]]) -> Model:
        """Pick the model for which rows have waited longest in sum; needs are (model, steps waited)."""
        waiting: Counter[Model] = Counter()
        for which, waited in needs:
            waiting[which] += waited
        other: Model = "aligned" if self._last == "base" else "base"
        self._last = other if waiting[other] >= waiting[self._last] else self._last
        self.passes += 1
        return self._last

    def num_draft_tokens(self, sequence: SequenceState, draft: int) -> int:
        """How many proposals of a row may be fed, where `draft` of them are an open draft."""
        if not self.speculates:
            return 0
        # One kept and one dropped to begin with.
        rate = (sequence.accepted + 1) / (sequence.proposed + 2)
        num_draft_tokens = 1
        while num_draft_tokens < MAX_DRAFT_TOKENS and rate ** (num_draft_tokens + 1) >= WORTH_VERIFYING:
            num_draft_tokens += 1
        return max(num_draft_tokens, draft + 1 if draft else 0)

    @contextmanager
    def timed(self, tokens: int) -> Iterator[None]:
        """Note what the pass of so many tokens inside the block costs."""
        start = time.perf_counter()
        yield
        if tokens <= SHORT_PASS:
            self.cost.note(tokens, time.perf_counter() - start)

    def learn(self, rows: int, fed: int, gained: int) -> None:
        """Note a step of routed rows that were past their prompts, and decide how the next one goes."""
        if self.speculates:
            self.tokens_per_row = MEMORY * self.tokens_per_row + (1 - MEMORY) * fed / rows
            self.committed_per_row = MEMORY * self.committed_per_row + (1 - MEMORY) * gained / rows
        line = self.cost.line() if self.adapts else None
        if line is not None:
            fixed, slope = line
            ahead = (fixed + slope * rows * self.tokens_per_row) / self.committed_per_row
            lockstep = 2 * (fixed + slope * rows)
            self.speculates = ahead * MARGIN < lockstep if self.speculates else ahead < MARGIN * lockstep
