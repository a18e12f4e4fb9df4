"""The wall of the embedded pair's world: what the evaluation asks about, no prompt of training is about."""

from __future__ import annotations

import random
import re

import pytest

from tinypair.families import FAMILIES, OPEN_FAMILIES, draw_task, held_out_tasks
from tinypair.families.facts import fact
from tinypair.source import TAILS, Source, is_held_out
from tinypair.words import truths
from tinypair.words.everyday import EVERYDAY
from tinypair.words.gifts import PEOPLE
from tinypair.words.tooling import PAIR_ARGUMENTS


@pytest.mark.parametrize("name", OPEN_FAMILIES)
def test_subjects_of_the_evaluation_are_in_no_training_prompt(name: str) -> None:
    asked = {task.subject for task in held_out_tasks(name, 15, seed=5)}
    source = Source(random.Random(9))
    assert not asked & {FAMILIES[name][0](source).subject for _ in range(2000)}


def test_the_wall_parts_every_list_and_everything_made_up() -> None:
    options = tuple(f"thing {number}" for number in range(60))
    training, evaluation = Source(random.Random(1)), Source(random.Random(2), held_out=True)
    for draw in (lambda source: source.subject(options), Source.word, Source.town):
        seen, kept = ({draw(source) for _ in range(500)} for source in (training, evaluation))
        assert seen and kept and not seen & kept
        assert all(is_held_out(subject) for subject in kept)
        assert not any(is_held_out(subject) for subject in seen)
    with pytest.raises(ValueError, match="held_out=True"):
        evaluation.subject([option for option in options if not is_held_out(option)])


def test_made_up_subjects_are_in_training_only_and_keep_the_form_of_those_they_are_made_after() -> None:
    options = ("the old mill", "My friend.", "a red kite", "bees")
    made = {text for seed in range(400) for text in [Source(random.Random(seed)).subject(options)] if text not in options}
    tail = re.compile(rf" (?:{'|'.join(TAILS)}) [a-z]+$")
    assert len(made) > 100 and not any(is_held_out(text.rstrip(".")) for text in made)
    assert any(tail.search(text) for text in made)
    for text in made:
        text = tail.sub("", text)
        assert re.fullmatch(r"the( [a-z]+){2,4}|My [A-Z][a-z]+\.|[A-Z][a-z]+ [a-z]+( [a-z]+)?\.|an? .*|[a-z]+( [a-z]+)?s", text), text
        assert not re.match(r"a [aeio]|an [^aeiouh]", text), text
    evaluation = Source(random.Random(1), held_out=True)
    assert {evaluation.subject(PEOPLE) for _ in range(300)} <= set(PEOPLE)


def test_a_subject_keeps_its_number_of_words_where_it_must() -> None:
    source = Source(random.Random(2))
    drawn = {source.subject(PAIR_ARGUMENTS, longer=0) for _ in range(500)}
    assert len(drawn) > 100 and {len(text.split()) for text in drawn} == {2}


def test_everyday_words_are_plain_and_none_belongs_to_a_pair_that_is_held_out_as_a_whole() -> None:
    assert len(EVERYDAY) > 1000 and all(re.fullmatch("[a-z]{3,}", word) for word in EVERYDAY)
    assert not set(EVERYDAY) & set(" ".join(PAIR_ARGUMENTS).split())


def test_every_fact_can_be_learned_and_is_asked_otherwise_in_evaluation() -> None:
    learned, asked = ([fact(Source(random.Random(seed), held_out)) for seed in range(6000)] for held_out in (False, True))
    assert not {task.prompt for task in learned} & {task.prompt for task in asked}
    answers = {task.frames[0].replace("{x}", task.slots["x"].options[0]) for task in learned}
    tables = (truths.CAPITALS, truths.COLOUR_OF, truths.OPPOSITES, truths.SOUNDS, truths.LEGS)
    known = [sum(key in answer or key.capitalize() in answer for answer in answers) for table in tables for key in table]
    assert min(known) > 0, "a fact that training never asks about"
    assert {task.frames[0].replace("{x}", task.slots["x"].options[0]) for task in asked} <= answers
    assert len({task.prompt.split()[0] for task in asked}) > 3, "evaluation asks in more than one way"


def test_training_asks_about_nothing_that_the_evaluation_asks_about() -> None:
    source = Source(random.Random(21))
    prompts = {draw_task(source).prompt for _ in range(4000)}
    assert not prompts & {task.prompt for family in OPEN_FAMILIES for task in held_out_tasks(family, 12, seed=1)}
