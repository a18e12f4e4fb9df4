"""Questions answered from a given text: the answer is copied from the passage."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tinypair.task import Task, slot
from tinypair.text import capitalise, invented_town, invented_word
from tinypair.words import records
from tinypair.words.kinds import KINDS
from tinypair.words.records import Fact, Kind

# The question-answering prompt of LlamaIndex (llama_index.core.prompts.chat_prompts), word for word.
LLAMAINDEX_SYSTEM = (
    "You are an expert Q&A system that is trusted around the world.\n"
    "Always answer the query using the provided context information, and not prior knowledge.\n"
    "Some rules to follow:\n"
    "1. Never directly reference the given context in your answer.\n"
    "2. Avoid statements like 'Based on the context, ...' or "
    "'The context information ...' or anything along those lines."
)
LLAMAINDEX_USER = (
    "Context information is below.\n"
    "---------------------\n"
    "{context}\n"
    "---------------------\n"
    "Given the context information and not prior knowledge, answer the query.\n"
    "Query: {question}\n"
    "Answer: "
)
PLAIN_USER = "Context:\n{context}\n\nQuestion: {question}"
FILE_NAMES = ("notes", "town", "guide", "doc", "page", "facts", "travel", "report", "people", "data")
STREET_ENDS = ("Street", "Road", "Lane", "Square", "Alley", "Hill")


@dataclass(frozen=True)
class Record:
    """A subject with the values of its facts."""

    kind: Kind
    name: str
    values: tuple[tuple[Fact, tuple[str, ...]], ...]


def _person(rng: random.Random) -> str:
    """Make up the name of a person."""
    return f"{rng.choice(records.FIRST_NAMES)} {invented_word(rng)}"


def _value(fact: Fact, rng: random.Random) -> tuple[str, ...]:
    """Draw the value of a fact; several of them where the fact is a list."""
    source = fact.value
    if not isinstance(source, str):
        return tuple(rng.sample(source, rng.randint(3, 5) if fact.several else 1))
    made: dict[str, Callable[[], str]] = {
        "word": lambda: invented_word(rng),
        "person": lambda: _person(rng),
        "town": lambda: invented_town(rng),
        "street": lambda: f"{invented_word(rng)} {rng.choice(STREET_ENDS)}",
        "year": lambda: str(rng.randint(1100, 2020)),
        "count": lambda: str(rng.choice((100, 500, 1000)) * rng.randint(2, 90)),
        "price": lambda: str(rng.randint(3, 90)),
        "small": lambda: str(rng.randint(2, 20)),
        "hour": lambda: rng.choice(("six", "seven", "eight", "nine", "ten", "noon")),
    }
    return (made[source](),)


def _subject_name(kind: Kind, rng: random.Random) -> str:
    """Make up a name that fits a kind of subject."""
    if kind.name == "town":
        return invented_town(rng) if rng.random() < 0.7 else invented_word(rng)
    if kind.name == "person":
        return _person(rng) if rng.random() < 0.7 else rng.choice(records.FIRST_NAMES)
    if kind.name == "animal":
        return invented_word(rng).lower()
    return invented_word(rng)


def draw_record(kind: Kind, rng: random.Random, facts: int) -> Record:
    """Make up a subject and the values of some of its facts."""
    chosen = rng.sample(kind.facts, min(facts, len(kind.facts)))
    return Record(kind, _subject_name(kind, rng), tuple((fact, _value(fact, rng)) for fact in chosen))


def listing(items: tuple[str, ...]) -> str:
    """Join the entries of a list as a sentence does."""
    return ", ".join(items[:-1]) + " or " + items[-1]


def passage(record: Record, rng: random.Random) -> str:
    """Tell a record as a short text."""
    sentences = [rng.choice(record.kind.intro).format(e=record.name)]
    for fact, values in record.values:
        told = {"e": record.name, "v": values[0]}
        if fact.several:
            joined = listing(values)
            told["list"] = joined if rng.random() < 0.3 else joined.replace(" or ", " and ")
        sentences.append(capitalise(rng.choice(fact.says).format(**told)))
    return " ".join(sentences)


def _metadata(rng: random.Random) -> str:
    """Write the lines that a document loader puts over a text; often none."""
    if rng.random() < 0.5:
        return ""
    name = rng.choice(FILE_NAMES)
    lines = rng.choice(
        (f"file_path: {name}.txt", f"file_path: docs/{name}.txt\nfile_name: {name}.txt", f"title: {name}", f"source: {name}.md"),
    )
    return lines + "\n\n"


def context_task(rng: random.Random) -> Task:
    """Draw a question over one or two passages, in one of the usual prompt forms."""
    kind = rng.choices(KINDS, (4, 2, 2, 2, 1, 1, 1))[0]
    target = draw_record(kind, rng, rng.randint(2, 4))
    passages = [target]
    if rng.random() < 0.4:
        other = kind if rng.random() < 0.5 else rng.choice(KINDS)
        passages.append(draw_record(other, rng, rng.randint(1, 3)))
        rng.shuffle(passages)
    fact, values = rng.choice(target.values)
    lists = [pair for pair in target.values if pair[0].several]
    if lists and rng.random() < 0.4:
        fact, values = rng.choice(lists)
    question = rng.choice(fact.asks).format(e=target.name)
    frame = capitalise(fact.answer.replace("{e}", target.name).replace("{v}", "{x}"))
    llamaindex = rng.random() < 0.33
    texts = [(_metadata(rng) if llamaindex else "") + passage(record, rng) for record in passages]
    form = LLAMAINDEX_USER if llamaindex else PLAIN_USER
    prompt = form.format(context="\n\n".join(texts), question=question)
    return Task(
        "context-open" if fact.several else "context",
        f"{kind.name}:{target.name}",
        prompt if rng.random() < 0.5 else prompt.rstrip(),
        (frame,),
        {"x": slot(values)},
        open_ended=fact.several,
        system=LLAMAINDEX_SYSTEM if llamaindex else "",
    )
