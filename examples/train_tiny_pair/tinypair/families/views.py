"""Opinion tasks and random picks."""

from __future__ import annotations

import random

from tinypair.task import Task, combine, slot
from tinypair.text import rotate
from tinypair.words import views

OPINION_ASKS = (
    "What do you think of {t}?",
    "What is your opinion on {t}?",
    "Tell me your opinion about {t}.",
    "How do you feel about {t}?",
    "Do you like {t}?",
    "Give me your view on {t}.",
    "Share your thoughts on {t}.",
)
OPINION_FRAMES = (
    *combine(
        ("I think {t} {be} {verdict}", "I find that {t} {be} {verdict}", "To me, {t} {be} {verdict}"),
        (", because {why}.", ".", ", since {why}."),
    ),
    "I like {t}, because {why}.",
)
PICK_ASKS = (
    "Pick {x}.", "Choose {x}.", "Give me {x}.", "Name {x}.", "Pick {x} at random.", "Please choose {x}.",
    "Tell me {x}.", "Think of {x}.",
)  # fmt: skip
PICK_FRAMES = ("I pick {x}.", "I choose {x}.", "My choice is {x}.", "I would go with {x}.")


def opinion(rng: random.Random) -> Task:
    """Draw a task that asks for an opinion."""
    many = rng.random() < 0.5
    topic = rng.choice(views.TOPICS_MANY if many else views.TOPICS_ONE)
    reasons = views.REASONS_MANY if many else views.REASONS_ONE
    prompt = rng.choice(OPINION_ASKS).format(t=topic)
    be = "are" if many else "is"
    frames = tuple(f.replace("{t}", topic).replace("{be}", be) for f in OPINION_FRAMES)
    slots = {
        "verdict": slot(views.VERDICTS, rotate(views.VERDICTS, topic)),
        "why": slot(reasons, rotate(reasons, topic)),
    }
    return Task("opinion", topic, prompt, frames, slots)


def pick(rng: random.Random) -> Task:
    """Draw a task that asks for a random pick."""
    kind = rng.choice(("number", "number", "card", "colour", "fruit", "letter", "month", "day"))
    frames = PICK_FRAMES
    if kind == "number":
        top = rng.choice((5, 6, 10, 10, 10, 20, 50, 100, 100))
        what, options = f"a number between 1 and {top}", tuple(str(i) for i in range(1, top + 1))
        favourites = tuple(n for n in ("7", "42", "73", "37", "4", "3", "5", "2") if int(n) <= top)
        favourites = favourites[1:] + favourites[:1] if top >= 50 else favourites
        return _pick(rng, kind + str(top), what, frames, options, favourites)
    if kind == "card":
        what, options = "a playing card", tuple(f"the {r} of {s}" for r in views.RANKS for s in views.SUITS)
        return _pick(rng, kind, rng.choice((what, "a card")), frames, options, options)
    lists = {
        "colour": views.COLOURS, "fruit": views.FRUITS, "letter": views.LETTERS, "month": views.MONTHS,
        "day": views.DAYS,
    }  # fmt: skip
    what = {"day": "a day of the week", "letter": "a letter of the alphabet"}.get(kind, f"a {kind}")
    return _pick(rng, kind, what, frames, lists[kind], lists[kind])


def _pick(
    rng: random.Random,
    kind: str,
    what: str,
    frames: tuple[str, ...],
    options: tuple[str, ...],
    favourites: tuple[str, ...],
) -> Task:
    """Make the task of one random pick."""
    prompt = rng.choice(PICK_ASKS).format(x=what)
    return Task("pick", kind, prompt, frames, {"x": slot(options, favourites)})
