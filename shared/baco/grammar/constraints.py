"""The grammar that `tool_choice` and `response_format` ask for, in the forms that hosted models accept.

Knows tools and grammars; knows no framework and no models.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from baco.checks import nearest, require
from baco.errors import ConfigError
from baco.grammar.call_grammar import CallsGrammar
from baco.grammar.grammar import Grammar
from baco.grammar.schemas import closed
from baco.parsing.hermes import HERMES
from baco.parsing.tools import Tool

FORCING, FREE = ("any", "required"), ("auto", "none")
"""Values of `tool_choice` that force a call of any tool, and that force none."""


def read_constraint(tools: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Grammar | None:
    """The grammar of an answer: calls if one is forced, JSON if a schema is given, either if there are tools too; None if it is free."""
    forced, several = forced_tool(values.get("tool_choice")), values.get("parallel_tool_calls")
    require(several is None or isinstance(several, bool), "parallel_tool_calls", "None, True or False", several)
    schema = answer_schema(values.get("response_format"))
    names = [tool["function"]["name"] for tool in tools]
    require(forced is None or bool(names), "tool_choice", "left out where there are no tools", values.get("tool_choice"))
    _check_choice(values.get("tool_choice"), forced, names)
    if forced is not None:
        require(schema is None, "response_format", "left out where a call is forced", values.get("response_format"))
        chosen = [tool for tool in tools if forced is True or tool["function"]["name"] == forced]
        return _calls(json.dumps(chosen), several is True, None)
    if schema is None:
        return None
    return _calls(json.dumps(tools), several is not False, schema) if tools else _json(schema)


@lru_cache(maxsize=256)
def _calls(tools_json: str, several: bool, schema_json: str | None) -> Grammar:
    return calls_grammar(json.loads(tools_json), several=several, answer=None if schema_json is None else json.loads(schema_json))


@lru_cache(maxsize=256)
def _json(schema_json: str) -> Grammar:
    return Grammar.json_schema(json.loads(schema_json))


def answer_schema(response_format: object) -> str | None:
    """Read OpenAI's `response_format`; return the schema as JSON, None if the answer is text.

    Raises:
        ConfigError: it has another form.
    """
    form = 'None, {"type": "json_schema", "json_schema": {"schema": …}}, {"type": "json_object"} or {"type": "text"}'
    given: Any = {"type": "text"} if response_format is None else response_format
    require(isinstance(given, Mapping), "response_format", form, response_format)
    kind, described = given.get("type"), given.get("json_schema")
    if kind == "text":
        return None
    if kind == "json_object":
        return '{"type": "object"}'
    described_in_full = isinstance(described, Mapping) and isinstance(described.get("schema"), Mapping)
    require(kind == "json_schema" and described_in_full, "response_format", form, response_format)
    try:
        return json.dumps(described["schema"], ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"`response_format` must hold what JSON can say: {error}") from error


def forced_tool(tool_choice: object) -> str | bool | None:
    """Read a choice in OpenAI's, Anthropic's or LangChain's form; return a tool's name, True for any tool, None if nothing is forced.

    Raises:
        ConfigError: it has another form.
    """
    word = tool_choice
    if isinstance(tool_choice, Mapping):
        word, function = tool_choice.get("type"), tool_choice.get("function")
        if word in ("function", "tool"):
            name = function.get("name") if isinstance(function, Mapping) else tool_choice.get("name")
            require(isinstance(name, str), "tool_choice", f"with the name of a tool where its type is {word!r}", tool_choice)
            return str(name)
        require(word in (*FORCING, *FREE), "tool_choice", 'of the type "function", "tool", "any", "auto" or "none"', tool_choice)
    if word is None or word is False or word in FREE:
        return None
    if word is True or word in FORCING:
        return True
    require(isinstance(word, str), "tool_choice", "None, True, False, a text or a dict", tool_choice)
    return str(word)


def offers_tools(tool_choice: object) -> bool:
    """Whether the prompt shows the tools."""
    return (tool_choice.get("type") if isinstance(tool_choice, Mapping) else tool_choice) != "none"


def _check_choice(given: object, forced: str | bool | None, names: Sequence[str]) -> None:
    if isinstance(forced, str) and forced not in names:
        words = f'"any", "auto", "none" or one of {", ".join(names)}'
        raise ConfigError(f"`tool_choice` must be {words}, but is {forced!r}{nearest(forced, (*names, *FORCING, *FREE))}")
    if isinstance(given, str) and given in (*FORCING, *FREE) and given in names:
        form = json.dumps({"type": "function", "function": {"name": given}})
        raise ConfigError(f"`tool_choice` must be {form} or a choice of another name, since a tool is named {given!r}, but is {given!r}")


def calls_grammar(tools: Sequence[Tool], *, several: bool = False, answer: Mapping[str, Any] | None = None) -> CallsGrammar:
    """The grammar of calls of tools, in Hermes' format; an engine puts its pair's in its place.

    Args:
        tools: checked, at least one.
        several: whether there may be more than one call.
        answer: the schema of JSON that there may be instead of calls.

    Raises:
        ConfigError: a tool's parameters cannot be enforced.
    """
    nothing: dict[str, Any] = {"type": "object", "properties": {}}
    functions = [(tool["function"]["name"], closed(tool["function"].get("parameters", nothing))) for tool in tools]
    written = tuple((name, json.dumps(schema, ensure_ascii=False)) for name, schema in functions)
    return CallsGrammar(written, several, None if answer is None else json.dumps(closed(answer), ensure_ascii=False), HERMES)
