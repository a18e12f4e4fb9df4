"""`TurnPolicy`: which model runs next, and how many draft tokens a row may have. Changes what a step costs, never what is decoded.

Speculation saves passes and wastes the tokens that are rejected. While a pass is bound by memory bandwidth, more tokens cost almost nothing
and it pays; with many rows a pass is bound by computation, and lockstep (one committed token per row and two passes) is cheaper. Where this
changes depends on the machine and on the pair, so it is measured while decoding. All of it is our own choice. Knows counts and seconds;
knows no models.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from baco.decoding.sequence import SequenceState
from baco.results import Model

MAX_DRAFT_TOKENS = 4
WORTH_VERIFYING = 0.4
"""A draft token is computed while the chance that it and all before it are accepted is at least this."""
DECAY = 0.98
"""Factor on the weight of earlier passes for each new one."""
ENOUGH_PASSES = 20.0
MARGIN = 0.95
"""The policy changes only if the expected cost is less than this fraction of the present one."""
SHORT_PASS = 256
"""Passes of more tokens are prefills, whose cost says nothing about decoding."""


class PassCost:
    """Seconds of a pass as a linear function of its tokens: least squares with exponentially decaying weights."""

    def __init__(self) -> None:
        self.weight = self.tokens = self.seconds = self.squares = self.products = 0.0

    def note(self, tokens: int, seconds: float) -> None:
        """Add the measurement of one pass."""
        self.weight = DECAY * self.weight + 1
        self.tokens = DECAY * self.tokens + tokens
        self.seconds = DECAY * self.seconds + seconds
        self.squares = DECAY * self.squares + tokens**2
        self.products = DECAY * self.products + tokens * seconds

    def line(self) -> tuple[float, float] | None:
        """Seconds per pass and seconds per token; None while too few or too similar passes were measured to tell them apart."""
        spread = self.weight * self.squares - self.tokens**2
        if self.weight < ENOUGH_PASSES or spread < 0.1 * self.tokens**2:
            return None
        slope = max(0.0, (self.weight * self.products - self.tokens * self.seconds) / spread)
        return max(0.0, (self.seconds - slope * self.tokens) / self.weight), slope


class TurnPolicy:
    """Chooses the turns of one decoder."""

    def __init__(self) -> None:
        self.speculates = True
        """Whether rows compute draft tokens."""
        self.adapts = True
        """Whether `speculates` follows from measured costs; otherwise it stays as it is set."""
        self.passes = 0
        """Number of the current pass."""
        self.cost = PassCost()
        self.tokens_per_row = 1.9
        """Tokens that a row computes in a pass while it speculates; this and the next start at what trained pairs show."""
        self.committed_per_row = 0.83
        """Tokens that a row commits in a pass while it speculates."""
        self._last: Model = "aligned"

    def choose(self, needs: Sequence[tuple[Model, int]]) -> Model:
        """Choose the model for which rows have waited longest in sum, given each row's model and the steps it has waited."""
        other: Model = "aligned" if self._last == "base" else "base"
        if sum(waited if which == other else -waited for which, waited in needs) >= 0:
            self._last = other
        self.passes += 1
        return self._last

    def num_draft_tokens(self, sequence: SequenceState, lookup: int) -> int:
        """How many draft tokens a row may compute, where `lookup` of them are from `PromptLookup`."""
        if not self.speculates:
            return 0
        # Starts as if one of two draft tokens had been accepted.
        rate = (sequence.accepted + 1) / (sequence.proposed + 2)
        num_draft_tokens = 1
        while num_draft_tokens < MAX_DRAFT_TOKENS and rate ** (num_draft_tokens + 1) >= WORTH_VERIFYING:
            num_draft_tokens += 1
        return max(num_draft_tokens, lookup + 1 if lookup else 0)

    @contextmanager
    def timed(self, tokens: int) -> Iterator[None]:
        """Measure the pass of so many tokens inside the block."""
        start = time.perf_counter()
        yield
        if tokens <= SHORT_PASS:
            self.cost.note(tokens, time.perf_counter() - start)

    def learn(self, rows: int, tokens: int, committed: int) -> None:
        """Take in a decode step without prefills, which computed and committed so many tokens; decide whether the next one speculates."""
        if self.speculates:
            self.tokens_per_row = DECAY * self.tokens_per_row + (1 - DECAY) * tokens / rows
            self.committed_per_row = DECAY * self.committed_per_row + (1 - DECAY) * committed / rows
        line = self.cost.line() if self.adapts else None
        if line is not None:
            fixed, slope = line
            speculative = (fixed + slope * rows * self.tokens_per_row) / self.committed_per_row
            lockstep = 2 * (fixed + slope * rows)
            self.speculates = speculative * MARGIN < lockstep if self.speculates else speculative < MARGIN * lockstep
