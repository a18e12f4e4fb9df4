"""Tools that a model may call, and its calls as text. Knows OpenAI's form and the written one; knows no tokenizer and no chat template.

The written form is that of Hermes and Qwen:

    <tool_call>
    {"name": "weather", "arguments": {"city": "Köln"}}
    </tool_call>
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from baco.config import require
from baco.errors import ConfigError, PromptError
from baco.grammar import Grammar

Tool = Mapping[str, Any]
FORM = '{"type": "function", "function": {"name": …, "description": …, "parameters": …}}'
OPENING, CLOSING = "<tool_call>", "</tool_call>"
# The closing marker counts only outside of JSON's strings, so that an argument may contain it. Where quotes do not pair, there is no such
# place; then the first one closes the call, or the end of the answer does.
_WRITTEN = re.compile(rf'{OPENING}((?:"(?:[^"\\]|\\.)*"|[^"])*?){CLOSING}', re.DOTALL)
_BROKEN = re.compile(rf"{OPENING}(.*?)(?:{CLOSING}|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call that a model wrote."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenCall:
    """Something between the markers of a call that is none."""

    text: str
    """All that was written, markers included."""
    error: str


Calls = list[ToolCall | BrokenCall]


def check_tools(tools: Sequence[Tool] | None) -> list[dict[str, Any]]:
    """Check the form of tools; return a copy, [] for None.

    Raises:
        ConfigError: they are no list of functions in OpenAI's form, or two have one name.
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
        return [json.loads(json.dumps(tool)) for tool in given]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"`tools` must hold what JSON can say: {error}") from error


def calls_grammar(tools: Sequence[Tool], *, several: bool = False, answer: Mapping[str, Any] | None = None) -> Grammar:
    """The texts that are calls of tools.

    Args:
        tools: checked, at least one.
        several: whether there may be more calls than one.
        answer: the schema of a JSON answer that there may be instead of a call.

    Raises:
        ConfigError: a tool's parameters cannot be enforced.
    """
    schemas = [_call_schema(tool["function"]) for tool in tools]
    return Grammar.marked(schemas, markers=(OPENING, CLOSING), several=several, answer=answer)


def _call_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a call of one function; definitions are moved up, to where references look for them."""
    parameters = dict(function.get("parameters", {"type": "object", "properties": {}}))
    definitions = {name: parameters.pop(name) for name in ("$defs", "definitions") if name in parameters}
    properties = {"name": {"const": function["name"]}, "arguments": parameters}
    return {"type": "object", "properties": properties, "required": ["name", "arguments"], **definitions}


def check_calls(where: str, calls: object) -> list[dict[str, Any]]:
    """Check the form of a message's calls; return them with arguments that are dicts, as chat templates want them.

    Raises:
        PromptError: they are no list of calls in OpenAI's form.
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
    except (TypeError, ValueError) as error:
        raise PromptError(f"the arguments of the call of {function['name']!r} in {where} are no JSON ({error}): {given!r}") from error
    if not isinstance(arguments, dict):
        raise PromptError(f"the arguments of the call of {function['name']!r} in {where} must be a JSON object, but are {given!r}")
    return arguments


def written_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Write a call as text."""
    return f"{OPENING}\n{json.dumps({'name': name, 'arguments': arguments}, ensure_ascii=False)}\n{CLOSING}"


def with_written_calls(message: Mapping[str, Any]) -> str:
    """Write a checked message's content, and behind it its calls, each on lines of its own."""
    functions = [call["function"] for call in message.get("tool_calls", ())]
    calls = [written_call(function["name"], function["arguments"]) for function in functions]
    return "\n".join([message["content"], *calls] if message["content"] else calls)


class CallReader:
    """Parts an answer into content and calls, as its text arrives; how it is cut into pieces makes no difference.

    White space beside a call belongs to neither. Content behind a call starts a new line. Text that may yet become a call is held back.
    """

    def __init__(self) -> None:
        self._held = ""
        self._has_content = False
        self._follows_call = False

    def push(self, text: str) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain."""
        self._held += text
        return self._read(final=False)

    def finish(self) -> tuple[str, Calls]:
        """End the answer; return what was held. A call that was cut off is a broken one, unless only its closing marker is missing."""
        return self._read(final=True)

    def _read(self, final: bool) -> tuple[str, Calls]:
        content, calls = "", Calls()
        while (start := self._held.find(OPENING)) >= 0:
            content += self._content(self._held[:start].rstrip())
            self._held = self._held[start:]
            match = _WRITTEN.match(self._held) or (_BROKEN.match(self._held) if final else None)
            if match is None:
                return content, calls
            calls.append(_read_call(match[0], match[1]))
            self._held, self._follows_call = self._held[match.end() :], True
        certain = len(self._held) if final else _length_before_a_call(self._held)
        content += self._content(self._held[:certain])
        self._held = self._held[certain:]
        return content, calls

    def _content(self, text: str) -> str:
        if self._follows_call:
            text = text.lstrip()
            text = "\n" + text if text and self._has_content else text
        if text:
            self._has_content, self._follows_call = True, False
        return text


def parse_tool_calls(text: str) -> tuple[str, Calls]:
    """Part a whole answer into its content and its calls."""
    reader = CallReader()
    (content, calls), (rest, others) = reader.push(text), reader.finish()
    return content + rest, calls + others


def _length_before_a_call(text: str) -> int:
    """Length of the text before what more text could turn into the beginning of a call, white space before it included."""
    begun = next(length for length in range(len(OPENING) - 1, -1, -1) if text.endswith(OPENING[:length]))
    return len(text[: len(text) - begun].rstrip())


def _read_call(text: str, body: str) -> ToolCall | BrokenCall:
    try:
        call = json.loads(body, strict=False)  # small models write line breaks into strings
    except ValueError as error:
        return BrokenCall(text=text, error=f"no JSON: {error}")
    name, arguments = (call.get("name"), call.get("arguments")) if isinstance(call, dict) else (None, None)
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return BrokenCall(text=text, error='a call must be {"name": a text, "arguments": an object}')
    return ToolCall(name=name, arguments=arguments)
