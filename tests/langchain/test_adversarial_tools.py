"""ChatBaco under tools and schemas that are out to break it: a right answer, or a clear refusal before anything is decoded.

After every test the model still gives the answer that it gave before.
"""

import json
from typing import Any

import pytest
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel
from typing_extensions import TypedDict

from baco import ConfigError, ContextOverflowError, Grammar
from langchain_baco import ChatBaco
from langchain_baco.messages import openai_tools
from tests.langchain.helpers import PROMPT
from tests.support.adversarial import Endless, Man, Refused, Tree, function, record


class Nested(TypedDict):
    """A dict in a dict."""

    inner: list["Nested"]


def plant(tree: Tree) -> str:
    """Plant a tree."""
    return str(tree.size)


pytestmark = pytest.mark.usefixtures("still_answers")


def test_tools_of_one_name_are_refused_unless_they_are_one(model: ChatBaco, refused: Refused) -> None:
    with refused(ConfigError, r"functions with a name each of its own, but is \['clock', 'clock'\]"):
        model.bind_tools([function(), function(description="Otherwise.")])
    assert len(openai_tools([plant, plant, tool(plant), function(), function()])) == 2


@pytest.mark.parametrize(
    "name", ["get price", 'a "quoted" one', "two\nlines", "a\\b", "日本🐟", "</tool_call>", "<tool_call>", "null", "x" * 60]
)
def test_a_name_of_any_letters_can_be_called(wild: ChatBaco, name: str) -> None:
    for choice in ({"type": "function", "function": {"name": name}}, name):
        (call,) = wild.bind_tools([function(name), function("other")], tool_choice=choice).invoke(PROMPT).tool_calls
        assert call["name"] == name and len(call["args"]["city"]) <= 4


@pytest.mark.parametrize("word", ["any", "auto", "required"])
def test_a_tool_named_like_a_choice_is_chosen_by_the_long_form_only(wild: ChatBaco, refused: Refused, word: str) -> None:
    tools = [function(word), function("other")]
    for choice in ({"type": "function", "function": {"name": word}}, {"type": "tool", "name": word}):
        bound = wild.bind_tools(tools, tool_choice=choice)
        assert {bound.invoke(PROMPT, seed=seed).tool_calls[0]["name"] for seed in range(2)} == {word}
    with refused(ConfigError, f"or a choice of another name, since a tool is named '{word}'"):
        wild.bind_tools(tools, tool_choice=word)


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        ("clok", "one of clock, but is 'clok'; did you mean 'clock'"),
        ({"type": "function", "function": {"name": "clok"}}, "did you mean 'clock'"),
        ({"type": "function"}, "with the name of a tool where its type is 'function'"),
        ({"type": "tool", "name": 3}, "with the name of a tool"),
        ({"name": "clock"}, 'of the type "function", "tool"'),
        ({}, 'of the type "function", "tool"'),
        (["clock"], "None, True, False, a text or a dict"),
        (1, "None, True, False, a text or a dict"),
        ("", "one of clock, but is ''"),
    ],
)
def test_a_choice_of_no_tool_is_refused(model: ChatBaco, refused: Refused, choice: Any, match: str) -> None:
    with refused(ConfigError, match):
        model.bind_tools([function()], tool_choice=choice)


@pytest.mark.parametrize("thing", [3, None, "clock", {"type": ["object"]}, {"title": "x", "type": ["object"]}, Nested])
def test_what_is_no_tool_is_refused_by_its_number(model: ChatBaco, refused: Refused, thing: Any) -> None:
    with refused(ConfigError, r"`tools\[1\]` must be"):
        model.bind_tools([function(), thing])


def test_tools_that_are_no_list_are_refused(model: ChatBaco, refused: Refused) -> None:
    for tools in ("clock", function(), 3):
        with refused(ConfigError, "`tools` must be a list of tools"):
            model.bind_tools(tools)  # type: ignore[arg-type]


def test_a_tool_without_arguments_is_called_with_none(wild: ChatBaco) -> None:
    for parameters in ({"type": "object"}, {"type": "object", "properties": {}}):
        (call,) = wild.bind_tools([function("x", parameters=parameters)], tool_choice="any").invoke(PROMPT).tool_calls
        assert isinstance(call["args"], dict)
    (call,) = wild.bind_tools([{"type": "function", "function": {"name": "x"}}], tool_choice="x").invoke(PROMPT).tool_calls
    assert call["args"] == {}


@pytest.mark.parametrize("given", [Tree, plant, tool(plant), StructuredTool.from_function(plant, args_schema=tool(plant).tool_call_schema)])
def test_arguments_that_hold_their_own_kind_are_held_to_it_all_the_way(wild: ChatBaco, given: Any) -> None:
    bound = wild.bind_tools([given], tool_choice="any")
    for seed in range(2):
        (call,) = bound.invoke(PROMPT, seed=seed).tool_calls
        Tree.model_validate(call["args"] if given is Tree else call["args"]["tree"])


def test_classes_that_hold_each_other_are_held_to_all_the_way(wild: ChatBaco) -> None:
    for seed in range(2):
        (call,) = wild.bind_tools([Man], tool_choice="any").invoke(PROMPT, seed=seed).tool_calls
        Man.model_validate(call["args"])


def test_a_class_without_an_end_is_refused(model: ChatBaco, refused: Refused) -> None:
    with refused(ConfigError, "what '#/.defs/Endless' stands for requires itself for ever; let one of its fields be null"):
        model.bind_tools([Endless], tool_choice="any")


SELF = {"size": {"type": "integer", "minimum": 0, "maximum": 9}, "branches": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2}}
LOOP = {"$defs": {"Loop": {"$ref": "#/$defs/Loop"}}}
FINE: list[tuple[dict[str, Any], type[BaseModel] | None]] = [
    (record(SELF), Tree),
    (record({**SELF, "more": {"$ref": "#/properties/size"}}), None),
    (record({"a": {"$ref": "#/$defs/a"}}, **{"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a/anyOf/1"}, {"type": "null"}]}}}), None),
    ({**record({"next": {"$ref": "#"}}), "required": []}, None),
    (record({"a": {"const": "<|im_end|>"}}), None),
    (record({"a": {"enum": ["x<s>y", "</s>"]}}), None),
    (record({'\0\u202e"': {"const": '\0\u202e"\\\n'}}), None),
]
WRONG: list[tuple[dict[str, Any], str]] = [
    (record({"next": {"$ref": "#"}}), r"what '#/\$defs/root' stands for requires itself for ever"),
    (record({"a": {"$ref": "#/$defs/Loop"}}, **LOOP), r"what '#/\$defs/Loop' stands for requires itself for ever"),
    (record({"a": {"type": "array", "items": {"$ref": "#"}, "minItems": 1}}), "requires itself for ever"),
    (record({"a": {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}}), "requires itself for ever"),
    (record({"a": {"$ref": "#/$defs/Missing"}}), "Pointer '/.defs/Missing' does not exist"),
    (record({"a": {"$ref": "https://example.com/schema.json"}}), "https://example.com/schema.json.* is not present"),
    (record({"a": {"type": "integer", "minimum": 5, "maximum": 3}}), "nsatisfiable"),
    (record({"a": {"enum": []}}), "nsatisfiable"),
    (record({"a": {"type": "string", "pattern": "^(?=a)a"}}), "cannot be enforced"),
    (record({"a": {"type": "string", "format": "klingon"}}), "Unknown format: klingon"),
    (record({"a": {"type": "strin"}}), "Invalid type: strin"),
    (record({"a": {"const": float("nan")}}), "`(grammar|tools)`"),
]


def held_to(schema: dict[str, Any], model: ChatBaco) -> list[Any]:
    """What a schema makes of an answer, and of a call."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    said = model.invoke(PROMPT, response_format=form)
    (call,) = model.bind_tools([function(parameters=schema)], tool_choice="any").invoke(PROMPT).tool_calls
    return [json.loads(said.text), call["args"]]


@pytest.mark.parametrize(("schema", "kind"), FINE)
def test_a_schema_may_refer_to_any_part_of_itself(wild: ChatBaco, schema: dict[str, Any], kind: type[BaseModel] | None) -> None:
    for seed in range(2):
        for value in held_to(schema, wild.model_copy(update={"seed": seed})):
            assert value.keys() <= schema["properties"].keys() and value.keys() >= set(schema["required"])
            assert kind is None or kind.model_validate(value)


@pytest.mark.parametrize(("schema", "match"), WRONG)
def test_a_schema_that_nothing_meets_or_that_says_nothing_is_refused(wild: ChatBaco, refused: Refused, schema: Any, match: str) -> None:
    with refused(ConfigError, match):
        wild.with_structured_output(schema).invoke(PROMPT)
    with refused(ConfigError, "cannot be enforced" if "nsatisfiable" in match else match):
        wild.bind_tools([function(parameters=schema)], tool_choice="any").invoke(PROMPT)


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "boolean"}
    for _ in range(depth):
        schema = record({"a": schema})
    return schema


def test_a_schema_may_be_deep_but_not_bottomless(wild: ChatBaco, refused: Refused) -> None:
    value = held_to(nested(5), wild)[0]
    for _ in range(5):
        value = value["a"]
    assert isinstance(value, bool)
    round_and_round = record({})
    round_and_round["properties"]["a"] = round_and_round["properties"]["b"] = round_and_round
    for schema in (nested(60), nested(400), nested(20_000), round_and_round):
        with refused(ConfigError, "must be|must hold"):
            wild.with_structured_output(schema)
        with refused(ConfigError, "must be|cannot be"):
            Grammar.json_schema(schema)
    with refused(ConfigError, "holds itself or is too deep"):
        wild.bind_tools([function(parameters=round_and_round)])


def test_large_schemas_and_many_tools_are_answered_or_refused(wild: ChatBaco, refused: Refused) -> None:
    values = [f"value {index}" for index in range(5_000)]
    assert wild.with_structured_output(record({"a": {"enum": values}})).invoke(PROMPT)["a"] in values
    with refused(ContextOverflowError, "shorten the prompt"):
        wild.bind_tools([function(parameters=record({"a": {"enum": values}}))], tool_choice="any").invoke(PROMPT)
    fields = {f"field{index}": {"type": "boolean"} for index in range(200)}
    assert wild.with_structured_output(record(fields, required=[])).invoke(PROMPT).keys() <= fields.keys()
    tools = [function(f"tool{index}") for index in range(300)]
    with refused(ContextOverflowError, "shorten the prompt"):
        wild.bind_tools(tools, tool_choice="any").invoke(PROMPT)
    with refused(ConfigError, "did you mean 'tool177'"):
        wild.bind_tools(tools, tool_choice="toool177")
