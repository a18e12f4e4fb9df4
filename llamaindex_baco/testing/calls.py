"""Calling an LLM by the name of a method, and reading what comes back. Knows LlamaIndex's methods; asserts nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.llms.generic_utils import messages_to_prompt
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatStartEvent, LLMCompletionStartEvent
from llama_index.core.llms.llm import LLM

SYNC = ("chat", "complete", "stream_chat", "stream_complete")
ASYNC = ("achat", "acomplete", "astream_chat", "astream_complete")
METHODS = (*SYNC, *ASYNC)
STREAMS = tuple(method for method in METHODS if "stream" in method)


def argument(method: str, text: str) -> Any:
    """What a method is asked with."""
    return [ChatMessage(content=text)] if "chat" in method else text


def ask(llm: LLM, method: str, text: str, **keywords: Any) -> list[Any]:
    """Call one of the eight methods; return its response in a list, or all chunks of its stream."""
    return call(llm, method, argument(method, text), **keywords)


async def aask(llm: LLM, method: str, text: str) -> list[Any]:
    """Like `ask`, for the four methods that are coroutines."""
    return await acall(llm, method, argument(method, text))


def call(llm: LLM, method: str, *args: Any, **keywords: Any) -> list[Any]:
    """Call any method; return its answer in a list, or everything that its stream yields."""
    if method.startswith("a"):
        return asyncio.run(acall(llm, method, *args, **keywords))
    answer = getattr(llm, method)(*args, **keywords)
    return list(answer) if "stream" in method else [answer]


async def acall(llm: LLM, method: str, *args: Any, **keywords: Any) -> list[Any]:
    """Like `call`, for methods that are coroutines."""
    answer = await getattr(llm, method)(*args, **keywords)
    return [part async for part in answer] if "stream" in method else [answer]


def text_of(response: Any) -> str:
    """What a response says."""
    return str((response.message.content or "") if isinstance(response, ChatResponse) else response.text)


def counts(response: Any) -> tuple[int, int]:
    """Tokens of the prompt and of the answer, by the keys of `raw["usage"]` that LlamaIndex's counters look for."""
    usage: dict[str, Any] = dict(dict(response.raw or {}).get("usage") or {})
    prompt = usage.get("prompt_tokens", usage.get("input_tokens", 0))
    return int(prompt), int(usage.get("completion_tokens", usage.get("output_tokens", 0)))


class _Recorder(BaseEventHandler):
    events: list[Any] = []  # noqa: RUF012  # a field of a pydantic class: each object gets its own

    def handle(self, event: Any, **keywords: Any) -> None:
        self.events.append(event)


@contextmanager
def recorded_events() -> Iterator[list[Any]]:
    """Record the events that LlamaIndex's dispatcher tells inside the block."""
    root, recorder = get_dispatcher(), _Recorder()
    root.add_event_handler(recorder)
    try:
        yield recorder.events
    finally:
        root.event_handlers.remove(recorder)


def asked(events: list[Any]) -> list[str]:
    """What the LLM was asked, by its own events: the texts of each call's messages or prompt."""
    chats = (messages_to_prompt(event.messages) for event in events if isinstance(event, LLMChatStartEvent))
    return [*chats, *(event.prompt for event in events if isinstance(event, LLMCompletionStartEvent))]
