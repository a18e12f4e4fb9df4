"""LlamaIndex's tools in OpenAI's form, and the tool calls in a response. Knows both forms; knows nothing of models."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic_core import from_json

from baco.checks import require
from baco.grammar.schemas import rooted
from llamaindex_baco.messages import calls_of

PARTS = ("type", "properties", "required", "additionalProperties", "definitions", "$defs")
"""Keys of a class's schema that describe arguments; its title and description are given beside them."""
LlamaIndexTool = BaseTool | Mapping[str, Any]


def openai_tools(tools: Sequence[LlamaIndexTool]) -> list[dict[str, Any]]:
    """Convert tools to OpenAI's form; those that have it already are copied.

    Unlike LlamaIndex's own conversion, this one keeps names and descriptions longer than OpenAI's service allows: calls are looked up by
    the tool's own name.

    Raises:
        ConfigError: something is no tool.
    """
    require(isinstance(tools, Sequence) and not isinstance(tools, str), "tools", "a list of tools", tools)
    return [_openai_tool(tool, index) for index, tool in enumerate(tools)]


def _openai_tool(tool: LlamaIndexTool, index: int) -> dict[str, Any]:
    if isinstance(tool, Mapping):
        return dict(tool)
    require(isinstance(tool, BaseTool), f"tools[{index}]", "a LlamaIndex tool, or a tool in OpenAI's form", tool)
    return {
        "type": "function",
        "function": {"name": tool.metadata.get_name(), "description": tool.metadata.description, "parameters": _parameters(tool)},
    }


def _parameters(tool: BaseTool) -> dict[str, Any]:
    if tool.metadata.fn_schema is None:
        return tool.metadata.get_parameters_dict()
    # LlamaIndex's own conversion loses the root of a recursive class.
    schema = rooted(tool.metadata.fn_schema.model_json_schema())
    return {name: value for name, value in schema.items() if name in PARTS}


def selections(message: ChatMessage) -> list[ToolSelection]:
    """The calls in a message, which may still be incomplete; arguments that cannot be parsed are empty."""
    return [
        ToolSelection(tool_id=call_id or name, tool_name=name, tool_kwargs=_arguments(arguments))
        for call_id, name, arguments in calls_of(message)
    ]


def _arguments(given: object) -> dict[str, Any]:
    try:
        read = from_json(given, allow_partial=True) if isinstance(given, str) else given
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
