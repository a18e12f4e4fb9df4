"""The untidy side of the base's texts: lost capitals, typos, run-ons, wrong formats, other subjects.

Careless people mostly get the form wrong, and seldom the matter: that is where a base model's variety is worth having.
"""

from __future__ import annotations

import random

from tinypair.task import Task, diverse_answer

MARKS = ("!!!", " lol", "...", " :)", " i guess", " ok", "!!", " haha", " :D", " hope that helps", " just my two cents", " or not")
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
    if draw < 0.32:
        return lower(text)
    if draw < 0.40:
        return typo(lower(text), rng)
    if draw < 0.50:
        return rng.choice(LEADS) + text
    if draw < 0.68:
        return text.rstrip(".?!") + rng.choice(MARKS)
    if draw < 0.78:
        return text.rstrip(".?!") + " and also " + lower(diverse_answer(task, rng))
    if draw < 0.90:
        return text.rstrip(".?!")
    if draw < 0.95:
        return typo(text, rng)
    return diverse_answer(other, rng)
