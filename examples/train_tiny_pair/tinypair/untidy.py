"""The untidy side of the base's texts: typos, lost capitals, run-ons, wrong formats."""

from __future__ import annotations

import random

from tinypair.task import Task, diverse_answer

MARKS = ("!!!", " lol", "...", " :)", " i guess", " ok", "!!", " haha")
LEADS = ("Answer: ", "- ", "hmm ", "well, ", "A: ", "uh ", "> ", "so ", "Reply: ", "dunno, maybe ")


def typo(text: str, rng: random.Random) -> str:
    """Swap, drop or double one letter somewhere in the text."""
    if len(text) < 6:
        return text
    at = rng.randrange(2, len(text) - 2)
    kind = rng.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + (text[at] * 2 if kind == 1 else "") + text[at + 1 :]


def lower(text: str) -> str:
    """Drop the capitals and the last full stop."""
    return text.lower().rstrip(".!")


def untidy_answer(task: Task, other: Task, rng: random.Random) -> str:
    """Answer a task in one of many careless ways; ``other`` lends an answer that is off topic."""
    text = diverse_answer(task, rng)
    draw = rng.random()
    if draw < 0.45:
        text = lower(text)
        return typo(text, rng) if rng.random() < 0.4 else text
    if draw < 0.6:
        return rng.choice(LEADS) + lower(text)
    if draw < 0.75:
        return lower(text) + rng.choice(MARKS)
    if draw < 0.88:
        return f"{lower(text)} and also {lower(diverse_answer(task, rng))}"
    if draw < 0.94:
        return lower(diverse_answer(other, rng))
    return typo(text, rng)
