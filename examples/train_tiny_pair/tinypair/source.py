"""Where a task's chance comes from: one random generator, and the wall between training and evaluation.

Every family draws its subjects (the things, people, names and places that a prompt is about) here. A subject belongs either
to training or to evaluation, by a hash of its text, so that a prompt of the evaluation is about what no prompt of training is about.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from tinypair.text import a_an, capitalise, invented_town, invented_word, odd_word, stable_hash
from tinypair.words.common import ADJECTIVES, NOUNS, RELATIONS
from tinypair.words.everyday import EVERYDAY
from tinypair.words.gifts import PEOPLE

HELD_OUT_SHARE = 6
"""One subject of so many is kept from training."""
MADE_UP_SHARE = 0.45
"""Share of training's subjects that are made up on the spot."""
LONGER_SHARE = 0.2
"""Share of the words made up for a subject that have another one before them."""
TAIL_SHARE = 0.1
"""Share of the made-up subjects of which the last word has a tail: "in the" or the like, and another word."""
TAILS = ("in the", "on the", "of the", "to the", "with the", "for my", "in", "on", "of", "to", "with")
KEPT_WORDS = frozenset("a an the my to in on of at for with".split())
"""Words that a made-up subject takes over from the one it is made after."""

T = TypeVar("T")


@lru_cache(1 << 16)
def is_held_out(subject: str) -> bool:
    """Say whether a subject is kept from training, by its last word: "the old book" and "books" are on one side."""
    return stable_hash(subject.lower().split()[-1].removesuffix("s")) % HELD_OUT_SHARE == 0


def asked_only_in_evaluation(question: str) -> bool:
    """Say whether a question is kept from training, by all its words: for what must be known, and is held out in its wording alone."""
    return stable_hash(question.lower()) % HELD_OUT_SHARE == 0


@dataclass(frozen=True)
class Source:
    """Draws the parts of tasks. ``held_out`` says for whom: False for training, True for evaluation."""

    rng: random.Random
    held_out: bool = False

    def choice(self, options: Sequence[T]) -> T:
        """Draw what needs no wall: a phrasing, or one of a few kinds that must be learned."""
        return self.rng.choice(options)

    def subject(self, options: Sequence[str], longer: float = LONGER_SHARE) -> str:
        """Draw a subject on this side of the wall; in training, a share of them are made up on the spot after one of the others.

        A model must read a subject from the prompt. A few dozen of them it would learn by heart instead, and take a new one for one of
        those. ``longer`` is the share of made-up words that have another one before them; 0 keeps the number of words.

        Raises:
            ValueError: no option is on this side.
        """
        mine = [option for option in options if is_held_out(option) == self.held_out]
        if not mine:
            raise ValueError(f"none of these subjects is on the side held_out={self.held_out}: {options}")
        option = self.rng.choice(mine)
        if self.held_out or self.rng.random() >= MADE_UP_SHARE:
            return option
        return _made_after(option, longer, self.rng)

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


def _made_after(option: str, longer: float, rng: random.Random) -> str:
    """Put other words into a subject: odd ones, and everyday ones that have no business there. Its small words and its form stay."""
    made: list[str] = []
    for word, mark in re.findall(r"(\S+?)(\W*)(?:\s|$)", option):
        if word in KEPT_WORDS:
            made.append(word)
            continue
        if rng.random() < longer and word[0].islower():
            made.append(_odd(rng))
        plural = "s" if word.endswith("s") and not word.endswith("ss") else ""
        made.append((capitalise if word[0].isupper() else str)(_odd(rng)) + plural + mark)
    if longer and made[-1][0].islower() and rng.random() < TAIL_SHARE:
        made += [rng.choice(TAILS), _odd(rng)]
    return a_an(" ".join(made[1:])) if made[0] in ("a", "an") else " ".join(made)


def _odd(rng: random.Random) -> str:
    """Draw a word that a subject does not foresee, on the side of training."""
    while is_held_out(word := odd_word(rng) if rng.random() < 0.5 else rng.choice(EVERYDAY)):
        pass
    return word
