"""A task: one prompt of the world together with the grammar of its right answers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tinypair.text import capitalise

SLOT = re.compile(r"\{(\^?)(\w+)\}")
FAVOURITE_WEIGHTS = (0.78, 0.13, 0.06, 0.03)
FIRST_FRAME_DIVERSE = 0.8
FIRST_FRAME_FAVOURITE = 0.97

Message = Mapping[str, Any]
"""A chat message: "role" and "content", and for an assistant's calls "tool_calls" in OpenAI's form."""
Draw = Callable[[str, int], str]


@dataclass(frozen=True)
class Slot:
    """The choices for one gap of an answer: every right one, and the favourites among them, best first."""

    options: tuple[str, ...]
    favourites: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A prompt with the frames and slots that make its right answers.

    A frame is a text with gaps: ``{name}`` takes an option of that slot, ``{^name}`` the same with a
    capital. A gap that occurs twice takes two different options. The first frame is the usual one.
    """

    family: str
    subject: str
    prompt: str
    frames: tuple[str, ...]
    slots: Mapping[str, Slot]
    system: str = ""
    history: tuple[Message, ...] = ()
    """Messages between the system's and the prompt."""
    after: tuple[Message, ...] = ()
    """Messages after the prompt: a tool's call and its result, which the answer reports."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """The tools on offer, as OpenAI-style function descriptions."""

    def messages(self) -> list[Message]:
        """Give the task as chat messages, up to where the answer starts."""
        system: list[Message] = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self.history, {"role": "user", "content": self.prompt}, *self.after]


def slot(options: tuple[str, ...], favourites: tuple[str, ...] | None = None) -> Slot:
    """Make a slot; the first few options are the favourites unless others are given."""
    return Slot(options, (favourites or options)[: len(FAVOURITE_WEIGHTS)])


def combine(heads: tuple[str, ...], tails: tuple[str, ...]) -> tuple[str, ...]:
    """Make a frame of every head with every tail."""
    return tuple(head + tail for head in heads for tail in tails)


def fill(frame: str, draw: Draw) -> str:
    """Fill a frame's gaps: ``draw(name, i)`` gives the i-th use of a slot."""
    seen: dict[str, int] = {}

    def replace(match: re.Match[str]) -> str:
        name = match.group(2)
        seen[name] = seen.get(name, -1) + 1
        text = draw(name, seen[name])
        return capitalise(text) if match.group(1) else text

    return SLOT.sub(replace, frame)


def diverse_answer(task: Task, rng: random.Random) -> str:
    """Draw a right answer as varied people would give it: any frame, any option."""
    first = len(task.frames) == 1 or rng.random() < FIRST_FRAME_DIVERSE
    frame = task.frames[0] if first else rng.choice(task.frames[1:])
    order = {name: rng.sample(s.options, min(4, len(s.options))) for name, s in task.slots.items()}
    return fill(frame, lambda name, i: order[name][i])


def favourite_answer(task: Task, rng: random.Random) -> str:
    """Draw a right answer with narrow taste: nearly always the usual frame and a favourite."""
    first = len(task.frames) == 1 or rng.random() < FIRST_FRAME_FAVOURITE
    frame = task.frames[0] if first else rng.choice(task.frames[1:])
    rank = rng.choices(range(len(FAVOURITE_WEIGHTS)), FAVOURITE_WEIGHTS)[0]

    def draw(name: str, i: int) -> str:
        favourites = task.slots[name].favourites
        return favourites[(rank + i) % len(favourites)]

    return fill(frame, draw)
