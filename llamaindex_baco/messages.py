"""From LlamaIndex's messages to the core's. Knows roles and content blocks; knows no prompts and no models."""

from collections.abc import Iterator, Sequence

from llama_index.core.base.llms.types import CachePoint, ChatMessage, CitableBlock, MessageRole, TextBlock, ThinkingBlock

from baco.errors import PromptError

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


def core_messages(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    """Turn messages into role and text. Text blocks are joined by a newline, as in `ChatMessage.content`.

    Raises:
        PromptError: a message has a block that is not text.
    """
    return [{"role": ROLES[message.role], "content": _text(message, index)} for index, message in enumerate(messages)]


def _text(message: ChatMessage, index: int) -> str:
    return "\n".join(_block_texts(message.blocks, f"message {index} ({message.role.value})"))


def _block_texts(blocks: Sequence[object], where: str) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, TextBlock):
            yield block.text
        elif isinstance(block, CitableBlock):
            yield from _block_texts(block.content, where)
        elif not isinstance(block, WITHOUT_TEXT):
            raise PromptError(f"{where} has a {type(block).__name__}, but BacoLLM reads text only; put what it says into a TextBlock")
