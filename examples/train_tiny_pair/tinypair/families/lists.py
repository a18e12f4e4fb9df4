"""List tasks: three ideas on a topic, or three names, gifts, dinners, places."""

from __future__ import annotations

import random

from tinypair.task import Task, slot
from tinypair.text import a_an, rotate
from tinypair.words import choices, gifts, ideas, names

ASKS = (
    "Give me three ideas for {topic}.",
    "List three ideas for {topic}.",
    "Name three ideas for {topic}.",
    "I need three ideas for {topic}.",
    "What are three ideas for {topic}?",
    "Write a list of three ideas for {topic}.",
)
LIST = "1. {^x}\n2. {^x}\n3. {^x}"
FRAMES = (
    f"Here are three ideas:\n{LIST}",
    LIST,
    "You could choose {x}, {x} or {x}.",
)


def three(rng: random.Random) -> Task:
    """Draw a task that asks for a list of three."""
    kind = rng.choices(("idea", "name", "gift", "dinner", "place"), (5, 1, 2, 1, 1))[0]
    if kind == "idea":
        topic = rng.choice(list(ideas.IDEAS))
        options = ideas.IDEAS[topic]
    elif kind == "name":
        thing = rng.choice(names.PETS)
        topic, options = f"the name of {a_an(thing)}", names.PET_NAMES
        options = rotate(options, thing)
    elif kind == "gift":
        who, love = rng.choice(gifts.PEOPLE), rng.choice(list(gifts.GIFTS))
        topic, options = f"a gift for my {who} who loves {love}", gifts.GIFTS[love]
    elif kind == "dinner":
        style = rng.choice(list(choices.DINNERS))
        topic, options = f"a {style} dinner", choices.DINNERS[style]
    else:
        style = rng.choice(list(choices.PLACES))
        topic, options = f"a trip {style}", choices.PLACES[style]
    prompt = rng.choice(ASKS).format(topic=topic)
    return Task("list", topic, prompt, FRAMES, {"x": slot(options)})
