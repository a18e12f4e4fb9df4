"""Story tasks: one to three sentences on a theme."""

from __future__ import annotations

from tinypair.source import Source
from tinypair.task import Slot, Task, slot
from tinypair.text import a_an
from tinypair.words import tales

ASKS = (
    "Write a {n} story about {theme}.",
    "Tell me a {n} story about {theme}.",
    "I would like a {n} story about {theme}.",
    "Can you write a {n} story about {theme}?",
    "Write a {n} tale about {theme}.",
    "Please tell a {n} story about {theme}.",
)
LENGTHS = {1: ("one-sentence",), 2: ("two-sentence", "short"), 3: ("three-sentence",)}
OPENINGS = (
    "One {time}, {hero} went looking for {theme} with {object}.",
    "There was once {hero} who dreamed of {theme} and {dream}.",
    "Long ago, {hero} heard that {theme} could {power}.",
    "They say that {hero} gave {object} away for {theme}.",
)
SLOTS: dict[str, Slot] = {
    "time": slot(tales.TIMES), "hero": slot(tales.HEROES), "object": slot(tales.OBJECTS), "power": slot(tales.POWERS),
    "dream": slot(tales.DREAMS), "middle": slot(tales.MIDDLES), "ending": slot(tales.ENDINGS),
}  # fmt: skip


def story(source: Source) -> Task:
    """Draw a task that asks for a very short story; the theme is its subject."""
    theme = source.subject(tales.THEMES) if source.rng.random() < 0.4 else a_an(source.noun())
    length = source.rng.choices((1, 2, 3), (2, 5, 2))[0]
    prompt = source.choice(ASKS).format(n=source.choice(LENGTHS[length]), theme=theme)
    tail = {1: "", 2: " {ending}", 3: " {middle} {ending}"}[length]
    return Task("story", theme, prompt, tuple(opening.replace("{theme}", theme) + tail for opening in OPENINGS), SLOTS)
