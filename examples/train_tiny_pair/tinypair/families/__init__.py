"""Prompt families of the miniature world: one subject a file, each a function that makes tasks."""

from __future__ import annotations

import random
from collections.abc import Callable

from tinypair.families.choosing import dinner, gift, hobby, place
from tinypair.families.context import context_list_task, context_task
from tinypair.families.dialogues import dialogue
from tinypair.families.facts import fact, small_talk, unknown
from tinypair.families.lists import three
from tinypair.families.naming import naming
from tinypair.families.rewriting import rewrite
from tinypair.families.stories import story
from tinypair.families.tools import tool_answer, tool_call, tool_chat
from tinypair.families.views import opinion, pick
from tinypair.source import Source
from tinypair.task import Task

Family = Callable[[Source], Task]

FAMILIES: dict[str, tuple[Family, float]] = {
    "naming": (naming, 4.0),
    "gift": (gift, 3.0),
    "place": (place, 2.5),
    "dinner": (dinner, 2.5),
    "hobby": (hobby, 2.5),
    "list": (three, 2.5),
    "story": (story, 4.0),
    "opinion": (opinion, 2.5),
    "pick": (pick, 2.5),
    "fact": (fact, 4.0),
    "talk": (small_talk, 1.0),
    "unknown": (unknown, 0.5),
    "rewrite": (rewrite, 4.0),
    "context": (context_task, 7.0),
    "context_list": (context_list_task, 1.5),
    "tool": (tool_call, 6.0),
    "tool_answer": (tool_answer, 4.0),
    "tool_chat": (tool_chat, 0.7),
    "dialogue": (dialogue, 3.0),
}
"""Every family with its share of the prompts of training."""
OPEN_FAMILIES = ("naming", "gift", "place", "dinner", "hobby", "list", "story", "opinion", "pick")
"""Families whose prompts have many right answers."""
CLOSED_FAMILIES = ("fact", "rewrite", "context", "tool", "tool_answer", "dialogue")
"""Families whose prompts have one right answer, however it is worded."""
CHAT_FAMILIES = (*OPEN_FAMILIES, "fact", "talk", "unknown", "rewrite")
"""Families that need nothing but the prompt, and so may follow anything in a conversation."""


def draw_task(source: Source, names: tuple[str, ...] = tuple(FAMILIES)) -> Task:
    """Draw a task of one of the given families by their weights."""
    name = source.rng.choices(names, [FAMILIES[name][1] for name in names])[0]
    return FAMILIES[name][0](source)


def held_out_tasks(family: str, count: int, seed: int) -> list[Task]:
    """Draw tasks of a family, about what training never named, each with a prompt of its own."""
    source = Source(random.Random(f"{seed}:{family}"), held_out=True)
    tasks: dict[str, Task] = {}
    while len(tasks) < count:
        task = FAMILIES[family][0](source)
        tasks[task.prompt] = task
    return list(tasks.values())
