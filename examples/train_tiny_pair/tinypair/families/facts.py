"""Closed tasks without a context: small facts, small talk, and what the pair does not know."""

from __future__ import annotations

import random
from collections.abc import Callable

from tinypair.task import Slot, Task, slot
from tinypair.text import a_an
from tinypair.words import truths

CAPITAL_ASKS = ("What is the capital of {k}?", "Name the capital of {k}.", "Which city is the capital of {k}?")
COLOUR_ASKS = ("What colour is {k}?", "Tell me the colour of {k}.", "Which colour is {k}?")
OPPOSITE_ASKS = ("What is the opposite of {k}?", "Give me the opposite of {k}.", "Name the opposite of {k}.")
SOUND_ASKS = ("What does {a} say?", "What sound does {a} make?", "Which sound does {a} make?")
LEG_ASKS = ("How many legs does {a} have?", "How many legs has {a}?", "Tell me how many legs {a} has.")
SUM_ASKS = ("What is {k}?", "How much is {k}?", "Calculate {k}.", "{k} = ?")


def _capital(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question, its answer frame and the value, about a capital."""
    key = rng.choice(list(truths.CAPITALS))
    return rng.choice(CAPITAL_ASKS).format(k=key), f"The capital of {key} is {{x}}.", truths.CAPITALS[key]


def _colour(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question about the colour of something."""
    key = rng.choice(list(truths.COLOUR_OF))
    frame = f"{key[0].upper()}{key[1:]} is {{x}}."
    return rng.choice(COLOUR_ASKS).format(k=key), frame, truths.COLOUR_OF[key]


def _opposite(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question about the opposite of a word."""
    key = rng.choice(list(truths.OPPOSITES))
    return rng.choice(OPPOSITE_ASKS).format(k=key), f"The opposite of {key} is {{x}}.", truths.OPPOSITES[key]


def _sound(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question about the sound of an animal."""
    key = rng.choice(list(truths.SOUNDS))
    ask = rng.choice(SOUND_ASKS).format(a=a_an(key))
    return ask, f"{a_an(key).capitalize()} says {{x}}.", truths.SOUNDS[key]


def _legs(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question about the legs of an animal."""
    key = rng.choice(list(truths.LEGS))
    ask = rng.choice(LEG_ASKS).format(a=a_an(key))
    return ask, f"{a_an(key).capitalize()} has {{x}} legs.", truths.LEGS[key]


def _sum(rng: random.Random) -> tuple[str, str, str]:
    """Draw a small sum."""
    left, right = rng.randint(1, 10), rng.randint(1, 10)
    key = rng.choice((f"{left} + {right}", f"{left} plus {right}"))
    ask = rng.choice(SUM_ASKS).format(k=key)
    return ask, f"{left} plus {right} is {{x}}.", str(left + right)


def _count(rng: random.Random) -> tuple[str, str, str]:
    """Draw a question about a number that everybody knows."""
    key = rng.choice(list(truths.COUNTS))
    return f"How many {key}?", "{x}", truths.COUNTS[key]


KINDS: dict[str, Callable[[random.Random], tuple[str, str, str]]] = {
    "capital": _capital, "colour": _colour, "opposite": _opposite, "sound": _sound, "legs": _legs,
    "sum": _sum, "count": _count,
}  # fmt: skip


def fact(rng: random.Random) -> Task:
    """Draw a question with one right answer."""
    kind = rng.choices(list(KINDS), (4, 3, 4, 1, 1, 4, 1))[0]
    prompt, frame, value = KINDS[kind](rng)
    frames = (frame,) if kind == "count" else (frame, "It is {x}.", "{^x}.")
    if kind in ("sound", "legs"):
        frames = (frame,)
    return Task("fact", f"{kind}:{prompt}", prompt, frames, {"x": slot((value,))}, open_ended=False)


def small_talk(rng: random.Random) -> Task:
    """Draw a greeting, a thank-you, or a question about the pair itself."""
    kind = rng.choice(list(truths.SMALL_TALK))
    prompts, answers = truths.SMALL_TALK[kind]
    return Task("talk", kind, rng.choice(prompts), ("{x}",), {"x": slot(answers)}, open_ended=False)


def unknown(rng: random.Random) -> Task:
    """Draw a question that lies outside the world; the answer says so."""
    slots: dict[str, Slot] = {"x": slot(truths.UNKNOWN_ANSWERS)}
    return Task("unknown", "unknown", rng.choice(truths.UNKNOWN), ("{x}",), slots, open_ended=False)
