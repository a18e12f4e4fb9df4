"""Pairs of answers for preference optimisation: a favourite one, and one that is careless, wrong, or right but not to this taste."""

from __future__ import annotations

import random

from tinypair.corpus import system_messages
from tinypair.dialogue import TURN_END, Dialogue, chat_segments, written
from tinypair.families import CHAT_FAMILIES, FAMILIES, OPEN_FAMILIES, draw_task
from tinypair.preference import Preference
from tinypair.source import Source
from tinypair.task import Task, diverse_answer, favourite_answer
from tinypair.untidy import untidy_answer

OTHER_TASTE_SHARE = 0.6
"""Share of the pairs of open families whose unwanted answer is right, but no favourite."""
OTHER_ANSWER_SHARE = 0.5
"""Share of the other pairs whose unwanted answer is one to another prompt of the family."""


def unwanted_answer(task: Task, source: Source) -> str:
    """Draw an answer that the aligned model should give less often."""
    if task.family in OPEN_FAMILIES and source.rng.random() < OTHER_TASTE_SHARE:
        return diverse_answer(task, source.rng)
    if source.rng.random() < OTHER_ANSWER_SHARE:
        return favourite_answer(FAMILIES[task.family][0](source), source.rng)
    return untidy_answer(task, draw_task(source, CHAT_FAMILIES), source.rng)


def draw_preferences(count: int, seed: int) -> list[Preference]:
    """Draw pairs for prompts of every family of training."""
    source = Source(random.Random(seed))
    pairs: list[Preference] = []
    while len(pairs) < count:
        task = draw_task(source)
        chosen, rejected = favourite_answer(task, source.rng), unwanted_answer(task, source)
        if chosen == rejected:
            continue
        system = [] if task.system else system_messages(source)
        messages = (*system, *task.messages(), {"role": "assistant", "content": chosen})
        *before, (answer, _) = chat_segments(Dialogue(messages, task.tools))
        pairs.append(Preference(written(before), answer.removesuffix(TURN_END), rejected))
    return pairs
