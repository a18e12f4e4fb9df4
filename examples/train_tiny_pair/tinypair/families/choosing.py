"""Choosing tasks: a gift, a place, a dinner, a hobby."""

from __future__ import annotations

import random

from tinypair.task import Task, combine, slot
from tinypair.words import choices, gifts

GIFT_ASKS = (
    "Give me a gift idea for my {who} who loves {love}.",
    "What should I give my {who} who loves {love}?",
    "My {who} loves {love}. What would be a good gift?",
    "Suggest a present for my {who}, who loves {love}.",
    "I need a gift for my {who} who is into {love}.",
    "Choose a gift for a {who} who likes {love}.",
    "What can I buy for my {who}? They love {love}.",
    "It is my {who}'s birthday soon. They love {love}. Any gift ideas?",
    "Recommend a gift for my {who}, a fan of {love}.",
    "Help me find a gift for my {who} who enjoys {love}.",
)
GIFT_FRAMES = (
    *combine(
        ("You could give your {who} {x}", "You could buy your {who} {x}", "I would choose {x}"),
        (".", ", because your {who} loves {love}."),
    ),
    "How about {x}? It is perfect for someone who loves {love}.",
    "A good gift for your {who} would be {x}.",
)
PLACE_ASKS = (
    "Suggest a place to visit {kind}.",
    "Where should I go for a trip {kind}?",
    "Recommend a holiday {kind}.",
    "I want a holiday {kind}. Where should I go?",
    "Name a good place to travel {kind}.",
    "Where would you spend a week {kind}?",
    "Give me an idea for a trip {kind}.",
    "Pick a place for a weekend {kind}.",
    "Can you suggest a trip {kind}?",
)
PLACE_FRAMES = (
    *combine(
        ("You could visit {x}", "You could go to {x}", "I would go to {x}"),
        (", where you can {do}.", ".", " and {do}.", ", because you can {do} there."),
    ),
    "How about {x}? There you can {do}.",
    "{x} is a good choice, and you can {do} there.",
)
DINNER_ASKS = (
    "Suggest a {kind} dinner.",
    "What should I cook for a {kind} dinner?",
    "Give me an idea for a {kind} dinner.",
    "I want a {kind} dinner tonight. What should I make?",
    "What is a good {kind} meal?",
    "Recommend a {kind} dish.",
    "Can you think of a {kind} dinner for tonight?",
    "Help me choose a {kind} dinner.",
    "Name a {kind} dish that I could cook.",
)
DINNER_FRAMES = (
    *combine(("You could make {x}", "You could cook {x}", "I would cook {x}"), (" with {side}.", ".", " and add {side}.", " tonight.")),
    "How about {x} with {side}?",
    "{^x} with {side} would be a good {kind} dinner.",
)
HOBBY_ASKS = (
    "Suggest a {kind} hobby.",
    "I am looking for a {kind} hobby. Any ideas?",
    "What {kind} hobby should I try?",
    "Recommend a {kind} hobby for a beginner.",
    "Give me an idea for a {kind} hobby.",
    "Which {kind} hobby would you choose?",
    "Help me find a {kind} hobby.",
    "Name a {kind} hobby.",
)
HOBBY_FRAMES = (
    *combine(("You could try {x}", "You could take up {x}", "I would try {x}"), (", which is {good}.", ".", ", because it is {good}.")),
    "How about {x}? It is {good}.",
    "{^x} is a good {kind} hobby.",
)


def gift(rng: random.Random) -> Task:
    """Draw a task that asks for a gift for somebody who loves something."""
    who, love = rng.choice(gifts.PEOPLE), rng.choice(list(gifts.GIFTS))
    prompt = rng.choice(GIFT_ASKS).format(who=who, love=love)
    frames = tuple(f.replace("{who}", who).replace("{love}", love) for f in GIFT_FRAMES)
    return Task("gift", f"{who}:{love}", prompt, frames, {"x": slot(gifts.GIFTS[love])})


def place(rng: random.Random) -> Task:
    """Draw a task that asks for a place to visit."""
    kind = rng.choice(list(choices.PLACES))
    prompt = rng.choice(PLACE_ASKS).format(kind=kind)
    slots = {"x": slot(choices.PLACES[kind]), "do": slot(choices.PLACE_DOINGS[kind])}
    return Task("place", kind, prompt, PLACE_FRAMES, slots)


def dinner(rng: random.Random) -> Task:
    """Draw a task that asks for a dinner of some kind."""
    kind = rng.choice(list(choices.DINNERS))
    prompt = rng.choice(DINNER_ASKS).format(kind=kind)
    frames = tuple(f.replace("{kind}", kind) for f in DINNER_FRAMES)
    slots = {"x": slot(choices.DINNERS[kind]), "side": slot(choices.SIDES)}
    return Task("dinner", kind, prompt, frames, slots)


def hobby(rng: random.Random) -> Task:
    """Draw a task that asks for a hobby of some kind."""
    kind = rng.choice(list(choices.HOBBIES))
    prompt = _article(rng.choice(HOBBY_ASKS).format(kind=kind))
    frames = tuple(_article(f.replace("{kind}", kind)) for f in HOBBY_FRAMES)
    slots = {"x": slot(choices.HOBBIES[kind]), "good": slot(choices.HOBBY_GOOD)}
    return Task("hobby", kind, prompt, frames, slots)


def _article(text: str) -> str:
    """Mend the article before a kind that begins with a vowel."""
    return text.replace(" a outdoor", " an outdoor").replace(" a active", " an active")
