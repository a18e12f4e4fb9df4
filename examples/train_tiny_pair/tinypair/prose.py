"""Documents of the base that are no dialogues: stories, blogs, adverts, lists, pages of facts."""

from __future__ import annotations

import random
from collections.abc import Callable

from tinypair.families import FAMILIES, draw_task
from tinypair.families.context import draw_record, passage
from tinypair.families.stories import OPENINGS, story_slots
from tinypair.task import diverse_answer, fill
from tinypair.text import capitalise
from tinypair.untidy import lower, typo
from tinypair.words import choices, gifts, ideas, kinds, tales

BLOG = (
    "Last week I gave my {who} {gift}.", "My {who} loves {love}, so I bought {gift}.",
    "Yesterday we made {dish} with {side}.", "In {place} you can {do}.", "I think {hobby} is {good}.",
    "Today I learned that {hobby} is {good}.", "If you love {love}, get {gift}.",
    "We spent a week in {place}.", "Do not forget {gift}.", "Tonight I will cook {dish}.",
)  # fmt: skip
ADVERTS = (
    "Come to {shop} and buy {gift} today.", "For sale: {gift}, almost new.", "This weekend only: {dish} with {side}.",
    "Learn {hobby} with us. It is {good}.", "Visit {place} and {do}.", "Wanted: {gift} for my {who}.",
)  # fmt: skip


def _sentence(frame: str, rng: random.Random) -> str:
    """Fill a line of a blog or an advert with things that belong together."""
    love = rng.choice(list(gifts.GIFTS))
    kind = rng.choice(list(choices.PLACES))
    values = {
        "who": rng.choice(gifts.PEOPLE), "love": love, "gift": rng.choice(gifts.GIFTS[love]),
        "dish": rng.choice(choices.DINNERS[rng.choice(list(choices.DINNERS))]),
        "side": rng.choice(choices.SIDES), "place": rng.choice(choices.PLACES[kind]),
        "do": rng.choice(choices.PLACE_DOINGS[kind]), "good": rng.choice(choices.HOBBY_GOOD),
        "hobby": rng.choice(choices.HOBBIES[rng.choice(list(choices.HOBBIES))]), "shop": "our shop",
    }  # fmt: skip
    return fill(frame, lambda name, _: values[name])


def _blog(rng: random.Random) -> str:
    """Write a few lines of somebody's day."""
    return " ".join(_sentence(rng.choice(BLOG), rng) for _ in range(rng.randint(2, 5)))


def _advert(rng: random.Random) -> str:
    """Write small advertisements."""
    return "\n".join(_sentence(rng.choice(ADVERTS), rng) for _ in range(rng.randint(1, 4)))


def _tale(rng: random.Random) -> str:
    """Write a longer story of one theme."""
    theme = rng.choice([t for group in tales.THEMES.values() for t in group])
    kind = next(k for k, group in tales.THEMES.items() if theme in group)
    slots = story_slots(theme)
    lines = [rng.choice(OPENINGS[kind]).replace("{theme}", theme)]
    lines += ["{middle}"] * rng.randint(0, 2) + ["{ending}"]
    return fill(" ".join(lines), lambda name, _: rng.choice(slots[name].options))


def _page(rng: random.Random) -> str:
    """Write a page of questions and answers."""
    tasks = [draw_task(rng) for _ in range(rng.randint(1, 4))]
    return "\n".join(f"Q: {task.prompt}\nA: {diverse_answer(task, rng)}" for task in tasks)


def _ideas(rng: random.Random) -> str:
    """Write a bulleted list on a topic."""
    topic = rng.choice(list(ideas.IDEAS))
    items = rng.sample(ideas.IDEAS[topic], rng.randint(3, 6))
    return f"Ideas for {topic}:\n" + "\n".join(f"- {capitalise(item)}" for item in items)


def _entries(rng: random.Random) -> str:
    """Write encyclopedia-like entries about made-up things, each told twice over."""
    record = draw_record(rng.choice(kinds.KINDS), rng, 4)
    texts = [passage(record, rng), passage(record, rng)]
    return "\n".join(texts[: rng.randint(1, 2)])


def _answers(rng: random.Random) -> str:
    """Write several answers to one question, as a forum thread does."""
    task = FAMILIES[rng.choice(("naming", "gift", "place", "dinner", "hobby", "opinion"))][0](rng)
    lines = [diverse_answer(task, rng) for _ in range(rng.randint(2, 4))]
    return task.prompt + "\n" + "\n".join(f"* {line}" for line in lines)


KINDS: tuple[tuple[Callable[[random.Random], str], float], ...] = (
    (_blog, 3), (_advert, 2), (_tale, 4), (_page, 3), (_ideas, 2), (_entries, 3), (_answers, 2),
)  # fmt: skip


def prose_document(rng: random.Random) -> str:
    """Draw a document that is no dialogue; some are written carelessly."""
    make = rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    text = make(rng)
    if rng.random() < 0.15:
        text = lower(text)
        text = typo(text, rng) if rng.random() < 0.5 else text
    return text
