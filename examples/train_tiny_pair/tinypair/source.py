"""Where a task's chance comes from: one random generator, and the wall between training and evaluation.

Every family draws its subjects (the things, people, names and places that a prompt is about) here. A subject belongs either
to training or to evaluation, by a hash of its text, so that a prompt of the evaluation is about what no prompt of training is about.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tinypair.text import capitalise, invented_town, invented_word, odd_word, stable_hash
from tinypair.words.common import ADJECTIVES, NOUNS, RELATIONS
from tinypair.words.gifts import PEOPLE

HELD_OUT_SHARE = 6
"""One subject of so many is kept from training."""
MADE_UP_SHARE = 0.3
"""Share of training's subjects that are words made up on the spot."""

T = TypeVar("T")


def is_held_out(subject: str) -> bool:
    """Say whether a subject is kept from training, by its last word: "the old book" and "books" are on one side."""
    return stable_hash(subject.lower().split()[-1].removesuffix("s")) % HELD_OUT_SHARE == 0


@dataclass(frozen=True)
class Source:
    """Draws the parts of tasks. ``held_out`` says for whom: False for training, True for evaluation."""

    rng: random.Random
    held_out: bool = False

    def choice(self, options: Sequence[T]) -> T:
        """Draw what needs no wall: a phrasing, or one of a few kinds that must be learned."""
        return self.rng.choice(options)

    def subject(self, options: Sequence[str], made_up: float = MADE_UP_SHARE) -> str:
        """Draw a subject on this side of the wall; in training, a share of them are words made up on the spot.

        A model must read a subject from the prompt. A few dozen of them it would learn by heart instead, and take a new one for one of
        those.

        Raises:
            ValueError: no option is on this side.
        """
        if not self.held_out and self.rng.random() < made_up:
            word = self._made(odd_word)
            return capitalise(word) if options[0][0].isupper() else word
        mine = [option for option in options if is_held_out(option) == self.held_out]
        if not mine:
            raise ValueError(f"none of these subjects is on the side held_out={self.held_out}: {options}")
        return self.rng.choice(mine)

    def noun(self) -> str:
        """Draw a noun, often with an adjective before it; the noun is on this side of the wall."""
        noun = self.subject(NOUNS)
        return f"{self.choice(ADJECTIVES)} {noun}" if self.rng.random() < 0.5 else noun

    def somebody(self) -> str:
        """Draw a person as others speak of one: a relation, a relation with a name, or a trade."""
        if self.rng.random() < 0.5:
            return self.subject(PEOPLE)
        return f"{self.choice(RELATIONS)} {self.word()}"

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
