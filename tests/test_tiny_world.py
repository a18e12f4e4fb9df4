"""The miniature world of the embedded pair: its answers pass its own oracle, and near misses do not."""

from __future__ import annotations

import random

import pytest

from tinypair import check
from tinypair.corpus import aligned_dialogue, base_dialogue, base_document
from tinypair.dialogue import Dialogue, chat_segments, transcript_segments, written
from tinypair.families import FAMILIES, OPEN_FAMILIES, draw_task, held_out
from tinypair.task import Task, diverse_answer, favourite_answer, slot
from tinypair.untidy import untidy_answer

GIFT = Task(
    "gift",
    "aunt:gardening",
    "Give me a gift idea for my aunt who loves gardening.",
    ("You could give your aunt {x}.", "How about {x}?"),
    {"x": slot(("a rose bush", "a seed tin", "a sun hat"))},
)
LIST = Task("list", "topic", "List three.", ("1. {^x}\n2. {^x}\n3. {^x}",), {"x": slot(("tea", "milk", "rum", "gin"))})
FACT = Task("fact", "capital", "What is the capital of France?", ("The capital of France is {x}.",), {"x": slot(("Paris",))})


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_of_the_world_pass_its_oracle(name: str) -> None:
    rng = random.Random(3)
    for _ in range(60):
        task = FAMILIES[name][0](rng)
        assert check.is_valid(task, favourite_answer(task, rng)), task.prompt
        assert check.is_valid(task, diverse_answer(task, rng)), task.prompt


@pytest.mark.parametrize("text", ["You could give your aunt a rose bush.", " How about a sun hat?\n"])
def test_good_gifts_are_valid(text: str) -> None:
    assert check.is_valid(GIFT, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "you could give your aunt a rose bush.",
        "You could give your aunt a rose bush",
        "You could give your uncle a rose bush.",
        "You could give your aunt a fly fishing kit.",
        "You could give your aunt a rose bsuh.",
        "You could give your aunt a rose bush. You could give your aunt a sun hat.",
        "How about a sun hat?\n\nUser:\nHello",
    ],
)
def test_near_misses_are_not_valid(text: str) -> None:
    assert not check.is_valid(GIFT, text)


def test_a_list_needs_three_different_entries() -> None:
    assert check.is_valid(LIST, "1. Tea\n2. Gin\n3. Rum")
    assert not check.is_valid(LIST, "1. Tea\n2. Tea\n3. Rum")
    assert not check.is_valid(LIST, "1. Tea\n2. Rum")


def test_facts_have_one_right_value() -> None:
    assert check.is_valid(FACT, "The capital of France is Paris.")
    assert not check.is_valid(FACT, "The capital of France is Madrid.")
    assert check.contains_right_value(FACT, "it is paris lol")
    assert not check.contains_right_value(FACT, "Parisian streets")


def test_untidy_answers_are_mostly_not_valid() -> None:
    rng = random.Random(5)
    tasks = [draw_task(rng) for _ in range(200)]
    good = sum(check.is_valid(task, untidy_answer(task, draw_task(rng), rng)) for task in tasks)
    assert good < 20


def test_distinct_ignores_case_and_punctuation() -> None:
    assert check.distinct(["A cat.", "a cat", "a dog!"]) == 2
    assert check.distinct_and_valid(GIFT, ["How about a sun hat?", "how about a sun hat", "How about a seed tin?"]) == 2


def test_favourites_are_narrow_and_diverse_answers_are_not() -> None:
    rng = random.Random(7)
    for name in OPEN_FAMILIES:
        task = FAMILIES[name][0](rng)
        narrow = check.distinct([favourite_answer(task, rng) for _ in range(200)])
        wide = check.distinct([diverse_answer(task, rng) for _ in range(200)])
        assert narrow < wide


def test_held_out_prompts_never_reach_training() -> None:
    rng = random.Random(9)
    for _ in range(500):
        for dialogue in (base_dialogue(rng), aligned_dialogue(rng)):
            gifts = [question for question, _ in dialogue.turns if "gift" in question and "\n" not in question]
            assert not any(held_out(Task("gift", "", question, (), {})) for question in gifts)


def test_the_two_written_forms_of_a_dialogue() -> None:
    dialogue = Dialogue("Be kind.", (("Hi", "Hello!"), ("Bye", "See you.")))
    assert written(transcript_segments(dialogue)) == ("Be kind.\n\nUser:\nHi\n\nAssistant:\nHello!\n\nUser:\nBye\n\nAssistant:\nSee you.")
    assert written(chat_segments(dialogue)) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>"
        "\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you.<|im_end|>"
    )


def test_the_same_seed_draws_the_same_corpus() -> None:
    first, second = random.Random(11), random.Random(11)
    assert [base_document(first) for _ in range(20)] == [base_document(second) for _ in range(20)]
