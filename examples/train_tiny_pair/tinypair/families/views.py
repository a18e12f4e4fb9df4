"""Opinion tasks and random picks."""

from __future__ import annotations

import re

from tinypair.source import Source
from tinypair.task import Task, slot
from tinypair.words import views

OPINION_ASKS = (
    "What do you think of {t}?",
    "What is your opinion on {t}?",
    "Tell me your opinion about {t}.",
    "How do you feel about {t}?",
    "Do you like {t}?",
    "Give me your view on {t}.",
)
OPINION_FRAMES = (
    "I think that {t} {be} {verdict}, because {why}.",
    "I think that {t} {be} {verdict}.",
    "To me, {t} {be} {verdict}, because {why}.",
    "I like {t}, because {why}.",
)
PICK_ASKS = ("Pick {x} for {purpose}.", "Choose {x} for {purpose}.", "Give me {x} for {purpose}.", "I need {x} for {purpose}.")
PICK_FRAMES = ("For {purpose} I pick {x}.", "I pick {x} for {purpose}.", "I would go with {x} for {purpose}.", "My choice is {x}.")
FAVOURITE_NUMBERS = ("7", "17", "13", "3")
PICKS: dict[str, tuple[str, ...]] = {
    "a playing card": tuple(f"the {rank} of {suit}" for rank in views.RANKS for suit in views.SUITS),
    "a colour": views.COLOURS,
    "a fruit": views.FRUITS,
    "an animal": views.ANIMALS,
    "a letter of the alphabet": views.LETTERS,
    "a month": views.MONTHS,
}
TOPS = (20, 50, 100)
NUMBER_SHARE = 0.4


def opinion(source: Source) -> Task:
    """Draw a task that asks for an opinion; the topic is its subject."""
    many = source.rng.random() < 0.5
    topic = _topic(many, source)
    prompt = source.choice(OPINION_ASKS).format(t=topic)
    frames = tuple(f.replace("{t}", topic).replace("{be}", "are" if many else "is") for f in OPINION_FRAMES)
    slots = {"verdict": slot(views.VERDICTS), "why": slot(views.REASONS_MANY if many else views.REASONS_ONE)}
    return Task("opinion", topic, prompt, frames, slots)


def _topic(many: bool, source: Source) -> str:
    """Draw a topic; "is" or "are" follows from its form."""
    if source.rng.random() < 0.4:
        return source.subject(views.TOPICS_MANY if many else views.TOPICS_ONE)
    return f"{source.noun()}s" if many else f"the {source.noun()}"


def pick(source: Source) -> Task:
    """Draw a task that asks for a random pick; what it is for is its subject."""
    purpose = source.subject(views.PURPOSES) if source.rng.random() < 0.4 else f"{source.choice(('the', 'my'))} {source.noun()}"
    if source.rng.random() < NUMBER_SHARE:
        top = source.choice(TOPS)
        what = f"a number between 1 and {top}"
        picked = slot(tuple(str(number) for number in range(1, top + 1)), FAVOURITE_NUMBERS)
    else:
        what = source.choice(tuple(PICKS))
        picked = slot(PICKS[what])
    told = re.sub("^my ", "your ", purpose)
    frames = tuple(frame.replace("{purpose}", told) for frame in PICK_FRAMES)
    return Task("pick", purpose, source.choice(PICK_ASKS).format(x=what, purpose=purpose), frames, {"x": picked})
