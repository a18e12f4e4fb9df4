"""Rewriting under a constraint: a sentence of the prompt comes back with one small, exactly determined change."""

from __future__ import annotations

import json
from collections.abc import Callable

from tinypair.source import Source
from tinypair.task import Task
from tinypair.text import a_an, capitalise
from tinypair.words.sentences import DAYS, GAPS, VERBS, Verb, filled, person, two

REPLACE_ASKS = (
    'Rewrite this with "{new}" in place of "{old}": {s}',
    'Replace "{old}" with "{new}": {s}',
    'Put "{new}" where this says "{old}": {s}',
)
POLITE_ASKS = ("Make this polite: {s}", "Say this politely: {s}", "Turn this into a polite request: {s}")
QUESTION_ASKS = ("Turn this into a question: {s}", "Make a question of this: {s}", "Rewrite this as a question: {s}")
PAST_ASKS = ("Put this in the past: {s}", "Rewrite this in the past tense: {s}", "Change this to the past tense: {s}")
BEGIN_ASKS = (
    "Rewrite this so that it starts with {w}: {s}",
    'Begin this sentence with "{w}": {s}',
    'Rewrite this with "{w}" at the start: {s}',
)
WITHOUT_ASKS = ("Rewrite this without the word {w}: {s}", 'Leave out the word "{w}": {s}', 'Remove the word "{w}" from this: {s}')
JSON_ASKS = ("Write this as JSON with the keys {k}: {s}", "Turn this into JSON with the keys {k}: {s}", "Give this as JSON with {k}: {s}")

SWAPS = (
    ("The @ runs through {town}.", "way"), ("The @ near {town} is {adjective}.", "place"), ("{name} works at the @ in {town}.", "place"),
    ("{name} likes @ from {town}.", "food"), ("{name} sold the @ in {town}.", "thing"), ("The {adjective} @ belongs to {name}.", "thing"),
    ("The @ in {town} knows {name}.", "job"), ("@ lives near the {place} in {town}.", "name"), ("The {place} in @ is open today.", "town"),
)  # fmt: skip
"""Sentences with a word to replace, marked ``@``, and the gap that says what fits there."""
COMMANDS = (
    "open the {thing}", "close the {thing}", "clean the {thing}", "bring me the {thing}", "move the {adjective} {thing}",
    "give the {thing} to {name}", "wait for {name}", "call {name} in {town}", "show me the {place}", "make some {food}",
    "take me to {town}", "meet me at the {place} in {town}", "paint the {thing} {colour}", "tell {name} about {town}",
)  # fmt: skip
EXTRAS = (
    ("The @ {adjective} {place} is in {town}.", "degree"), ("The {thing} of {name} is @ {adjective}.", "degree"),
    ("{name} @ walks to {town}.", "often"), ("{name} @ helps the {job} in {town}.", "often"),
    ("The @ {place} in {town} is open.", "adjective"), ("{name} has the @ {thing} from {town}.", "adjective"),
)  # fmt: skip
"""Sentences with a word that can go, marked ``@``."""
Record = tuple[str, dict[str, str | int]]


def _task(kind: str, prompt: str, *frames: str) -> Task:
    """Make a task whose right answers are fixed texts."""
    return Task("rewrite", f"{kind}:{prompt}", prompt, frames, {})


def _statement(source: Source) -> tuple[str, Verb, str]:
    """Draw who does something, the verb, and the rest of the sentence."""
    who, verb = person(source), source.choice(VERBS)
    rest = filled(source, source.choice(verb.rests))
    while who in rest:
        who = person(source)
    return who, verb, rest


def replace(source: Source) -> Task:
    """Draw a sentence in which one word takes the place of another."""
    template, gap = source.choice(SWAPS)
    sentence = filled(source, template)
    old, new = two(source, gap)
    prompt = source.choice(REPLACE_ASKS).format(old=old, new=new, s=sentence.replace("@", old))
    return _task("replace", prompt, sentence.replace("@", new))


def polite(source: Source) -> Task:
    """Draw a command to say politely."""
    command = filled(source, source.choice(COMMANDS))
    prompt = source.choice(POLITE_ASKS).format(s=f"{capitalise(command)}.")
    return _task("polite", prompt, f"Could you please {command}?", f"Could you {command}, please?", f"Please {command}.")


def question(source: Source) -> Task:
    """Draw a statement to ask as a question."""
    who, verb, rest = _statement(source)
    prompt = source.choice(QUESTION_ASKS).format(s=f"{who} {verb.present} {rest}.")
    return _task("question", prompt, f"Does {who} {verb.base} {rest}?")


def past(source: Source) -> Task:
    """Draw a statement to put in the past tense."""
    who, verb, rest = _statement(source)
    prompt = source.choice(PAST_ASKS).format(s=f"{who} {verb.present} {rest}.")
    return _task("past", prompt, f"{who} {verb.past} {rest}.")


def begin(source: Source) -> Task:
    """Draw a statement that is to start with a given word."""
    who, verb, rest = _statement(source)
    sentence, opener = f"{who} {verb.past} {rest}.", GAPS["opener"](source)
    prompt = source.choice(BEGIN_ASKS).format(w=opener, s=sentence)
    return _task("begin", prompt, f"{opener} {sentence}", f"{opener}, {sentence}")


def without(source: Source) -> Task:
    """Draw a sentence from which a word has to go."""
    while True:
        template, gap = source.choice(EXTRAS)
        extra, sentence = GAPS[gap](source), filled(source, template)
        if f" {extra} " not in f" {sentence[:-1]} ":
            break
    prompt = source.choice(WITHOUT_ASKS).format(w=extra, s=sentence.replace("@", extra))
    return _task("without", prompt, sentence.replace("@ ", ""))


def _resident(source: Source) -> Record:
    """Tell where a person lives, and the person's age."""
    name, age, town = f"{person(source)} {source.word()}", source.rng.randint(18, 90), source.town()
    return f"{name} is {age} years old and lives in {town}.", {"name": name, "age": age, "town": town}


def _worker(source: Source) -> Record:
    """Tell a person's job."""
    name, job, town = person(source), GAPS["job"](source), source.town()
    return f"{name} is {a_an(job)} in {town}.", {"name": name, "job": job, "town": town}


def _price(source: Source) -> Record:
    """Tell what something costs in a shop."""
    product, price, shop = GAPS["thing"](source), source.rng.randint(2, 99), source.word()
    return f"The {product} costs {price} euros at {shop}.", {"product": product, "price": price, "shop": shop}


def _pet(source: Source) -> Record:
    """Tell a pet's name, kind and age."""
    name, animal, age = GAPS["pet"](source), GAPS["animal"](source), source.rng.randint(2, 19)
    return f"{name} is {a_an(animal)} and is {age} years old.", {"name": name, "animal": animal, "age": age}


def _train(source: Source) -> Record:
    """Tell of a train's journey."""
    (start, end), hours = two(source, "town"), source.rng.randint(2, 12)
    return f"The train from {start} to {end} takes {hours} hours.", {"from": start, "to": end, "hours": hours}


def _event(source: Source) -> Record:
    """Tell on which day something takes place."""
    event, town, day = GAPS["event"](source), source.town(), source.choice(DAYS)
    return f"The {event} in {town} is on {day}.", {"event": event, "town": town, "day": day}


RECORDS: tuple[Callable[[Source], Record], ...] = (_resident, _worker, _price, _pet, _train, _event)


def as_json(source: Source) -> Task:
    """Draw a sentence to write as JSON; the keys come mostly, but not always, in the order of the sentence."""
    sentence, values = source.choice(RECORDS)(source)
    keys = list(values)
    if source.rng.random() < 0.25:
        source.rng.shuffle(keys)
    if source.rng.random() < 0.2:
        keys.pop()
    listed = f"{', '.join(keys[:-1])} and {keys[-1]}"
    prompt = source.choice(JSON_ASKS).format(k=listed, s=sentence)
    return _task("json", prompt, json.dumps({key: values[key] for key in keys}))


KINDS: dict[str, Callable[[Source], Task]] = {
    "replace": replace, "polite": polite, "question": question, "past": past, "begin": begin, "without": without, "json": as_json,
}  # fmt: skip


def rewrite(source: Source) -> Task:
    """Draw a rewriting task of any kind."""
    return KINDS[source.choice(tuple(KINDS))](source)
