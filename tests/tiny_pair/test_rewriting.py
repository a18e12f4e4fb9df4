"""The tiny pair's rewriting and dialogue tasks: their own answers are right, near misses are not."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable, Iterator

import pytest

from tinypair.check import is_valid
from tinypair.families import dialogues, rewriting
from tinypair.source import Source
from tinypair.task import Task, diverse_answer, favourite_answer
from tinypair.words.sentences import GAPS, VERBS

KINDS: dict[str, Callable[[Source], Task]] = {**rewriting.KINDS, **dialogues.KINDS}
SIDES = (False, True)
Kinds = pytest.mark.parametrize("kind", KINDS)
Sides = pytest.mark.parametrize("held_out", SIDES)


def draws(kind: str, held_out: bool = False, count: int = 150) -> Iterator[Task]:
    """Draw tasks of a kind, always the same ones."""
    source = Source(random.Random(f"{kind}:{held_out}"), held_out)
    for _ in range(count):
        yield KINDS[kind](source)


def parts(task: Task) -> tuple[str, str]:
    """Split a rewriting prompt into what is asked and the sentence."""
    ask, _, sentence = task.prompt.partition(": ")
    return ask, sentence


def replaced(task: Task) -> str:
    ask, sentence = parts(task)
    first, second = re.findall(r'"([^"]+)"', ask)
    old, new = (first, second) if ask.startswith("Replace") else (second, first)
    assert len(re.findall(rf"(?<!\w){old}(?!\w)", sentence)) == 1
    return sentence.replace(old, new)


def made_polite(task: Task) -> str:
    command = parts(task)[1].removesuffix(".")
    return f"Could you please {command[0].lower()}{command[1:]}?"


def conjugated(task: Task, form: str) -> str:
    who, verb, rest = parts(task)[1].split(" ", 2)
    found = next(v for v in VERBS if v.present == verb)
    return f"Does {who} {found.base} {rest[:-1]}?" if form == "question" else f"{who} {found.past} {rest}"


def begun(task: Task) -> str:
    ask, sentence = parts(task)
    found = re.search(r'"(.+)"|starts with (.+)$', ask)
    assert found
    return f"{found[1] or found[2]} {sentence}"


def shortened(task: Task) -> str:
    ask, sentence = parts(task)
    found = re.search(r'"(.+)"|the word ([^"]+)$', ask)
    assert found
    short = re.sub(rf"(?<!\w){found[1] or found[2]} ", "", sentence)
    assert len(short) < len(sentence)
    return short


READERS: dict[str, Callable[[Task], str]] = {
    "replace": replaced,
    "polite": made_polite,
    "question": lambda task: conjugated(task, "question"),
    "past": lambda task: conjugated(task, "past"),
    "begin": begun,
    "without": shortened,
}


@Kinds
@Sides
def test_a_kinds_own_answers_are_right(kind: str, held_out: bool) -> None:
    rng = random.Random(2)
    for task in draws(kind, held_out):
        for answer in (favourite_answer(task, rng), diverse_answer(task, rng), *task.frames):
            assert is_valid(task, answer), (task.prompt, answer)


@Kinds
@Sides
def test_prompts_are_short_and_have_no_gap_left(kind: str, held_out: bool) -> None:
    for task in draws(kind, held_out):
        texts = [str(message["content"]) for message in task.messages()]
        assert len(" ".join(texts).split()) <= 60
        assert not re.search(r"[{}@]", " ".join(texts)), texts
        assert not task.slots
        assert kind == "json" or not re.search(r"[{}@]", " ".join(task.frames)), task.frames


@pytest.mark.parametrize("kind", READERS)
@Sides
def test_the_answer_follows_from_the_prompt(kind: str, held_out: bool) -> None:
    for task in draws(kind, held_out):
        assert task.frames[0] == READERS[kind](task), task.prompt


@Sides
def test_json_says_what_the_sentence_says_under_the_keys_asked_for(held_out: bool) -> None:
    for task in draws("json", held_out):
        ask, sentence = parts(task)
        data = json.loads(task.frames[0])
        assert list(data) == re.split(r", | and ", re.split(r"keys | with ", ask)[-1])
        assert all(str(value) in sentence for value in data.values())
        assert task.frames[0] == json.dumps(data)


@pytest.mark.parametrize("kind", rewriting.KINDS)
def test_the_sentence_unchanged_is_wrong(kind: str) -> None:
    for task in draws(kind):
        assert not is_valid(task, parts(task)[1])


@Kinds
def test_other_words_case_and_length_are_wrong(kind: str) -> None:
    for task in draws(kind):
        good = task.frames[0]
        misses = (good.upper(), good[1:], f"{good} I hope this helps.", f"Sure! {good}", good + good, task.prompt, "")
        assert not any(is_valid(task, miss) for miss in misses), good
        assert good == good.lower() or not is_valid(task, good.lower())


@Kinds
def test_the_answer_to_another_draw_is_wrong(kind: str) -> None:
    tasks = list(draws(kind))
    wrong = [(a, b) for a, b in itertools.pairwise(tasks) if not set(a.frames) & set(b.frames)]
    assert len(wrong) > 100
    assert not any(is_valid(a, b.frames[0]) for a, b in wrong)


def test_broken_json_is_wrong() -> None:
    for task in draws("json"):
        good = task.frames[0]
        data = json.loads(good)
        fewer, more = dict(list(data.items())[1:]), {**data, "country": "France"}
        strings, turned = {k: str(v) for k, v in data.items()}, dict(reversed(data.items()))
        misses = [good[:-1], good.replace('"', "'"), f"```json\n{good}\n```", *map(json.dumps, (fewer, more, turned))]
        misses += [json.dumps(strings)] if strings != data else []
        assert not any(is_valid(task, miss) for miss in misses), good


def test_wrong_tenses_and_forms_are_wrong() -> None:
    for question, past in zip(draws("question"), draws("past"), strict=True):
        good = question.frames[0]
        assert not is_valid(question, good.replace("Does", "Did"))
        assert not is_valid(question, good.replace("?", "."))
        assert not is_valid(question, parts(question)[1].replace(".", "?"))
        who, verb, rest = past.frames[0].split(" ", 2)
        assert not is_valid(past, f"{who} will {verb.removesuffix('ed')} {rest}")
        assert not is_valid(past, f"{who} was {verb} {rest}")


def test_a_rule_of_form_must_be_kept() -> None:
    seen = set()
    for task in draws("rule"):
        found = re.search(r'"(.+)"', task.system)
        if not found:
            seen.add("short")
            assert " " not in task.frames[0]
            assert not is_valid(task, f"It is {task.frames[0]}")
            continue
        seen.add("begin" if "egin" in task.system or "Start" in task.system else "end")
        good, marker = task.frames[0], found[1]
        assert good.startswith(marker) or good.endswith(marker)
        assert not is_valid(task, good.replace(marker, "").strip())
        assert not is_valid(task, good.replace(marker, "Hey," if good.startswith(marker) else "Bye."))
    assert seen == {"short", "begin", "end"}


def test_a_persona_answers_from_the_system_message() -> None:
    for task in draws("persona"):
        told = re.sub(r"^(My name is|I am|I work as|I work in|I like) ", "", task.frames[0]).removesuffix(".")
        assert told in task.system
        assert not is_valid(task, task.frames[0].replace(told, "Nobody"))
        assert not is_valid(task, "I am a tiny language model that lives inside a library.")


def test_a_later_word_of_the_user_counts() -> None:
    for task in draws("correction"):
        wrong, right = task.history[0]["content"], task.history[2]["content"]
        value = task.frames[0].removesuffix(".").rpartition(" ")[2]
        assert value in right
        assert task.history[0]["role"] == "user" and task.history[1]["role"] == "assistant"
        first = wrong.removesuffix(".").rpartition(" ")[2]
        assert first == value or not is_valid(task, task.frames[0].replace(value, first))


def test_one_of_two_is_the_one_asked_for() -> None:
    for task in draws("pets"):
        said = str(task.history[0]["content"])
        first, second = (re.split(r" called | lives in ", half)[-1].rstrip(".") for half in said.split(" and "))
        good = task.frames[0]
        value, other = (first, second) if good.endswith(f" {first}.") else (second, first)
        assert good.endswith(f" {value}.")
        assert not is_valid(task, good.removesuffix(f"{value}.") + f"{other}.")


def test_memory_asks_for_what_was_told() -> None:
    for task in draws("memory"):
        told = " ".join(str(message["content"]) for message in task.history if message["role"] == "user")
        value = re.sub(r"^(You live in|Your .*? is called|Your .*? is the|Your .*? is) ", "", task.frames[0]).removesuffix(".")
        assert value in told
        assert not is_valid(task, task.frames[0].replace(value, value.lower() + "x"))


@Sides
@pytest.mark.parametrize("gap", GAPS)
def test_every_gap_has_several_fillings_on_both_sides_of_the_wall(gap: str, held_out: bool) -> None:
    source = Source(random.Random(4), held_out)
    assert len({GAPS[gap](source) for _ in range(100)}) > 1


@Sides
@pytest.mark.parametrize("family", [rewriting.rewrite, dialogues.dialogue])
def test_the_same_seed_draws_the_same_tasks(family: Callable[[Source], Task], held_out: bool) -> None:
    first, second = (Source(random.Random(6), held_out) for _ in range(2))
    assert [family(first) for _ in range(100)] == [family(second) for _ in range(100)]


def test_all_kinds_of_a_family_are_drawn() -> None:
    for family, kinds in ((rewriting.rewrite, rewriting.KINDS), (dialogues.dialogue, dialogues.KINDS)):
        source = Source(random.Random(8))
        drawn = [family(source) for _ in range(300)]
        assert {task.subject.partition(":")[0] for task in drawn} == set(kinds)
        assert {task.family for task in drawn} == {family.__name__}


def test_a_word_to_remove_stands_in_the_sentence_once(monkeypatch: pytest.MonkeyPatch) -> None:
    awkward = itertools.cycle(("open", "is", "walks", "in", "old"))
    monkeypatch.setattr(rewriting, "GAPS", dict.fromkeys(GAPS, lambda source: next(awkward)))
    source = Source(random.Random(5))
    for _ in range(100):
        ask, sentence = parts(rewriting.without(source))
        (word,) = re.findall(r"\b(open|is|walks|in|old)\b", ask.replace("from this", ""))
        assert sentence.rstrip(".").split().count(word) == 1
