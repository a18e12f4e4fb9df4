"""Where a task's chance comes from: one random generator, and the wall between training and evaluation.

Every family draws its subjects (the things, people, names and places that a prompt is about) here. A subject belongs either
to training or to evaluation, by a hash of its text, so that a prompt of the evaluation is about what no training text has named.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tinypair.text import invented_town, invented_word, stable_hash

HELD_OUT_SHARE = 6
"""One subject of so many is kept from training."""

T = TypeVar("T")


def is_held_out(subject: str, share: int = HELD_OUT_SHARE) -> bool:
    """Say whether a subject is kept from training."""
    return stable_hash(subject.lower()) % share == 0


@dataclass(frozen=True)
class Source:
    """Draws the parts of tasks. ``held_out`` says for whom: False for training, True for evaluation."""

    rng: random.Random
    held_out: bool = False

    def choice(self, options: Sequence[T]) -> T:
        """Draw what needs no wall: a phrasing, or one of a few kinds that must be learned."""
        return self.rng.choice(options)

    def subject(self, options: Sequence[str]) -> str:
        """Draw a subject on this side of the wall.

        Raises:
            ValueError: no option is on this side.
        """
        mine = [option for option in options if is_held_out(option) == self.held_out]
        if not mine:
            raise ValueError(f"none of these subjects is on the side held_out={self.held_out}: {options}")
        return self.rng.choice(mine)

    def word(self) -> str:
        """Make up a pronounceable, capitalised word on this side of the wall."""
        return self._made(invented_word)

    def town(self) -> str:
        """Make up the name of a town on this side of the wall."""
        return self._made(invented_town)

    def _made(self, make: Callable[[random.Random], str]) -> str:
        while True:
            made = make(self.rng)
            if is_held_out(made) == self.held_out:
                return made
