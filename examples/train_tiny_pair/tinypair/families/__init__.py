"""Prompt families of the miniature world: one subject a file, each a function that makes tasks."""

from __future__ import annotations

import random
from collections.abc import Callable

from tinypair.families.choosing import dinner, gift, hobby, place
from tinypair.families.context import context_task
from tinypair.families.facts import fact, small_talk, unknown
from tinypair.families.lists import three
from tinypair.families.naming import naming
from tinypair.families.stories import story
from tinypair.families.views import opinion, pick
from tinypair.task import Task
from tinypair.text import stable_hash

Family = Callable[[random.Random], Task]

FAMILIES: dict[str, tuple[Family, float]] = {
    "naming": (naming, 4.0),
    "gift": (gift, 3.0),
    "place": (place, 1.5),
    "dinner": (dinner, 1.5),
    "hobby": (hobby, 1.5),
    "list": (three, 2.0),
    "story": (story, 4.0),
    "opinion": (opinion, 1.5),
    "pick": (pick, 1.5),
    "fact": (fact, 4.0),
    "talk": (small_talk, 1.0),
    "unknown": (unknown, 0.5),
    "context": (context_task, 6.0),
}
CHAT_FAMILIES = tuple(name for name in FAMILIES if name != "context")
OPEN_FAMILIES = ("naming", "gift", "place", "dinner", "hobby", "list", "story", "opinion", "pick")
HELD_OUT_SHARE = 12


def held_out(task: Task) -> bool:
    """Say whether an open prompt is kept from training (one in ``HELD_OUT_SHARE``)."""
    return task.family in OPEN_FAMILIES and stable_hash(task.prompt) % HELD_OUT_SHARE == 0


def draw_task(rng: random.Random, names: tuple[str, ...] = CHAT_FAMILIES) -> Task:
    """Draw a task for training, of one of the given families by their weights."""
    while True:
        name = rng.choices(names, [FAMILIES[name][1] for name in names])[0]
        task = FAMILIES[name][0](rng)
        if not held_out(task):
            return task
