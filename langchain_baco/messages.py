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
    ToolCall,
    ToolMessage,
)
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from baco.chat_template import Message
from baco.errors import PromptError, nearest
from baco.prompts import ROLES
from baco.tools import CLOSING, OPENING

KINDS: tuple[tuple[type[BaseMessage], str], ...] = (
    (HumanMessage, "user"),
    (AIMessage, "assistant"),
    (SystemMessage, "system"),
    (ToolMessage, "tool"),
    (FunctionMessage, "tool"),
)
EARLIER_THOUGHTS = ("reasoning", "thinking", "redacted_thinking")
"""Blocks that a model writes for itself; chat templates leave them out of the history too."""
CALL_BLOCKS = ("tool_call", "tool_use")
"""Blocks that repeat what `AIMessage.tool_calls` says."""


def to_core(messages: Sequence[BaseMessage]) -> list[Message]:
    """Turn messages into the core's, with a role, a text and calls of tools. A broken call stays text, as it was written.

    Raises:
        PromptError: a message has a role or a content that a text model cannot read.
    """
    return [_to_core(index, message) for index, message in enumerate(messages)]


def _to_core(index: int, message: BaseMessage) -> Message:
    text = _text(index, message)
    core: dict[str, Any] = {"role": _role(index, message), "content": text}
    if isinstance(message, AIMessage):
        broken = [_written(call) for call in message.invalid_tool_calls]
        core["content"] = "\n".join([text, *broken] if text else broken)
        if message.tool_calls:
            core["tool_calls"] = [_core_call(call) for call in message.tool_calls]
    if isinstance(message, ToolMessage):
        core["tool_call_id"] = message.tool_call_id
    return core | {"name": message.name} if message.name else core


def _core_call(call: ToolCall) -> dict[str, Any]:
    core = {"type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
    return core | {"id": call["id"]} if call["id"] else core


def _written(call: InvalidToolCall) -> str:
    """Write a call that was none. Ours have all that was written in `args`; other models' have a name, and arguments of any form."""
    args = call["args"] or ""
    return args if call["name"] is None else f'{OPENING}\n{{"name": "{call["name"]}", "arguments": {args}}}\n{CLOSING}'


def openai_tools(tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool]) -> list[dict[str, Any]]:
    """Turn tools in any of LangChain's forms (tools, functions, Pydantic classes, TypedDicts, schemas) into OpenAI's, each once."""
    converted: dict[str, dict[str, Any]] = {}
    for tool in map(convert_to_openai_tool, tools):
        # LangChain titles the fields of a schema, but not those of a class: both may stand for the same tool.
        converted.setdefault(json.dumps(_untitled(tool), sort_keys=True, default=repr), tool)
    return list(converted.values())


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
    if isinstance(message.content, str):
        return message.content
    return "".join(_block_text(index, message, block) for block in message.content)


def _block_text(index: int, message: BaseMessage, block: str | dict[Any, Any]) -> str:
    if isinstance(block, str):
        return block
    kind = block.get("type")
    if kind == "text" and isinstance(block.get("text"), str):
        return str(block["text"])
    if isinstance(message, AIMessage) and kind in (*EARLIER_THOUGHTS, *CALL_BLOCKS):
        return ""
    raise PromptError(
        f"message {index} ({message.type}) has a content block of type {kind!r}; this model reads text only, so send text blocks"
    )
