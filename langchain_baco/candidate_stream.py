"""Several answers to one prompt, streamed as one run of the model for callbacks and traces.

LangChain itself streams one answer only. Knows callbacks and chunks; knows nothing of why there are several answers.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig

from baco import StreamEvent
from langchain_baco.candidates import CandidateChunk
from langchain_baco.decoding import astream_events, stream_events
from langchain_baco.errors import model_errors
from langchain_baco.fields import BacoFields
from langchain_baco.outputs import Chunks
from langchain_baco.settings import Settings


def stream_candidates(
    model: BacoFields, messages: list[BaseMessage], config: RunnableConfig, call: dict[str, Any]
) -> Iterator[CandidateChunk]:
    """Stream all answers of a call with `n`; each candidate's last chunk has its metadata.

    Args:
        model: who answers.
        messages: the prompt.
        config: of the run that this one belongs to.
        call: its keywords.
    """
    settings = model._settings(call)
    manager = CallbackManager.configure(**_context(model, config, call))
    (run,) = manager.on_chat_model_start(model._serialized, [messages], **_start(model, call))
    written = _Written(settings)
    try:
        with model_errors(), closing(stream_events(messages, settings)) as events:
            for event in events:
                for piece, generation in written.take(event):
                    run.on_llm_new_token(generation.text, chunk=generation)
                    yield piece
    except BaseException as error:
        run.on_llm_error(error, response=LLMResult(generations=[]))
        raise
    run.on_llm_end(written.result())


async def astream_candidates(
    model: BacoFields, messages: list[BaseMessage], config: RunnableConfig, call: dict[str, Any]
) -> AsyncIterator[CandidateChunk]:
    """Like `stream_candidates`, off the event loop."""
    settings = model._settings(call)
    manager = AsyncCallbackManager.configure(**_context(model, config, call))
    (run,) = await manager.on_chat_model_start(model._serialized, [messages], **_start(model, call))
    written = _Written(settings)
    try:
        with model_errors():
            async with aclosing(astream_events(messages, settings)) as events:
                async for event in events:
                    for piece, generation in written.take(event):
                        await run.on_llm_new_token(generation.text, chunk=generation)
                        yield piece
    except BaseException as error:
        await run.on_llm_error(error, response=LLMResult(generations=[]))
        raise
    await run.on_llm_end(written.result())


class _Written:
    """What has been written of each answer."""

    def __init__(self, settings: Settings) -> None:
        self._chunks = [Chunks(settings) for _ in range(settings.params.n)]
        self._whole: list[ChatGenerationChunk | None] = [None] * settings.params.n

    def take(self, event: StreamEvent) -> Iterator[tuple[CandidateChunk, ChatGenerationChunk]]:
        """Turn an event into pieces. What is known of the whole request comes with the last of them, for each answer one without text."""
        yield from self._piece(replace(event, result=None))
        if event.result is not None:
            for index in range(len(self._chunks)):
                yield from self._piece(replace(event, index=index, tokens=(), finish_reason=None))

    def _piece(self, event: StreamEvent) -> Iterator[tuple[CandidateChunk, ChatGenerationChunk]]:
        generation = self._chunks[event.index].of(event)
        if generation is not None and isinstance(generation.message, AIMessageChunk):
            before = self._whole[event.index]
            self._whole[event.index] = generation if before is None else before + generation
            yield CandidateChunk(event.index, generation.message), generation

    def result(self) -> LLMResult:
        """All answers, for the end of the run."""
        return LLMResult(generations=[[ChatGeneration(message=one.message) for one in self._whole if one is not None]])


def _context(model: BacoFields, config: RunnableConfig, call: dict[str, Any]) -> dict[str, Any]:
    """Who hears of the run: those of the run above, and the model's own."""
    return {
        "inheritable_callbacks": config.get("callbacks"),
        "local_callbacks": model.callbacks,
        "verbose": model.verbose,
        "inheritable_tags": config.get("tags"),
        "local_tags": model.tags,
        "inheritable_metadata": {**(config.get("metadata") or {}), **model._get_ls_params(**call)},
        "local_metadata": model.metadata,
    }


def _start(model: BacoFields, call: dict[str, Any]) -> dict[str, Any]:
    params = model._get_invocation_params(**call)
    return {"invocation_params": params, "options": {"stop": params.get("stop")}, "batch_size": 1}
