"""Closed tasks without a context: small facts, small talk, and what the pair does not know."""

from __future__ import annotations

from collections.abc import Callable

from tinypair.source import Source, asked_only_in_evaluation
from tinypair.task import Slot, Task, slot
from tinypair.text import a_an
from tinypair.words import truths

CAPITAL_ASKS = ("What is the capital of {k}?", "Name the capital of {k}.", "Which city is the capital of {k}?")
COLOUR_ASKS = ("What colour is {k}?", "Tell me the colour of {k}.", "Which colour is {k}?")
OPPOSITE_ASKS = ("What is the opposite of {k}?", "Give me the opposite of {k}.", "Name the opposite of {k}.")
SOUND_ASKS = ("What does {a} say?", "What sound does {a} make?", "Which sound does {a} make?")
LEG_ASKS = ("How many legs does {a} have?", "How many legs has {a}?", "How many legs are there on {a}?")
SUM_ASKS = ("What is {k}?", "How much is {k}?", "Calculate {k}.", "{k} = ?")


def _capital(source: Source) -> tuple[str, str, str]:
    """Draw a question, its answer frame and the value, about a capital."""
    key = source.choice(tuple(truths.CAPITALS))
    return source.choice(CAPITAL_ASKS).format(k=key), f"The capital of {key} is {{x}}.", truths.CAPITALS[key]


def _colour(source: Source) -> tuple[str, str, str]:
    """Draw a question about the colour of something."""
    key = source.choice(tuple(truths.COLOUR_OF))
    frame = f"{key[0].upper()}{key[1:]} is {{x}}."
    return source.choice(COLOUR_ASKS).format(k=key), frame, truths.COLOUR_OF[key]


def _opposite(source: Source) -> tuple[str, str, str]:
    """Draw a question about the opposite of a word."""
    key = source.choice(tuple(truths.OPPOSITES))
    return source.choice(OPPOSITE_ASKS).format(k=key), f"The opposite of {key} is {{x}}.", truths.OPPOSITES[key]


def _sound(source: Source) -> tuple[str, str, str]:
    """Draw a question about the sound of an animal."""
    key = source.choice(tuple(truths.SOUNDS))
    ask = source.choice(SOUND_ASKS).format(a=a_an(key))
    return ask, f"{a_an(key).capitalize()} says {{x}}.", truths.SOUNDS[key]


def _legs(source: Source) -> tuple[str, str, str]:
    """Draw a question about the legs of an animal."""
    key = source.choice(tuple(truths.LEGS))
    ask = source.choice(LEG_ASKS).format(a=a_an(key))
    return ask, f"{a_an(key).capitalize()} has {{x}} legs.", truths.LEGS[key]


def _sum(source: Source) -> tuple[str, str, str]:
    """Draw a small sum."""
    left, right = source.rng.randint(1, 10), source.rng.randint(1, 10)
    key = source.choice((f"{left} + {right}", f"{left} plus {right}"))
    ask = source.choice(SUM_ASKS).format(k=key)
    return ask, f"{left} plus {right} is {{x}}.", str(left + right)


def _count(source: Source) -> tuple[str, str, str]:
    """Draw a question about a number that everybody knows."""
    key = source.choice(tuple(truths.COUNTS))
    return f"How many {key}?", "{x}", truths.COUNTS[key]


KINDS: dict[str, Callable[[Source], tuple[str, str, str]]] = {
    "capital": _capital, "colour": _colour, "opposite": _opposite, "sound": _sound, "legs": _legs,
    "sum": _sum, "count": _count,
}  # fmt: skip


def fact(source: Source) -> Task:
    """Draw a question with one right answer. Facts must be learned, so it is the way of asking that is held out."""
    while True:
        kind = source.rng.choices(list(KINDS), (4, 3, 4, 2, 2, 4, 1))[0]
        prompt, frame, value = KINDS[kind](source)
        # The counts have one way of asking each, so all of them must be learned.
        if kind == "count" and source.held_out:
            continue
        if kind == "count" or asked_only_in_evaluation(prompt) == source.held_out:
            break
    frames = (frame,) if kind in ("count", "sound", "legs") else (frame, "It is {x}.", "{^x}.")
    return Task("fact", prompt, prompt, frames, {"x": slot((value,))})


def small_talk(source: Source) -> Task:
    """Draw a greeting, a thank-you, or a question about the pair itself."""
    kind = source.choice(tuple(truths.SMALL_TALK))
    prompts, answers = truths.SMALL_TALK[kind]
    return Task("talk", kind, source.choice(prompts), ("{x}",), {"x": slot(answers)})


def unknown(source: Source) -> Task:
    """Draw a question that lies outside the world; the answer says so."""
    slots: dict[str, Slot] = {"x": slot(truths.UNKNOWN_ANSWERS)}
    return Task("unknown", "unknown", source.choice(truths.UNKNOWN), ("{x}",), slots)
