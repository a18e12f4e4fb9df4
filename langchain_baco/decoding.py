"""One prompt, decoded by the engine: whole or as a stream, and again where the queue was full.

Knows engines, settings and LangChain's messages; knows nothing of what LangChain makes of an answer.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from dataclasses import fields
from itertools import chain
from typing import Any

from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.messages import BaseMessage

from baco import GenerationResult, StreamEvent
from langchain_baco.batching import check_interrupt
from langchain_baco.errors import aretrying, retrying
from langchain_baco.messages import to_core
from langchain_baco.route_events import ROUTE_EVENT, route_data
from langchain_baco.settings import Settings


def decode(messages: Sequence[BaseMessage], settings: Settings) -> GenerationResult:
    """Decode all answers to one prompt.

    Raises:
        KeyboardInterrupt: the call is one of several, and the thread that waits for them was interrupted.
    """
    check_interrupt()
    engine = settings.engine()
    result: GenerationResult = retrying(settings.max_retries)(engine.generate, to_core(messages), **_arguments(settings))
    check_interrupt()
    return result


async def adecode(messages: Sequence[BaseMessage], settings: Settings) -> GenerationResult:
    """Like `decode`, off the event loop; cancelling the task stops decoding within one token."""
    engine = await asyncio.to_thread(settings.engine)
    result: GenerationResult = await aretrying(settings.max_retries)(engine.agenerate, to_core(messages), **_arguments(settings))
    return result


def stream_events(messages: Sequence[BaseMessage], settings: Settings) -> Generator[StreamEvent, None, None]:
    """Decode all answers to one prompt event by event; closing the iterator stops decoding.

    With `route_events`, callbacks of the run that this happens in hear of each event first.

    Raises:
        KeyboardInterrupt: as in `decode`.
    """
    check_interrupt()
    engine = settings.engine()
    for attempt in retrying(settings.max_retries):
        with attempt:
            events = engine.stream(to_core(messages), **_arguments(settings))
            # A full queue refuses a request when its first event is asked for.
            first = next(events)
    with closing(events):  # type: ignore[type-var]
        for event in chain([first], events):
            if settings.route_events and event.tokens:
                dispatch_custom_event(ROUTE_EVENT, route_data(event))
            yield event
    check_interrupt()


async def astream_events(messages: Sequence[BaseMessage], settings: Settings) -> AsyncGenerator[StreamEvent, None]:
    """Like `stream_events`, off the event loop."""
    engine = await asyncio.to_thread(settings.engine)
    async for attempt in aretrying(settings.max_retries):
        with attempt:
            events = engine.astream(to_core(messages), **_arguments(settings))
            event: StreamEvent | None = await anext(events)
    async with aclosing(events):
        while event is not None:
            if settings.route_events and event.tokens:
                await adispatch_custom_event(ROUTE_EVENT, route_data(event))
            yield event
            event = await anext(events, None)


def _arguments(settings: Settings) -> dict[str, Any]:
    """What the engine's calls have in common: the fields of `CallSettings` are keywords of the engine."""
    return {one.name: getattr(settings.call, one.name) for one in fields(settings.call)}
