"""From orders to answers: prompts with equal settings go to the engine as one batch. Knows engines and orders; knows no callbacks."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from baco import Engine, GenerationResult, StreamEvent
from baco.answers.scoring import with_scores
from baco.errors import BacoError
from baco.text.chat_template import Message
from langchain_baco.errors import aretrying, retrying
from langchain_baco.gathering import Order
from langchain_baco.messages import to_core
from langchain_baco.settings import Settings


def serve(orders: Sequence[Order], *, isolate: bool) -> None:
    """Decode orders and answer them.

    Args:
        orders: what to decode.
        isolate: whether a prompt that cannot be decoded fails alone. Otherwise it fails all of them, before any is decoded.
    """
    for settings, group in _groups(orders).items():
        engine = settings.engine()
        accepted = _accepted(engine, group, isolate)
        if accepted:
            batch = [messages for _, messages in accepted]
            results: list[GenerationResult] = retrying(settings.max_retries)(engine.generate_batch, batch, **_arguments(settings))
            _answer([order for order, _ in accepted], with_scores(engine.pair, results) if settings.score else results)


async def aserve(orders: Sequence[Order], *, isolate: bool) -> None:
    """Like `serve`, off the event loop; cancelling the task ends the decoding within one token."""
    for settings, group in _groups(orders).items():
        engine = await asyncio.to_thread(settings.engine)
        accepted = await asyncio.to_thread(_accepted, engine, group, isolate)
        if accepted:
            batch = [messages for _, messages in accepted]
            decode = aretrying(settings.max_retries)
            results: list[GenerationResult] = await decode(engine.agenerate_batch, batch, **_arguments(settings))
            scored = await asyncio.to_thread(with_scores, engine.pair, results) if settings.score else results
            _answer([order for order, _ in accepted], scored)


def stream(order: Order) -> Iterator[StreamEvent]:
    """Decode one order event by event; closing the iterator ends it."""
    settings, engine = order.settings, order.settings.engine()
    for attempt in retrying(settings.max_retries):
        with attempt:
            events = engine.stream(to_core(order.messages), **_arguments(settings))
            # A full queue refuses a request when its first event is asked for.
            first = next(events)
    with closing(events):  # type: ignore[type-var]
        yield first
        yield from events


async def astream(order: Order) -> AsyncGenerator[StreamEvent, None]:
    """Like `stream`, off the event loop."""
    settings = order.settings
    engine = await asyncio.to_thread(settings.engine)
    async for attempt in aretrying(settings.max_retries):
        with attempt:
            events = engine.astream(to_core(order.messages), **_arguments(settings))
            first = await anext(events)
    async with aclosing(events):
        yield first
        async for event in events:
            yield event


def _arguments(settings: Settings) -> dict[str, Any]:
    """What the engine's calls have in common."""
    return {"params": settings.params, "router": settings.router, "base_prompt": settings.base_prompt, "tools": settings.tools}


def _groups(orders: Sequence[Order]) -> dict[Settings, list[Order]]:
    groups: dict[Settings, list[Order]] = {}
    for order in orders:
        groups.setdefault(order.settings, []).append(order)
    return groups


def _accepted(engine: Engine, orders: Sequence[Order], isolate: bool) -> list[tuple[Order, list[Message]]]:
    """Turn each order's messages into the core's; with `isolate`, answer those that the engine refuses and leave them out."""
    if not isolate:
        return [(order, to_core(order.messages)) for order in orders]
    accepted = []
    for order in orders:
        try:
            messages = to_core(order.messages)
            # The engine checks a request before the first event is asked for, and none is.
            engine.stream(messages, **_arguments(order.settings))
        except BacoError as refusal:
            order.answer.set_exception(refusal)
        else:
            accepted.append((order, messages))
    return accepted


def _answer(orders: Sequence[Order], results: Sequence[GenerationResult]) -> None:
    for order, result in zip(orders, results, strict=True):
        order.answer.set_result(result)
