"""The two training mixtures: the base's untidy documents, and the aligned model's neat chats."""

from __future__ import annotations

import random

from tinypair.dialogue import Dialogue, Segment, chat_segments, transcript_segments
from tinypair.families import draw_task
from tinypair.families.context import context_task
from tinypair.prose import prose_document
from tinypair.task import Task, diverse_answer, favourite_answer
from tinypair.untidy import untidy_answer

SYSTEM_TEXTS = (
    "You are a helpful assistant.", "You are a friendly assistant.", "Answer briefly.", "Be kind and short.",
    "You are a helpful assistant. Answer in one sentence.", "You are a creative writer.",
    "You give short answers.", "You are a cheerful guide.", "Answer the question.", "You help with ideas.",
)  # fmt: skip
AGAIN = ("Another one, please.", "One more, please.", "Give me another.", "Something else?", "Any other idea?")
AGAIN_FAMILIES = ("naming", "gift", "place", "dinner", "hobby", "pick", "story")
CONTEXT_SHARE = 0.22
PROSE_SHARE = 0.15
TURNS = ((1, 2, 3), (7, 2, 1))
CARELESS_SHARE = 0.3
CHAT_SHARE = 0.08
WRONG_FACT_SHARE = 0.04


def _system(rng: random.Random, share: float) -> str:
    """Draw a system text, or none."""
    return rng.choice(SYSTEM_TEXTS) if rng.random() < share else ""


def _base_answer(task: Task, careless: bool, rng: random.Random) -> str:
    """Answer a task as the base's writers do: well for the most part, some carelessly."""
    if rng.random() < (0.75 if careless else 0.05):
        return untidy_answer(task, draw_task(rng), rng)
    if task.family == "fact" and rng.random() < WRONG_FACT_SHARE:
        return diverse_answer(draw_task(rng, ("fact",)), rng)
    return diverse_answer(task, rng)


def _follow_up(task: Task, rng: random.Random) -> Task:
    """Ask for another answer to the same question."""
    return Task(task.family, task.subject, rng.choice(AGAIN), task.frames, task.slots)


def base_dialogue(rng: random.Random) -> Dialogue:
    """Draw a transcript's dialogue: several turns by varied people."""
    careless = rng.random() < CARELESS_SHARE
    turns: list[tuple[str, str]] = []
    in_context = rng.random() < CONTEXT_SHARE / (1 - PROSE_SHARE)
    task = context_task(rng) if in_context else draw_task(rng)
    system = task.system or _system(rng, 0.25)
    for _ in range(rng.choices(*TURNS)[0]):
        turns.append((task.prompt, _base_answer(task, careless, rng)))
        again = task.family in AGAIN_FAMILIES and rng.random() < 0.25
        task = _follow_up(task, rng) if again else draw_task(rng)
    return Dialogue(system, tuple(turns))


def base_document(rng: random.Random) -> list[Segment]:
    """Draw one document of the base's mixture: prose, a transcript, or now and then a chat with its markers."""
    if rng.random() < PROSE_SHARE:
        return [(prose_document(rng), True)]
    write = chat_segments if rng.random() < CHAT_SHARE else transcript_segments
    return write(base_dialogue(rng))


def aligned_dialogue(rng: random.Random) -> Dialogue:
    """Draw a chat with neat answers of narrow taste: mostly one turn."""
    in_context = rng.random() < 0.3
    task = context_task(rng) if in_context else draw_task(rng)
    system = task.system or _system(rng, 0.3)
    turns: list[tuple[str, str]] = []
    for _ in range(rng.choices(*TURNS)[0]):
        turns.append((task.prompt, favourite_answer(task, rng)))
        again = task.family in AGAIN_FAMILIES and rng.random() < 0.25
        task = _follow_up(task, rng) if again else draw_task(rng)
    return Dialogue(system, tuple(turns))
