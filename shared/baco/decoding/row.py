"""One answer in the decode loop: its settings, its state, and the passes it is counted in.

Knows what a row holds; knows no model and no schedule.
"""

from dataclasses import dataclass, field

from torch import Tensor

from baco.config import SamplingParams
from baco.decoding.sequence import SequenceState
from baco.grammar.guide import Guide
from baco.results import Model
from baco.routing import Router
from baco.text.prompts import Prompt


@dataclass(slots=True)
class PassCount:
    """Passes of each model that fed any of the rows which share this count."""

    base: int = 0
    aligned: int = 0
    last: int = -1
    """Number of the last pass that was counted."""
    reused: dict[Model, int] = field(default_factory=dict)
    """Tokens of the prompt that each model had read before, or was reading for another request, when the first row came."""

    def count(self, which: Model, number: int) -> None:
        """Count a pass once, however many rows it fed."""
        if number != self.last:
            self.last = number
            setattr(self, which, getattr(self, which) + 1)


@dataclass(kw_only=True, slots=True, eq=False)
class Row:
    """One answer to be decoded, with its settings and its state."""

    prompt: Prompt
    params: SamplingParams
    router: Router
    seed: int
    sample_index: int
    sequence: SequenceState
    passes: PassCount
    guide: Guide | None = None
    """Follows the answer through its grammar, if it has one."""
    noise: dict[int, Tensor] = field(default_factory=dict)
    """Noise [V] at positions that one model has drawn at and the other one may: both draw with the same."""

    def drop_noise(self) -> None:
        """Let go of the noise of tokens that are final."""
        self.noise = {position: values for position, values in self.noise.items() if position >= self.sequence.num_committed}


@dataclass(frozen=True, slots=True)
class Query:
    """A position of one row at which a model has been read."""

    row: int
    """Index of the row in the batch."""
    position: int
