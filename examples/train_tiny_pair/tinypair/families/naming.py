"""Naming tasks: a pet, a band, a robot, a shop, a boat."""

from __future__ import annotations

import random

from tinypair.task import Slot, Task, combine, slot
from tinypair.text import a_an, rotate
from tinypair.words import names

ASKS = (
    "Name {a}.",
    "Suggest a name for {a}.",
    "What should I call my {thing}?",
    "Give me a name for my new {thing}.",
    "I need a name for {a}.",
    "Can you think of a good name for my {thing}?",
    "What is a good name for {a}?",
    "Help me name my {thing}.",
    "We just got {a}. What should we call it?",
    "Think of a name for {a}.",
    "Invent a name for {a}.",
    "My {thing} has no name yet. Any ideas?",
)
PET_ASKS = (
    "Name a pet {thing}.",
    "Suggest a name for a pet {thing}.",
    "I adopted {a} today. What should I name it?",
    "What would you call a pet {thing}?",
)
FRAMES = (
    *combine(
        ("You could call your {thing} {name}", "You could call it {name}", "You could name your {thing} {name}", "I would call it {name}"),
        (".", ", which is a {feel} name.", ", because it sounds {feel}."),
    ),
    "How about {name}? It is a {feel} name for {a}.",
    "{name} would be a {feel} name for your {thing}.",
)


def _name_slot(kind: str, thing: str, rng: random.Random) -> dict[str, Slot]:
    """Give the slots that make a name for one kind of thing."""
    del rng
    if kind == "pet":
        return {"n": slot(names.PET_NAMES, rotate(names.PET_NAMES, thing))}
    if kind == "robot":
        return {"n": slot(names.ROBOT_NAMES, rotate(names.ROBOT_NAMES, thing))}
    first, last = {
        "band": (names.BAND_FIRST, names.BAND_LAST),
        "boat": (names.BOAT_FIRST, names.BOAT_LAST),
        "shop": (names.SHOP_FIRST, names.SHOPS.get(thing, ())),
    }[kind]
    return {"n": slot(first, rotate(first, thing)), "m": slot(last, rotate(last, thing))}


NAME_TEXT = {"pet": "{n}", "robot": "{n}", "band": "the {n} {m}", "boat": "the {n} {m}", "shop": "the {n} {m}"}
THINGS = {
    "pet": names.PETS,
    "band": names.BANDS,
    "robot": names.ROBOTS,
    "shop": tuple(names.SHOPS),
    "boat": names.BOATS,
}


def naming(rng: random.Random) -> Task:
    """Draw a naming task."""
    kind = rng.choices(list(THINGS), (4, 2, 2, 2, 2))[0]
    thing = rng.choice(THINGS[kind])
    asks = ASKS + PET_ASKS if kind == "pet" else ASKS
    prompt = rng.choice(asks).format(thing=thing, a=a_an(thing))
    name = NAME_TEXT[kind]
    frames = tuple(_frame(frame, thing, name) for frame in FRAMES)
    slots = {**_name_slot(kind, thing, rng), "feel": slot(names.NAME_FEEL)}
    return Task("naming", f"{kind}:{thing}", prompt, frames, slots)


def _frame(frame: str, thing: str, name: str) -> str:
    """Put the thing and the shape of its name into a frame, and leave the slots open."""
    if frame.startswith("{name}"):
        name = name.replace("the ", "The ")
    return frame.replace("{thing}", thing).replace("{a}", a_an(thing)).replace("{name}", name)
