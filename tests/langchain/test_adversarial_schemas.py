"""Schemas and arguments that are out to break structured output: held to, or refused before anything is decoded."""

from typing import Any

import pytest

from baco import ConfigError, Grammar, PromptError
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT
from tests.support.adversarial import HALF, Endless, Man, Refused, Tree, called, function, record, talk

pytestmark = pytest.mark.usefixtures("still_answers")


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("kind", [Tree, Man])
def test_structured_output_of_a_kind_that_holds_itself_is_of_that_kind(wild: ChatBaco, kind: Any, method: Any) -> None:
    for seed in range(3):
        assert isinstance(wild.with_structured_output(kind, method=method).invoke(PROMPT, seed=seed), kind)


def test_structured_output_without_an_end_is_refused(wild: ChatBaco, refused: Refused) -> None:
    for method in ("json_schema", "function_calling"):
        with refused(ConfigError, "requires itself for ever"):
            wild.with_structured_output(Endless, method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["any", "auto", "none", "required"])
def test_a_schema_named_like_a_choice_is_answered(wild: ChatBaco, word: str) -> None:
    schema = {**record({"a": {"type": "boolean"}}), "title": word}
    assert isinstance(wild.with_structured_output(schema, method="function_calling").invoke(PROMPT)["a"], bool)


def test_a_schema_of_a_list_is_held_to(wild: ChatBaco) -> None:
    schema = {"title": "list", "type": "array", "items": {"enum": ["x", "y"]}, "minItems": 1, "maxItems": 3}
    assert set(wild.with_structured_output(schema).invoke(PROMPT)) <= {"x", "y"}


def test_a_choice_of_no_tools_shows_none(wild: ChatBaco) -> None:
    for choice in ("none", {"type": "none"}):
        bound = wild.bind_tools([function()], tool_choice=choice)
        assert bound.invoke(PROMPT, max_tokens=4).usage_metadata == wild.invoke(PROMPT, max_tokens=4).usage_metadata


def test_half_of_a_character_in_tools_and_schemas_is_refused(model: ChatBaco, refused: Refused) -> None:
    broken = [function("a" + HALF), function(description=HALF), function(parameters=record({HALF: {"type": "null"}}))]
    for one in (*broken, function(parameters=record({"a": {"enum": [HALF]}}))):
        for choice in (None, "any"):
            with refused(ConfigError, "`tools` has half of a character"):
                model.bind_tools([one], tool_choice=choice)
    for schema in (record({"a": {"const": HALF}}), record({HALF: {}}), record({}, title=HALF)):
        with refused(ConfigError, "`grammar` has half of a character"):
            model.with_structured_output(schema)
    for make in (Grammar.regex, lambda text: Grammar.choices([text])):
        with refused(ConfigError, "`grammar` has half of a character"):
            make(HALF)
    with refused(ConfigError, "`base_prompt` has half of a character"):
        model.invoke("a", base_prompt="{{ messages }}" + HALF)
    with refused(PromptError, "the text has half of a character"):
        model.get_token_ids(HALF)


def test_arguments_too_deep_or_too_long_for_json_are_refused(model: ChatBaco, refused: Refused) -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for value in (deep, 10**5_000):
        with refused(PromptError, "the arguments of the call of 'clock' in message 1 are no JSON"):
            model.invoke(talk(called(args={"x": value})))


def test_what_is_wrong_with_a_pattern_is_said(wild: ChatBaco, refused: Refused) -> None:
    with refused(ConfigError, "look-around, including look-ahead and look-behind, is not supported"):
        wild.with_structured_output(record({"a": {"type": "string", "pattern": "^(?=a)a"}}))


@pytest.mark.parametrize("schema", [{"title": "x", "type": ["object", "null"]}, [], "text", 7])
def test_what_is_no_schema_is_refused(model: ChatBaco, refused: Refused, schema: Any) -> None:
    with refused(ConfigError, "must be"):
        model.with_structured_output(schema)
