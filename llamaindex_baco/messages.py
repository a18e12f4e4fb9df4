"""From LlamaIndex's messages to the core's. Knows roles, content blocks and calls; knows nothing of prompts or models."""

from collections.abc import Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.types import CachePoint, ChatMessage, CitableBlock, MessageRole, TextBlock, ThinkingBlock, ToolCallBlock

from baco.errors import PromptError
from baco.text.chat_template import Message

ROLES = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
WITHOUT_TEXT = (CachePoint, ThinkingBlock)
"""Blocks that no model reads: a hint to a provider's cache, and earlier reasoning, which chat templates leave out too."""


def core_messages(messages: Sequence[ChatMessage]) -> list[Message]:
    """Convert messages to role, text and calls; the given messages are not changed.

    Text blocks are joined by a newline, as in `ChatMessage.content`. A tool's message says which call it answers but not which tool, so
    the name is taken from that call.

    Raises:
        PromptError: a message has a block that is neither text nor, in an answer, a call.
    """
    names: dict[str, str] = {}
    return [_core_message(message, f"message {index} ({message.role.value})", names) for index, message in enumerate(messages)]


def _core_message(message: ChatMessage, where: str, names: dict[str, str]) -> Message:
    core: dict[str, Any] = {"role": ROLES[message.role], "content": "\n".join(_texts(message.blocks, where, core_role=ROLES[message.role]))}
    if core["role"] == "assistant" and (calls := list(calls_of(message))):
        core["tool_calls"] = [_core_call(*call) for call in calls]
        names.update({call_id: name for call_id, name, _ in calls if call_id})
    if core["role"] == "tool":
        call_id = message.additional_kwargs.get("tool_call_id")
        name = message.additional_kwargs.get("name") or names.get(str(call_id))
        core |= {key: value for key, value in (("tool_call_id", call_id), ("name", name)) if value}
    return core


def _texts(blocks: Sequence[object], where: str, core_role: str) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, TextBlock):
            yield block.text
        elif isinstance(block, CitableBlock):
            yield from _texts(block.content, where, core_role)
        elif not isinstance(block, WITHOUT_TEXT) and not (core_role == "assistant" and isinstance(block, ToolCallBlock)):
            raise PromptError(f"{where} has a {type(block).__name__}, but BacoLLM reads text only; put what it says into a TextBlock")


def calls_of(message: ChatMessage) -> Iterator[tuple[str | None, str, Any]]:
    """Yield the id, name and arguments of each call in a message.

    They are in its blocks or, where other integrations left them only there, in its keywords. A call that is still being written may have
    no name yet, and is left out.
    """
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    for block in blocks:
        yield block.tool_call_id, block.tool_name, block.tool_kwargs
    for given in () if blocks else message.additional_kwargs.get("tool_calls") or ():
        call = given.model_dump() if hasattr(given, "model_dump") else given
        function = call.get("function") or {}
        if function.get("name"):
            yield call.get("id"), function["name"], function.get("arguments")


def _core_call(call_id: str | None, name: str, arguments: Any) -> dict[str, Any]:
    call = {"type": "function", "function": {"name": name, "arguments": arguments or {}}}
    return call | {"id": call_id} if call_id else call
