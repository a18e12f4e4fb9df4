"""The LangChain benchmark measures what it says, and its own check of JSON knows right from wrong."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import langchain_calls
from benchmarks.agents import Agent
from benchmarks.json_check import mistakes, value_characters
from benchmarks.langchain_calls import FULL, OUTPUTS, QUICK_SCHEMAS
from benchmarks.schemas import EXPRESSION, FORMATS, FREE_FIELDS, MATRIX, MIXED, SCHEMAS, TUPLE, UNICODE, Pet
from benchmarks.structured_outputs import base_outside, budgets, complaint
from benchmarks.together import make_prompts
from langchain_baco import ChatBaco

RABBIT = {"name": "Hoppy", "kind": "rabbit", "age": 3, "tame": True}


@pytest.mark.slow
def test_a_quick_run_finds_equal_texts_and_valid_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["langchain_calls.py", "--quick", "--structured", "--device", "cpu", "--output", str(file)])
    langchain_calls.main()
    last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert last == file.read_text().rstrip("\n")
    document = json.loads(last)
    assert document["quick"] and document["conditions"]["threads"] >= 1
    assert [one["together"].split()[0] for one in document["results"]] == ["batch", "abatch", "threads,", "tasks,", "generate,"]
    for one in document["results"]:
        assert one["equal"] == one["compared"] > 0
        assert one["tokens"] >= one["calls"] and one["times_one_by_one"] > 0
    assert len(document["structured"]) == QUICK_SCHEMAS
    for one in document["structured"]:
        assert (one["invalid"], one["base_outside"], one["complaints"]) == (0, 0, [])
        assert one["refused"] == 1 and one["valid"] == one["stopped"] + one["filled"] == one["outputs"] - 1
        assert one["filled"] >= 1, "where the shortest answer just fits there is no room for an end token"
        assert one["base_tokens"] > 0


def test_the_full_run_asks_what_it_says() -> None:
    assert (len(SCHEMAS), len(SCHEMAS) * len(budgets(30)) * OUTPUTS) == (20, 1000)
    assert min(budgets(30)) == 29 and 30 in budgets(30) and max(budgets(30)) == budgets(30)[0]
    assert len(set(make_prompts(FULL.prompts))) == FULL.prompts == 32
    assert len({str(Agent(number).history[0].content) for number in range(FULL.agents)}) == FULL.agents == 32


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_that_can_be_asked_for(name: str) -> None:
    assert ChatBaco().with_structured_output(SCHEMAS[name]) is not None


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (MATRIX, [{"rows": [[1, -9], [0, 9]]}], [{}, {"rows": [[1, 2]]}, {"rows": [[1, 2], [3, 10]]}, {"rows": [[1, 2], [3, 4.5]]}, []]),
        (MIXED, [{"fixed": {"a": [1, None]}, "any": True}], [{"fixed": {"a": [1, None]}, "any": 1}, {"fixed": {"a": [1]}, "any": 7}]),
        (TUPLE, [{"row": ["a", 1, True], "done": False}], [{"row": ["a", 1], "done": False}, {"row": ["a", 1, True, 2], "done": True}]),
        (EXPRESSION, [{"value": {"op": "+", "left": 1, "right": 2}}], [{"value": {"op": "+", "left": 1}}, {"value": 100}, {"value": True}]),
        (FREE_FIELDS, [{"a": "b"}], [{}, {"a": 1}, {"a": "longer than ten"}, 3]),
        (UNICODE | {"required": []}, [{}, {"größe": "groß"}, {"emoji 🐇": ["猫"]}], [{"größe": "gross"}, {"size": 1}, {"emoji 🐇": []}]),
        ({"type": "string", "pattern": "^[a-c]+$", "minLength": 2}, ["ab"], ["a", "abd"]),
        ({"type": "integer"}, [1, 2.0], [1.5, True, "1"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, [0.1, 1], [0, 1.1, True, "0.5"]),
        ({"type": "integer", "minimum": 2, "exclusiveMaximum": 8, "multipleOf": 2}, [2, 6], [1, 3, 8]),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, [0.5], [1]),
        ({"anyOf": [{"type": "integer"}, {"const": "a"}]}, [1, "a"], ["b", None]),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [2], [0, 4]),
        ({"format": "date"}, ["2024-02-29"], ["2023-02-29", "2023-2-1", "20230201"]),
        ({"format": "time"}, ["10:00:00z", "10:00:59.123456789+02:00"], ["10:00:60Z", "10:00:00", "24:00:00Z"]),
        ({"format": "date-time"}, ["2024-02-29t10:00:00Z"], ["2023-02-29T10:00:00Z", "2024-02-29 10:00:00Z", "2024-02-29T10:00:60Z"]),
        ({"format": "ipv4"}, ["1.2.3.4"], ["1.2.3.256", "1.2.3"]),
    ],
)
def test_the_check_accepts_what_a_schema_describes_and_nothing_else(schema: Any, right: list[Any], wrong: list[Any]) -> None:
    assert [list(mistakes(value, schema)) for value in right] == [[]] * len(right)
    assert [value for value in wrong if not list(mistakes(value, schema))] == []


def test_a_keyword_that_the_check_does_not_know_is_an_error_and_no_mistake_of_the_answer() -> None:
    with pytest.raises(ValueError, match="keyword 'contains'"):
        list(mistakes([], {"contains": {"type": "integer"}}))


def test_formats_of_the_check_are_those_that_the_schemas_ask_for() -> None:
    asked = {schema["format"] for schema in FORMATS["properties"].values()}
    assert all(list(mistakes("no such thing", {"format": name})) for name in asked)


def test_an_output_is_valid_only_if_it_was_read_and_is_what_its_schema_describes() -> None:
    assert complaint(Pet, Pet(**RABBIT), json.dumps(RABBIT)) is None
    assert complaint(Pet, Pet(**RABBIT | {"age": 4}), json.dumps(RABBIT)) is not None, "another value was read than was written"
    assert complaint(Pet, ValueError("unreadable"), json.dumps(RABBIT)) is not None
    assert complaint(Pet, Pet(**RABBIT), json.dumps(RABBIT | {"age": 31})) is not None
    assert complaint(Pet, Pet(**RABBIT), '{"name": "Ho') is not None
    assert complaint(MATRIX, {"rows": []}, '{"rows": []}') is not None


def test_the_base_is_inside_of_values_only_where_no_key_and_no_quotation_mark_is_its() -> None:
    text = '{"na: me": "a \\" b", "n": 1, "list": ["x"]}'
    assert "".join(text[index] for index in sorted(value_characters(text))) == 'a \\" bx'
    for spans, outside in (
        ([['{"k": "', "aligned"], ["word", "base"], ['"}', "aligned"]], 0),
        ([['{"k": "', "aligned"], ['word"', "base"], ["}", "aligned"]], 1),
        ([['{"', "aligned"], ["key", "base"], ['": 1}', "aligned"]], 3),
        ([['{"k": ', "aligned"], ["12", "base"], ["}", "aligned"]], 2),
    ):
        assert base_outside(spans) == outside
