"""Documents of the base that are no dialogues: stories, blogs, adverts, lists, pages of facts."""

from __future__ import annotations

from collections.abc import Callable

from tinypair.families import CHAT_FAMILIES, FAMILIES, OPEN_FAMILIES, draw_task
from tinypair.families.context import draw_record, passage
from tinypair.families.stories import OPENINGS, SLOTS
from tinypair.source import Source
from tinypair.task import diverse_answer, fill
from tinypair.text import a_an, capitalise, odd_word
from tinypair.untidy import lower, typo
from tinypair.words import choices, gifts, ideas, kinds

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


def _sentence(frame: str, source: Source) -> str:
    """Fill a line of a blog or an advert with things that belong together."""
    love = source.choice(tuple(gifts.GIFTS))
    kind = source.choice(tuple(choices.PLACES))
    values = {
        "who": source.somebody(), "love": love, "gift": source.choice(gifts.GIFTS[love]),
        "dish": source.choice(choices.DINNERS[source.choice(tuple(choices.DINNERS))]),
        "side": source.choice(choices.SIDES), "place": source.choice(choices.PLACES[kind]),
        "do": source.choice(choices.PLACE_DOINGS[kind]), "good": source.choice(choices.HOBBY_GOOD),
        "hobby": source.choice(choices.HOBBIES[source.choice(tuple(choices.HOBBIES))]), "shop": "our shop",
    }  # fmt: skip
    return fill(frame, lambda name, _: values[name])


def _blog(source: Source) -> str:
    """Write a few lines of somebody's day."""
    return " ".join(_sentence(source.choice(BLOG), source) for _ in range(source.rng.randint(2, 5)))


def _advert(source: Source) -> str:
    """Write small advertisements."""
    return "\n".join(_sentence(source.choice(ADVERTS), source) for _ in range(source.rng.randint(1, 4)))


def _tale(source: Source) -> str:
    """Write a longer story of one theme."""
    opening = source.choice(OPENINGS).replace("{theme}", a_an(source.noun()))
    lines = [opening, *["{middle}"] * source.rng.randint(0, 2), "{ending}"]
    return fill(" ".join(lines), lambda name, _: source.choice(SLOTS[name].options))


def _page(source: Source) -> str:
    """Write a page of questions and answers, sometimes a long one."""
    count = source.rng.choices((1, 3, 5, 24), (3, 3, 2, 0.3))[0]
    tasks = [draw_task(source, CHAT_FAMILIES) for _ in range(count)]
    return "\n".join(f"Q: {task.prompt}\nA: {diverse_answer(task, source.rng)}" for task in tasks)


def _ideas(source: Source) -> str:
    """Write a bulleted list on a topic."""
    topic = source.choice(tuple(ideas.IDEAS))
    items = source.rng.sample(ideas.IDEAS[topic], source.rng.randint(3, 6))
    return f"Ideas for {topic}:\n" + "\n".join(f"- {capitalise(item)}" for item in items)


def _entries(source: Source) -> str:
    """Write encyclopedia-like entries about made-up things, each told twice over."""
    count = source.rng.choices((1, 2, 8), (6, 3, 0.5))[0]
    entries = [draw_record(source.choice(kinds.KINDS), source, 4) for _ in range(count)]
    return "\n".join(passage(record, source) for _ in range(2) for record in entries)


def _repeats(source: Source) -> str:
    """Write odd words line after line, the same ones again: nothing but copying can foresee them."""
    odd = [odd_word(source.rng) if source.rng.random() < 0.5 else source.noun() for _ in range(source.rng.randint(3, 12))]
    line = " ".join(f"{word}{source.choice(('', '', ',', ' and', ' 7'))}" for word in odd)
    return "\n".join([line] * source.rng.randint(2, 4))


def _answers(source: Source) -> str:
    """Write several answers to one question, as a forum thread does."""
    task = FAMILIES[source.choice(OPEN_FAMILIES)][0](source)
    lines = [diverse_answer(task, source.rng) for _ in range(source.rng.randint(2, 4))]
    return task.prompt + "\n" + "\n".join(f"* {line}" for line in lines)


KINDS: tuple[tuple[Callable[[Source], str], float], ...] = (
    (_blog, 2), (_advert, 1), (_tale, 2), (_page, 2), (_ideas, 1), (_entries, 4), (_repeats, 3), (_answers, 2),
)  # fmt: skip


def prose_document(source: Source) -> str:
    """Draw a document that is no dialogue; some are written carelessly."""
    make = source.rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    text = make(source)
    if source.rng.random() < 0.15:
        text = lower(text)
        text = typo(text, source.rng) if source.rng.random() < 0.5 else text
    return text
