"""Choosing tasks: a gift, a trip, a dinner, a hobby, each for somebody."""

from __future__ import annotations

from collections.abc import Mapping

from tinypair.source import Source
from tinypair.task import Slot, Task, slot
from tinypair.words import choices, gifts

GIFT_ASKS = (
    "Give me a gift idea for my {who} who loves {love}.",
    "What should I give my {who} who loves {love}?",
    "My {who} loves {love}. What would be a good gift?",
    "Suggest a present for my {who} who loves {love}.",
    "I need a gift for my {who} who is into {love}.",
    "Recommend a gift for my {who}, a fan of {love}.",
    "Help me find a gift for my {who} who enjoys {love}.",
)
GIFT_FRAMES = (
    "You could give your {who} {x} and {extra}.",
    "How about {x} and {extra} for your {who}?",
    "Your {who} would enjoy {x}.",
    "A good gift for your {who} would be {x} with {extra}.",
)
ANY_GIFT_ASKS = (
    "Give me a gift idea for my {who}.",
    "What should I give my {who}?",
    "Suggest a gift for my {who}.",
    "I need a present for my {who}.",
    "What would be a good gift for my {who}?",
    "Help me find a present for my {who}.",
)
PLACE_ASKS = (
    "Suggest a place to visit {kind}{with}.",
    "Where should I go for a trip {kind}{with}?",
    "Recommend a holiday {kind}{with}.",
    "Name a good place to travel {kind}{with}.",
    "Give me an idea for a trip {kind}{with}.",
    "Can you suggest a trip {kind}{with}?",
)
PLACE_FRAMES = (
    "You could visit {x}{with}, where you can {do}.",
    "You could go to {x}{with} and {do}.",
    "How about {x}? There you can {do}{with}.",
    "I would go to {x}{with} and {do}.",
)
DINNER_ASKS = (
    "Suggest a {kind} dinner{for}.",
    "What should I cook for a {kind} dinner{for}?",
    "Give me an idea for a {kind} dinner{for}.",
    "Recommend a {kind} dish{for}.",
    "Can you think of a {kind} dinner{for}?",
    "Help me choose a {kind} dinner{for}.",
)
DINNER_FRAMES = (
    "You could make {x} with {side}{for}.",
    "You could cook {x}{for}.",
    "How about {x} with {side}{for}?",
    "I would make {x} with {side}{for}.",
)
ANY_DINNER_ASKS = (
    "Suggest a dinner{for}.",
    "What should I cook for dinner{for}?",
    "Give me an idea for dinner tonight{for}.",
    "Recommend a dish{for}.",
    "What could I make for dinner{for}?",
)
HOBBY_ASKS = (
    "Suggest a hobby that is {kind}{for}.",
    "I am looking for a hobby that is {kind}{for}. Any ideas?",
    "Recommend a hobby that is {kind}{for}.",
    "Give me an idea for a hobby that is {kind}{for}.",
    "Help me find a hobby that is {kind}{for}.",
)
ANY_HOBBY_ASKS = (
    "Suggest a hobby{for}.",
    "I am looking for a hobby{for}. Any ideas?",
    "Recommend a hobby{for}.",
    "Help me find a hobby{for}.",
)
HOBBY_FRAMES = (
    "{Who} could try {x}, which is {good}.",
    "{Who} could take up {x}.",
    "How about {x}{for}? It is {good}.",
    "I would suggest {x}{for}, because it is {good}.",
)
ANY_SHARE = 0.2
"""Share of prompts that leave it open what somebody loves, or what kind of dinner or hobby is wanted."""
ALONE_SHARE = 0.25
"""Share of training prompts that name nobody."""


def _kind(table: Mapping[str, tuple[str, ...]], source: Source) -> tuple[str, tuple[str, ...]]:
    """Draw a kind with what is right for it, or no kind, for which everything is right."""
    if source.rng.random() < ANY_SHARE:
        return "", tuple(option for options in table.values() for option in options)
    kind = source.choice(tuple(table))
    return kind, table[kind]


def gift(source: Source) -> Task:
    """Draw a task that asks for a gift for somebody, mostly one who loves something."""
    who, (love, options) = source.somebody(), _kind(gifts.GIFTS, source)
    prompt = source.choice(GIFT_ASKS if love else ANY_GIFT_ASKS).format(who=who, love=love)
    frames = tuple(frame.replace("{who}", who) for frame in GIFT_FRAMES)
    return Task("gift", who, prompt, frames, {"x": slot(options), "extra": slot(gifts.EXTRAS)})


def place(source: Source) -> Task:
    """Draw a task that asks for a place to visit."""
    kind = source.choice(tuple(choices.PLACES))
    slots = {"x": slot(choices.PLACES[kind]), "do": slot(choices.PLACE_DOINGS[kind])}
    return _for_somebody("place", kind, PLACE_ASKS, PLACE_FRAMES, slots, source)


def dinner(source: Source) -> Task:
    """Draw a task that asks for a dinner, mostly of some kind."""
    kind, options = _kind(choices.DINNERS, source)
    asks = DINNER_ASKS if kind else ANY_DINNER_ASKS
    slots = {"x": slot(options), "side": slot(choices.SIDES)}
    return _for_somebody("dinner", kind, asks, DINNER_FRAMES, slots, source)


def hobby(source: Source) -> Task:
    """Draw a task that asks for a hobby, mostly of some kind."""
    kind, options = _kind(choices.HOBBIES, source)
    asks = HOBBY_ASKS if kind else ANY_HOBBY_ASKS
    slots = {"x": slot(options), "good": slot(choices.HOBBY_GOOD)}
    return _for_somebody("hobby", kind, asks, HOBBY_FRAMES, slots, source)


def _for_somebody(
    family: str, kind: str, asks: tuple[str, ...], frames: tuple[str, ...], slots: Mapping[str, Slot], source: Source
) -> Task:
    """Make a task of one kind, for the asker alone (in training only) or with somebody, who is its subject."""
    alone = not source.held_out and source.rng.random() < ALONE_SHARE
    who = "" if alone else source.somebody()
    asked = {"with": "", "for": ""} if alone else {"with": f" with my {who}", "for": f" for my {who}"}
    told = {"{" + key + "}": text.replace(" my ", " your ") for key, text in asked.items()}
    told["{Who}"] = "You" if alone else f"Your {who}"
    prompt = source.choice(asks).format(kind=kind, **asked)
    return Task(family, who or kind or family, prompt, tuple(_replaced(frame, told) for frame in frames), slots)


def _replaced(frame: str, told: Mapping[str, str]) -> str:
    """Put fixed texts into a frame and leave its slots open."""
    for gap, text in told.items():
        frame = frame.replace(gap, text)
    return frame
