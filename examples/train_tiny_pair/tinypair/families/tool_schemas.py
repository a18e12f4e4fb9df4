"""A tool as a model sees it: its schema as the libraries write it, and the text of a call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CALL = re.compile(r"<tool_call>\s*(\{.*\})\s*</tool_call>", re.DOTALL)
LAYOUTS = ("openai", "langchain", "llamaindex")
"""Who wrote the schema: a person after OpenAI's examples, LangChain's convert_to_openai_tool, or LlamaIndex's to_openai_tool."""
PYTHON_TYPES = {"string": "str", "integer": "int", "number": "float"}


@dataclass(frozen=True)
class Argument:
    """An argument of a tool. ``default`` is there for one that may be left out."""

    name: str
    type: str
    about: str = ""
    default: str | int | None = None


@dataclass(frozen=True)
class Tool:
    """A tool: what its schema tells."""

    name: str
    description: str
    arguments: tuple[Argument, ...]


def _property(argument: Argument, layout: str) -> dict[str, Any]:
    """Describe one argument; the generated layouts sort the keys."""
    found: dict[str, Any] = {"type": argument.type}
    if argument.about:
        found["description"] = argument.about
    if argument.default is not None:
        found["default"] = argument.default
    if layout == "llamaindex":
        found["title"] = argument.name.replace("_", " ").title()
    return found if layout == "openai" else dict(sorted(found.items()))


def _signature(tool: Tool) -> str:
    """Write a tool as a Python function's signature."""
    parts = []
    for argument in tool.arguments:
        default = "" if argument.default is None else f" = {argument.default!r}"
        parts.append(f"{argument.name}: {PYTHON_TYPES[argument.type]}{default}")
    return f"{tool.name}({', '.join(parts)}) -> str"


def schema(tool: Tool, layout: str) -> dict[str, Any]:
    """Write a tool as an OpenAI-style function, in one of the ``LAYOUTS``."""
    properties = {argument.name: _property(argument, layout) for argument in tool.arguments}
    parts = {"properties": properties, "required": [a.name for a in tool.arguments if a.default is None], "type": "object"}
    parameters = {key: parts[key] for key in ("type", "properties", "required")} if layout == "openai" else parts
    description = f"{_signature(tool)}\n{tool.description}" if layout == "llamaindex" else tool.description
    return {"type": "function", "function": {"name": tool.name, "description": description, "parameters": parameters}}


def call_text(name: str, arguments: Mapping[str, str | int]) -> str:
    """Write a call as the pair's answer."""
    call = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


def same_call(wanted: str, text: str) -> bool:
    """Say whether a text is the wanted call in some spelling: whitespace and the order of keys are free, nothing else is."""
    right, found = _canonical(wanted), _canonical(text)
    return right is not None and right == found


def _canonical(text: str) -> str | None:
    """Bring a call into one spelling; None when the text is anything but one call.

    As text, 1, 1.0 and true stay different, which they are not as Python values.
    """
    match = CALL.fullmatch(text.strip())
    if not match:
        return None
    try:
        call = json.loads(match.group(1), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if set(call) != {"name", "arguments"} or not isinstance(call["name"], str) or not isinstance(call["arguments"], dict):
        return None
    return json.dumps(call, sort_keys=True)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object in which every key stands once.

    Raises:
        ValueError: a key stands twice.
    """
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _refuse(constant: str) -> Any:
    """Refuse NaN and its like, which are no JSON.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{constant} is not JSON")
