"""Calling BacoLLM in each of its eight ways, and reading what comes back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from llama_index.core.llms import ChatMessage

from llamaindex_baco import BacoLLM

METHODS = ("chat", "complete", "stream_chat", "stream_complete", "achat", "acomplete", "astream_chat", "astream_complete")
TEXT = "Name a pet rabbit."

Make = Callable[..., BacoLLM]
"""Makes a BacoLLM over the tiny Llama pair, with settings of the test's own."""


async def respond(llm: BacoLLM, method: str, text: str = TEXT, **keywords: Any) -> list[Any]:
    """Call one of the eight methods; return its response, or all chunks of its stream."""
    argument = [ChatMessage(content=text)] if "chat" in method else text
    answer: Any = getattr(llm, method)(argument, **keywords)
    if method.startswith("a"):
        answer = await answer
    if "stream" not in method:
        return [answer]
    return [chunk async for chunk in answer] if method.startswith("a") else list(answer)


def text_of(response: Any) -> str:
    return str(response.message.content if hasattr(response, "message") else response.text)


def apart(call: Callable[..., Any], *args: Any) -> Any:
    """Call a sync method in a thread of its own, in this context: LlamaIndex leaves an event loop in the thread that calls it."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, call, *args).result()
