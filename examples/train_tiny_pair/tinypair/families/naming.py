"""Naming tasks: a pet, a band, a robot, a shop, a boat."""

from __future__ import annotations

from tinypair.source import Source
from tinypair.task import Slot, Task, slot
from tinypair.text import a_an
from tinypair.words import names
from tinypair.words.common import ADJECTIVES, NOUNS

ASKS = (
    "Name {a}.",
    "Suggest a name for {a}.",
    "What should I call my {thing}?",
    "Give me a name for my {thing}.",
    "I need a name for {a}.",
    "Can you think of a good name for my {thing}?",
    "What is a good name for {a}?",
    "Help me name my {thing}.",
    "Think of a name for {a}.",
)
FRAMES = (
    "You could call your {thing} {name}, which is a {feel} name.",
    "You could name your {thing} {name}.",
    "How about {name}? It is a {feel} name for {a}.",
    "I would call your {thing} {name}, because it sounds {feel}.",
)
FIRST_WORDS: dict[str, tuple[str, ...]] = {
    kind: tuple(dict.fromkeys((*firsts, *NOUNS)))
    for kind, firsts in (("band", names.BANDS), ("robot", names.ROBOTS), ("shop", names.SHOPS), ("boat", names.BOATS))
}
KINDS = ("pet", "band", "robot", "shop", "boat")
NAME_TEXT = {"pet": "{n}", "robot": "{n}", "band": "the {n} {m}", "boat": "the {n} {m}", "shop": "the {n} {m}"}
NAME_SLOTS: dict[str, dict[str, Slot]] = {
    "pet": {"n": slot(names.PET_NAMES)},
    "robot": {"n": slot(names.ROBOT_NAMES)},
    "band": {"n": slot(names.BAND_FIRST), "m": slot(names.BAND_LAST)},
    "boat": {"n": slot(names.BOAT_FIRST), "m": slot(names.BOAT_LAST)},
    "shop": {"n": slot(names.SHOP_FIRST), "m": slot(names.SHOP_LAST)},
}


def naming(source: Source) -> Task:
    """Draw a naming task; the thing to be named is its subject."""
    kind = source.rng.choices(KINDS, (4, 2, 2, 2, 2))[0]
    thing = _thing(kind, source)
    prompt = source.choice(ASKS).format(thing=thing, a=a_an(thing))
    frames = tuple(f.replace("{thing}", thing).replace("{a}", a_an(thing)).replace("{name}", NAME_TEXT[kind]) for f in FRAMES)
    return Task("naming", thing, prompt, frames, {**NAME_SLOTS[kind], "feel": slot(names.NAME_FEEL)})


def _thing(kind: str, source: Source) -> str:
    """Draw what is to be named; its last or first word always says of which kind it is."""
    adjective = f"{source.choice(ADJECTIVES)} " if source.rng.random() < 0.4 else ""
    if kind == "pet":
        return f"{adjective}pet {source.subject(names.PETS)}"
    return f"{adjective}{source.subject(FIRST_WORDS[kind])} {kind}"
