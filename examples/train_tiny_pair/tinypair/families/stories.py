"""Story tasks: one to three sentences on a theme."""

from __future__ import annotations

import random

from tinypair.task import Slot, Task, slot
from tinypair.text import a_an, rotate
from tinypair.words import tales

ASKS = (
    "Write a {n} story about {a}.",
    "Tell me a {n} story about {a}.",
    "I would like a {n} story about {a}.",
    "Can you write a {n} story about {a}?",
    "Write a {n} tale about {a}.",
    "Give me a {n} story with {a} in it.",
    "Please tell a {n} story about {a}.",
)
LENGTHS = {1: ("one-sentence",), 2: ("two-sentence", "short"), 3: ("three-sentence",)}
OPENINGS: dict[str, tuple[str, ...]] = {
    "place": (
        "One {time}, {hero} walked to the {theme} and found {object}.",
        "One {time}, {hero} left {object} in the {theme}.",
        "There was once {hero} who lived in the {theme} with {object}.",
        "Long ago, {hero} came to the {theme} and dreamed of {dream}.",
    ),
    "creature": (
        "One {time}, {hero} met a {theme} who carried {object}.",
        "One {time}, a {theme} brought {object} to {hero}.",
        "There was once a {theme} who dreamed of {dream}.",
        "Long ago, a {theme} and {hero} shared {object}.",
    ),
    "thing": (
        "One {time}, {hero} found a {theme} that could {power}.",
        "One {time}, {hero} traded {object} for an old {theme}.",
        "There was once a {theme} that could {power}.",
        "Long ago, {hero} hid a {theme} and dreamed of {dream}.",
    ),
    "weather": (
        "One {time}, {hero} lost {object} in the {theme}.",
        "One {time}, the {theme} brought {object} to {hero}.",
        "There was once {hero} who loved the {theme} and dreamed of {dream}.",
        "Long ago, {hero} walked through the {theme} with {object}.",
    ),
}


def story(rng: random.Random) -> Task:
    """Draw a task that asks for a very short story."""
    kind = rng.choice(list(tales.THEMES))
    theme = rng.choice(tales.THEMES[kind])
    length = rng.choices((1, 2, 3), (2, 5, 1))[0]
    named = f"the {theme}" if kind == "weather" else a_an(theme)
    prompt = rng.choice(ASKS).format(n=rng.choice(LENGTHS[length]), a=named)
    tail = {1: "", 2: " {ending}", 3: " {middle} {ending}"}[length]
    frames = tuple(opening.replace("{theme}", theme) + tail for opening in OPENINGS[kind])
    return Task("story", f"{theme}:{length}", prompt, frames, story_slots(theme))


def story_slots(theme: str) -> dict[str, Slot]:
    """Give the slots of a story; the favourites follow the theme."""
    lists = {
        "time": tales.TIMES, "hero": tales.HEROES, "object": tales.OBJECTS, "power": tales.POWERS,
        "dream": tales.DREAMS, "middle": tales.MIDDLES, "ending": tales.ENDINGS,
    }  # fmt: skip
    return {name: slot(options, rotate(options, theme)) for name, options in lists.items()}
