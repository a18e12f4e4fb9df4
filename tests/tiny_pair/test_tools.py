"""The tools of the miniature world: right calls pass, near misses do not, and evaluation sees only names that training never had."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tinypair import check
from tinypair.families.tool_schemas import LAYOUTS, Argument, Tool, call_text, same_call, schema
from tinypair.families.tools import shared_words, tool_answer, tool_call, tool_chat
from tinypair.source import Source, is_held_out
from tinypair.task import Task, diverse_answer, favourite_answer
from tinypair.words import tooling

FAMILIES = [tool_call, tool_answer, tool_chat]
TYPES = {"string": str, "integer": int, "number": int}
BOOK = call_text("book_table", {"name": "Café Zolmin", "guests": 4})
NOUNS = (*tooling.MEASURES, *tooling.NAMES, *tooling.STATES)


def draws(family: Callable[[Source], Task], held_out: bool, count: int, seed: int = 1) -> list[Task]:
    source = Source(random.Random(seed), held_out)
    return [family(source) for _ in range(count)]


def call_of(task: Task) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(task.frames[0].splitlines()[1])
    return found


def wanted(task: Task, name: str) -> Mapping[str, Any]:
    (tool,) = [tool for tool in task.tools if tool["function"]["name"] == name]
    return tool


def names_in(tasks: list[Task]) -> set[str]:
    functions = [tool["function"] for task in tasks for tool in task.tools]
    return {name for function in functions for name in (function["name"], *function["parameters"]["properties"])}


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_pass_the_oracle(family: Callable[[Source], Task], held_out: bool) -> None:
    rng = random.Random(2)
    for task in draws(family, held_out, 300):
        assert check.is_valid(task, favourite_answer(task, rng)), task
        assert check.is_valid(task, diverse_answer(task, rng)), task
        assert not check.is_valid(task, "It is what it is.")


@pytest.mark.parametrize("held_out", [False, True])
def test_a_call_fits_its_schema_and_copies_the_request(held_out: bool) -> None:
    for task in draws(tool_call, held_out, 500):
        call = call_of(task)
        parameters = wanted(task, call["name"])["function"]["parameters"]
        assert set(parameters["required"]) <= set(call["arguments"]) <= set(parameters["properties"])
        for name, value in call["arguments"].items():
            assert type(value) is TYPES[parameters["properties"][name]["type"]]
            assert str(value) in task.prompt
        assert same_call(task.frames[0], task.frames[0])


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_schemas_are_well_formed(family: Callable[[Source], Task], held_out: bool) -> None:
    for task in draws(family, held_out, 200):
        assert 1 <= len(names := [tool["function"]["name"] for tool in task.tools]) <= 3
        assert len(set(names)) == len(names)
        for tool in task.tools:
            assert list(tool["function"]) == ["name", "description", "parameters"]
            assert re.fullmatch(r"[a-zA-Z_]\w*", tool["function"]["name"])
            parameters = tool["function"]["parameters"]
            assert set(parameters["required"]) <= set(parameters["properties"])
            assert parameters["type"] == "object" and json.loads(json.dumps(tool)) == tool
            assert len(json.dumps(tool).split()) <= 60


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("family", [tool_call, tool_answer])
def test_a_request_names_the_right_tool_and_no_other(family: Callable[[Source], Task], held_out: bool) -> None:
    for task in draws(family, held_out, 400):
        meant = [tool["function"]["name"] for tool in task.tools if shared_words(task.prompt, tool)]
        assert meant == [task.subject]


@pytest.mark.parametrize("held_out", [False, True])
def test_talk_names_no_tool(held_out: bool) -> None:
    for task in draws(tool_chat, held_out, 200):
        assert not any(shared_words(task.prompt, tool) for tool in task.tools)
        assert "<tool_call>" not in task.frames[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluation_has_names_that_training_never_had(family: Callable[[Source], Task]) -> None:
    training = draws(family, False, 1500)
    assert not names_in(training) & names_in(draws(family, True, 1500))
    texts = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", json.dumps(task.tools)).lower() for task in training)
    assert not [noun for noun in NOUNS if is_held_out(noun) and re.search(rf"\b{noun}\b", texts)]


@pytest.mark.parametrize("held_out", [False, True])
def test_a_report_follows_a_call_and_its_result(held_out: bool) -> None:
    for task in draws(tool_answer, held_out, 200):
        roles = [message["role"] for message in task.messages()]
        assert roles[-3:] == ["user", "assistant", "tool"]
        (call,) = task.after[0]["tool_calls"]
        assert call["id"] == task.after[1]["tool_call_id"]
        assert call["function"]["name"] == task.after[1]["name"] == task.subject
        assert isinstance(call["function"]["arguments"], dict)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_draws_the_same_tasks(family: Callable[[Source], Task]) -> None:
    assert draws(family, False, 50, seed=5) == draws(family, False, 50, seed=5)


@pytest.mark.parametrize(
    "text",
    [
        BOOK,
        f" {BOOK}\n",
        '<tool_call>{"arguments":{"guests":4,"name":"Caf\\u00e9 Zolmin"},"name":"book_table"}</tool_call>',
        BOOK.replace(": ", " :\n "),
    ],
)
def test_every_spelling_of_a_call_is_the_same_call(text: str) -> None:
    assert same_call(BOOK, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"Sure! {BOOK}",
        f"{BOOK} Done.",
        f"{BOOK}\n{BOOK}",
        BOOK.replace("book_table", "find_table"),
        BOOK.replace("Zolmin", "zolmin"),
        BOOK.replace(": 4", ': "4"'),
        BOOK.replace(": 4", ": 4.0"),
        BOOK.replace(": 4", ": NaN"),
        BOOK.replace(', "guests": 4', ""),
        BOOK.replace(": 4", ': 4, "day": 2'),
        BOOK.replace(": 4", ': 4, "guests": 4'),
        BOOK.replace("}}", "}"),
        BOOK.replace("}}", '}, "id": 1}'),
        BOOK.replace("</tool_call>", ""),
        BOOK.replace('"arguments"', '"parameters"'),
        '<tool_call>\n{"name": "book_table", "arguments": "x"}\n</tool_call>',
    ],
)
def test_near_misses_are_not_the_same_call(text: str) -> None:
    assert not same_call(BOOK, text)


def test_true_is_not_the_number_one() -> None:
    assert not same_call(call_text("set", {"n": 1}), '<tool_call>{"name": "set", "arguments": {"n": true}}</tool_call>')


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_schema_in_the_order_of_each_library(layout: str) -> None:
    tool = Tool("get_tide", "Get the tide.", (Argument("town", "string"), Argument("week", "integer", "The week.", 3)))
    parameters = schema(tool, layout)["function"]["parameters"]
    assert list(parameters) == (["type", "properties", "required"] if layout == "openai" else ["properties", "required", "type"])
    assert parameters["required"] == ["town"]
    assert parameters["properties"]["week"]["default"] == 3
