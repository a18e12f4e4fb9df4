"""Several answers to one prompt, streamed as one run of the model for callbacks and traces.

LangChain itself streams one answer only. Knows callbacks and chunks; knows nothing of why there are several answers.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig

from baco import StreamEvent
from langchain_baco.decoding import astream_events, stream_events
from langchain_baco.errors import model_errors
from langchain_baco.fields import BacoFields
from langchain_baco.outputs import Chunks
from langchain_baco.settings import Settings


class Candidates(list[AIMessageChunk | None]):
    """Pieces of several answers, None where there is none; adding two joins the pieces of each answer."""

    def __add__(self, other: Any) -> "Candidates":  # type: ignore[override]
        """Join the pieces of each answer."""
        pairs = zip(self, other, strict=True)
        return Candidates(two if one is None else one if two is None else cast(AIMessageChunk, one + two) for one, two in pairs)


def stream_candidates(model: BacoFields, messages: list[BaseMessage], config: RunnableConfig, call: dict[str, Any]) -> Iterator[Candidates]:
    """Stream all answers of a call with `n`, piece by piece, in a run below that of `config`; each answer's last chunk has its metadata."""
    settings = model._settings(call)
    (run,) = _start(CallbackManager, model, messages, config, call)
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
) -> AsyncIterator[Candidates]:
    """Like `stream_candidates`, off the event loop."""
    settings = model._settings(call)
    (run,) = await _start(AsyncCallbackManager, model, messages, config, call)
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
        n = settings.call.params.n
        self._chunks = [Chunks(settings) for _ in range(n)]
        self._whole = Candidates([None] * n)

    def take(self, event: StreamEvent) -> Iterator[tuple[Candidates, ChatGenerationChunk]]:
        """Turn an event into pieces. What is known of the whole request comes with the last of them, for each answer one without text."""
        yield from self._pieces(replace(event, result=None))
        if event.result is not None:
            for index in range(len(self._chunks)):
                yield from self._pieces(replace(event, index=index, tokens=(), finish_reason=None))

    def _pieces(self, event: StreamEvent) -> Iterator[tuple[Candidates, ChatGenerationChunk]]:
        for generation in self._chunks[event.index].of(event):
            piece = Candidates([None] * len(self._chunks))
            piece[event.index] = cast(AIMessageChunk, generation.message)
            self._whole = self._whole + piece
            yield piece, generation

    def result(self) -> LLMResult:
        """All answers, for the end of the run."""
        return LLMResult(generations=[[ChatGeneration(message=one) for one in self._whole if one is not None]])


def _start(
    manager: type[CallbackManager | AsyncCallbackManager],
    model: BacoFields,
    messages: list[BaseMessage],
    config: RunnableConfig,
    call: dict[str, Any],
) -> Any:
    """Start the run; the handlers of the run above hear of it, and the model's own."""
    metadata = {**(config.get("metadata") or {}), **model._get_ls_params(**call)}
    tags, params = config.get("tags"), model._get_invocation_params(**call)
    run = manager.configure(config.get("callbacks"), model.callbacks, model.verbose, tags, model.tags, metadata, model.metadata)
    options = {"stop": params.get("stop")}
    return run.on_chat_model_start(model._serialized, [messages], invocation_params=params, options=options, batch_size=1)
