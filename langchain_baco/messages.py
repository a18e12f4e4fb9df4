"""From LangChain's messages and tools to the core's. Knows both forms; knows nothing of models."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool, create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_tool

from baco.checks import nearest, require
from baco.errors import ConfigError, PromptError
from baco.grammar.schemas import is_recursive, rooted
from baco.parsing.hermes import HERMES
from baco.text.chat_template import Message
from baco.text.prompts import ROLES

KINDS: tuple[tuple[type[BaseMessage], str], ...] = (
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (SystemMessage, "system"),
    (ToolMessage, "tool"),
    (FunctionMessage, "tool"),
)
SKIPPED_BLOCKS = ("reasoning", "thinking", "redacted_thinking", "tool_call", "tool_use")
"""Blocks of an answer that are not text: reasoning, which chat templates leave out too, and what `AIMessage.tool_calls` says again."""
LangChainTool = dict[str, Any] | type | Callable[..., Any] | BaseTool


def to_core(messages: Sequence[BaseMessage]) -> list[Message]:
    """Turn messages into the core's, with a role, a text and tool calls. An invalid call stays text, as it was written.

    Raises:
        PromptError: a message has a role or a content that a text model cannot read.
    """
    return [_to_core(index, message) for index, message in enumerate(messages)]


def _to_core(index: int, message: BaseMessage) -> Message:
    text = _text(index, message)
    core: dict[str, Any] = {"role": _role(index, message), "content": text}
    if isinstance(message, AIMessage):
        invalid = [_written(call) for call in message.invalid_tool_calls]
        core["content"] = "\n".join([text, *invalid] if text else invalid)
        if message.tool_calls:
            core["tool_calls"] = [_core_call(index, call) for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        core["tool_call_id"] = message.tool_call_id
    return core | {"name": message.name} if message.name else core


def _core_call(index: int, call: Any) -> dict[str, Any]:
    # A message that was assigned to may hold anything.
    if not isinstance(call, dict) or "name" not in call or "args" not in call:
        raise PromptError(f'each of the tool_calls of message {index} must have a "name", "args" and an "id", but one is {call!r}')
    core = {"type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
    return core | {"id": call["id"]} if call.get("id") else core


def _written(call: InvalidToolCall) -> str:
    """The text of an invalid call. Ours have all of it in `args`; other models' have a name, and arguments of any form."""
    args = call["args"] or ""
    return args if call["name"] is None else f'{HERMES.before}{{"name": "{call["name"]}", "arguments": {args}}}{HERMES.after}'


def openai_tools(tools: Sequence[LangChainTool]) -> list[dict[str, Any]]:
    """Turn tools in any of LangChain's forms (tools, functions, Pydantic classes, TypedDicts, schemas) into OpenAI's, each once.

    Raises:
        ConfigError: something is no tool, or describes its arguments as no JSON schema can.
    """
    require(isinstance(tools, Sequence) and not isinstance(tools, str), "tools", "a list of tools", tools)
    converted: dict[str, dict[str, Any]] = {}
    for index, tool in enumerate(tools):
        try:
            openai_tool = _openai_tool(tool)
            # LangChain titles the fields of a schema, but not those of a class: both may stand for the same tool.
            converted.setdefault(json.dumps(_untitled(openai_tool), sort_keys=True, default=repr), openai_tool)
        except (TypeError, ValueError, AttributeError, RecursionError) as refusal:
            # What LangChain's conversion raises for what it cannot read.
            kinds = "a LangChain tool, a function, a Pydantic class, a TypedDict, or a schema in OpenAI's form"
            reason = "its schema holds itself or is too deep" if isinstance(refusal, RecursionError) else str(refusal)
            raise ConfigError(f"`tools[{index}]` must be {kinds}, but cannot be read as one: {reason}") from refusal
    return list(converted.values())


def _openai_tool(tool: LangChainTool) -> dict[str, Any]:
    converted = convert_to_openai_tool(tool)
    schema = None if isinstance(tool, dict) else _schema_of(tool)
    if schema is not None and is_recursive(schema):
        # LangChain writes each definition out where something refers to it, and leaves nothing of one that refers to itself.
        parameters = {name: value for name, value in _untitled(rooted(schema)).items() if name != "description"}
        return {**converted, "function": {**converted["function"], "parameters": parameters}}
    return converted


def _schema_of(tool: type | Callable[..., Any] | BaseTool) -> dict[str, Any] | None:
    """The arguments of a tool as Pydantic describes them; None where it does not."""
    if isinstance(tool, BaseTool):
        model: Any = tool.tool_call_schema
    elif isinstance(tool, type):
        model = tool
    else:
        model = create_schema_from_function(tool.__name__, tool, filter_args=(), parse_docstring=True, error_on_invalid_docstring=False)
    if isinstance(model, dict):
        return model
    return model.model_json_schema() if hasattr(model, "model_json_schema") else None


def _untitled(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _untitled(inner) for name, inner in part.items() if not (name == "title" and isinstance(inner, str))}
    return [_untitled(inner) for inner in part] if isinstance(part, list) else part


def _role(index: int, message: BaseMessage) -> str:
    if isinstance(message, ChatMessage):
        if message.role in ROLES:
            return message.role
        raise PromptError(f"message {index} has the role {message.role!r}{nearest(message.role, ROLES)} (roles: {', '.join(ROLES)})")
    for kind, role in KINDS:
        if isinstance(message, kind):
            return role
    raise PromptError(
        f"message {index} is a {type(message).__name__}, which is no part of a conversation; send human, AI, system or tool messages"
    )


def _text(index: int, message: BaseMessage) -> str:
    content: Any = message.content  # a message that was assigned to may hold anything
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise PromptError(f"message {index} ({message.type}) must have a text or a list of blocks as its content, but has {content!r}")
    return "".join(_block_text(index, message, block) for block in content)


def _block_text(index: int, message: BaseMessage, block: object) -> str:
    if isinstance(block, str):
        return block
    kind, text = (block.get("type"), block.get("text")) if isinstance(block, dict) else (type(block).__name__, None)
    if kind == "text" and isinstance(text, str):
        return text
    if isinstance(message, AIMessage) and kind in SKIPPED_BLOCKS:
        return ""
    raise PromptError(
        f"message {index} ({message.type}) has a content block of type {kind!r}; this model reads text only, so send text blocks"
    )
