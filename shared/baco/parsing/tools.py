"""Checks of tools that a model may call, and of calls in a conversation, both in OpenAI's form. Knows no tokenizer and no chat template."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from baco.checks import check_characters, require
from baco.errors import ConfigError, PromptError

Tool = Mapping[str, Any]
FORM = '{"type": "function", "function": {"name": …, "description": …, "parameters": …}}'


def check_tools(tools: Sequence[Tool] | None) -> list[dict[str, Any]]:
    """Check the form of tools; return a copy, [] for None.

    Raises:
        ConfigError: they are not a list of functions in OpenAI's form, or two have the same name.
    """
    given: Any = () if tools is None else tools  # what arrives at run time may be anything
    require(isinstance(given, Sequence) and not isinstance(given, str), "tools", f"None or a list of {FORM}", tools)
    for index, tool in enumerate(given):
        function: Any = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        require(isinstance(function, dict), f"tools[{index}]", FORM, tool)
        name, parameters = function.get("name"), function.get("parameters", {"type": "object"})
        require(isinstance(name, str) and bool(name.strip()), f"tools[{index}]", "a function with a name", tool)
        described = isinstance(function.get("description", ""), str)
        require(described, f"the description of tool {name!r}", "a text", function.get("description"))
        schema = isinstance(parameters, dict) and parameters.get("type") == "object"
        require(schema, f"the parameters of tool {name!r}", 'a JSON schema of type "object", as a dict', parameters)
    names = [tool["function"]["name"] for tool in given]
    require(len(set(names)) == len(names), "tools", "functions with a name each of its own", names)
    try:
        written = json.dumps(list(given), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"`tools` must hold what JSON can say: {error}") from error
    check_characters("`tools`", written, ConfigError)
    checked: list[dict[str, Any]] = json.loads(written)
    return checked


def check_calls(where: str, calls: object) -> list[dict[str, Any]]:
    """Check the form of a message's calls; return them with arguments as dicts, which chat templates expect.

    Raises:
        PromptError: they are not a list of calls in OpenAI's form.
    """
    if not isinstance(calls, list):
        raise PromptError(f"the tool_calls of {where} must be a list, but are {calls!r}")
    checked = []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) and call.get("type", "function") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
            form = '{"type": "function", "function": {"name": …, "arguments": …}}'
            raise PromptError(f"each of the tool_calls of {where} must be {form}, but one is {call!r}")
        checked.append({"type": "function", **call, "function": function | {"arguments": _arguments(where, function)}})
    return checked


def _arguments(where: str, function: Mapping[str, Any]) -> dict[str, Any]:
    given = function.get("arguments", {})
    try:
        arguments = json.loads(given) if isinstance(given, str) else json.loads(json.dumps(given))
    except (TypeError, ValueError, RecursionError) as error:
        raise PromptError(f"the arguments of the call of {function['name']!r} in {where} are no JSON ({error})") from error
    if not isinstance(arguments, dict):
        raise PromptError(f"the arguments of the call of {function['name']!r} in {where} must be a JSON object, but are {given!r}")
    return arguments
