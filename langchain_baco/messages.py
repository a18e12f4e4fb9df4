"""From LangChain's messages to the core's. Knows both forms; knows nothing of models."""

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage

from baco.errors import PromptError, nearest
from baco.prompts import ROLES, Message

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
    """Turn messages into the core's, with a role and a text each.

    Calls of tools are written into the text as JSON, `{"name": …, "arguments": …}`, one to a line (our own choice).

    Raises:
        PromptError: a message has a role or a content that a text model cannot read.
    """
    return [_to_core(index, message) for index, message in enumerate(messages)]


def _to_core(index: int, message: BaseMessage) -> Message:
    text = _text(index, message)
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [json.dumps({"name": call["name"], "arguments": call["args"]}, ensure_ascii=False) for call in message.tool_calls]
        text = "\n".join([text, *calls] if text else calls)
    core: dict[str, Any] = {"role": _role(index, message), "content": text}
    return core | {"name": message.name} if message.name else core


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
