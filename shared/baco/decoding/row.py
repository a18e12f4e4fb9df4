"""`Row`: one answer in the decode loop, with its settings, its state, and the passes it took part in.

Knows what a row holds; knows no model and no turn policy.
"""

from dataclasses import dataclass, field

from torch import Tensor

from baco.config import ResolvedSamplingParams
from baco.decoding.sequence import SequenceState
from baco.grammar.guide import Guide
from baco.results import Model
from baco.routing import Router


@dataclass(slots=True)
class PassCount:
    """Passes of each model in which any of the rows that share this count took part."""

    base: int = 0
    aligned: int = 0
    last: int = -1
    """Number of the last counted pass."""
    reused: dict[Model, int] = field(default_factory=dict)
    """Tokens of the prompt that were in the prefix cache, or being prefilled by another request, when the first row came."""

    def count(self, which: Model, number: int) -> None:
        """Count a pass once, however many of the rows took part."""
        if number != self.last:
            self.last = number
            setattr(self, which, getattr(self, which) + 1)


@dataclass(kw_only=True, slots=True, eq=False)
class Row:
    """One answer to be decoded, with its settings and its state."""

    params: ResolvedSamplingParams
    router: Router
    seed: int
    sample_index: int
    sequence: SequenceState
    passes: PassCount
    guide: Guide | None = None
    """The state of its grammar, if it has one."""
    noise: dict[int, Tensor] = field(default_factory=dict)
    """Noise [V] by position, kept because both models draw with the same."""

    def drop_noise(self) -> None:
        """Drop the noise of committed tokens."""
        self.noise = {position: values for position, values in self.noise.items() if position >= self.sequence.num_committed}


@dataclass(frozen=True, slots=True)
class Query:
    """A position of one row at which a model's prediction is needed."""

    row: int
    """Index of the row in the batch."""
    position: int
