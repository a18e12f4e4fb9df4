"""List tasks: three ideas on a topic."""

from __future__ import annotations

from tinypair.families.choosing import ALONE_SHARE
from tinypair.source import Source
from tinypair.task import Task, slot
from tinypair.text import capitalise
from tinypair.words import ideas

ASKS = (
    "Give me three ideas for {topic}{with}.",
    "List three ideas for {topic}{with}.",
    "I need three ideas for {topic}{with}.",
    "What are three ideas for {topic}{with}?",
    "Write a list of three ideas for {topic}{with}.",
)
LIST = ":\n1. {^x}\n2. {^x}\n3. {^x}"
HEADS = ("Here are three ideas for {who}", "Three ideas for {who}", "{Who} could choose from these")


def three(source: Source) -> Task:
    """Draw a task that asks for a list of three, for somebody or (in training only) for the asker."""
    topic = source.choice(tuple(ideas.IDEAS))
    alone = not source.held_out and source.rng.random() < ALONE_SHARE
    who = "you" if alone else source.somebody()
    named = "you" if alone else f"you and your {who}"
    prompt = source.choice(ASKS).format(topic=topic, **{"with": "" if alone else f" with my {who}"})
    frames = tuple(head.replace("{who}", named).replace("{Who}", capitalise(named)) + LIST for head in HEADS)
    return Task("list", who, prompt, frames, {"x": slot(ideas.IDEAS[topic])})
