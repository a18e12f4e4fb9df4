"""Questions answered from a given text: the answer is copied from the passage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinypair.source import Source
from tinypair.task import Task, slot
from tinypair.text import capitalise
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
FORMS = (
    ("Context:\n{context}\n\nQuestion: {question}", ""),
    ("{context}\n\n{question}", ""),
    ("Answer the question from the context.\n\nContext: {context}\n\nQuestion: {question}\nAnswer:", ""),
    (LLAMAINDEX_USER, LLAMAINDEX_SYSTEM),
)
FORM_WEIGHTS = (3, 1, 1, 3)
KIND_WEIGHTS = (4, 2, 2, 2, 1, 1, 1)
FILE_NAMES = ("notes", "town", "guide", "doc", "page", "facts", "travel", "report", "people", "data")
STREET_ENDS = ("Street", "Road", "Lane", "Square", "Alley", "Hill")


@dataclass(frozen=True)
class Record:
    """A subject with the values of its facts."""

    kind: Kind
    name: str
    values: tuple[tuple[Fact, tuple[str, ...]], ...]


def _person(source: Source) -> str:
    """Make up the name of a person."""
    first = source.word() if source.rng.random() < 0.5 else source.subject(records.FIRST_NAMES)
    return f"{first} {source.word()}"


def _value(fact: Fact, source: Source) -> tuple[str, ...]:
    """Draw the value of a fact; several of them where the fact is a list."""
    drawn = fact.value
    if not isinstance(drawn, str):
        return tuple(source.rng.sample(drawn, source.rng.randint(3, 5) if fact.several else 1))
    made: dict[str, Callable[[], str]] = {
        "word": lambda: source.word(),
        "person": lambda: _person(source),
        "town": lambda: source.town(),
        "street": lambda: f"{source.word()} {source.choice(STREET_ENDS)}",
        "year": lambda: str(source.rng.randint(1100, 2020)),
        "count": lambda: str(source.choice((100, 500, 1000)) * source.rng.randint(2, 90)),
        "price": lambda: str(source.rng.randint(3, 90)),
        "small": lambda: str(source.rng.randint(2, 20)),
        "hour": lambda: source.choice(("six", "seven", "eight", "nine", "ten", "noon")),
    }
    return (made[drawn](),)


def _subject_name(kind: Kind, source: Source) -> str:
    """Make up a name that fits a kind of subject."""
    if kind.name == "town":
        return source.town() if source.rng.random() < 0.7 else source.word()
    if kind.name == "person":
        return _person(source) if source.rng.random() < 0.7 else source.choice(records.FIRST_NAMES)
    if kind.name == "animal":
        return source.word().lower()
    return source.word()


def draw_record(kind: Kind, source: Source, facts: int) -> Record:
    """Make up a subject and the values of some of its facts."""
    chosen = source.rng.sample(kind.facts, min(facts, len(kind.facts)))
    return Record(kind, _subject_name(kind, source), tuple((fact, _value(fact, source)) for fact in chosen))


def listing(items: tuple[str, ...]) -> str:
    """Join the entries of a list as a sentence does."""
    return ", ".join(items[:-1]) + " or " + items[-1]


def passage(record: Record, source: Source) -> str:
    """Tell a record as a short text."""
    sentences = [source.choice(record.kind.intro).format(e=record.name)]
    for fact, values in record.values:
        told = {"e": record.name, "v": values[0]}
        if fact.several:
            joined = listing(values)
            told["list"] = joined if source.rng.random() < 0.3 else joined.replace(" or ", " and ")
        sentences.append(capitalise(source.choice(fact.says).format(**told)))
    return " ".join(sentences)


def _metadata(source: Source) -> str:
    """Write the lines that a document loader puts over a text; often none."""
    if source.rng.random() < 0.5:
        return ""
    name = source.choice(FILE_NAMES)
    lines = source.choice(
        (f"file_path: {name}.txt", f"file_path: docs/{name}.txt\nfile_name: {name}.txt", f"title: {name}", f"source: {name}.md"),
    )
    return lines + "\n\n"


def context_task(source: Source) -> Task:
    """Draw a question over passages with one right answer, in one of the usual prompt forms."""
    return _question(source, several=False)


def context_list_task(source: Source) -> Task:
    """Draw a question over passages that list several right answers."""
    return _question(source, several=True)


def _question(source: Source, several: bool) -> Task:
    """Draw a record, ask for one of its facts, and tell it among other passages."""
    kind = source.rng.choices(KINDS, KIND_WEIGHTS)[0]
    while not any(fact.several == several for fact in kind.facts):
        kind = source.choice(KINDS)
    target = draw_record(kind, source, source.rng.randint(2, 4))
    while not any(fact.several == several for fact, _ in target.values):
        target = draw_record(kind, source, source.rng.randint(2, 4))
    fact, values = source.choice([pair for pair in target.values if pair[0].several == several])
    passages = [target, *_others(kind, source)]
    source.rng.shuffle(passages)
    question = source.choice(fact.asks).format(e=target.name)
    prompt, system = _written(passages, question, source)
    frame = capitalise(fact.answer.replace("{e}", target.name).replace("{v}", "{x}"))
    family = "context_list" if several else "context"
    return Task(family, target.name, prompt, (frame,), {"x": slot(values)}, system)


def _others(kind: Kind, source: Source) -> list[Record]:
    """Draw passages that have nothing to do with the question; often none, seldom a long page of them."""
    count = source.rng.choices((0, 1, 2, 5), (5, 4, 2, 0.4))[0]
    kinds = [kind if source.rng.random() < 0.5 else source.choice(KINDS) for _ in range(count)]
    return [draw_record(other, source, source.rng.randint(1, 3)) for other in kinds]


def _written(passages: list[Record], question: str, source: Source) -> tuple[str, str]:
    """Write a question over passages as a prompt; return it with its system text (often empty)."""
    form, system = source.rng.choices(FORMS, FORM_WEIGHTS)[0]
    texts = [(_metadata(source) if system else "") + passage(record, source) for record in passages]
    prompt = form.format(context="\n\n".join(texts), question=question)
    return prompt if source.rng.random() < 0.5 else prompt.rstrip(), system
