"""From orders to answers: prompts with equal settings go to the engine as one batch. Knows engines and orders; knows no callbacks."""

import asyncio
from collections.abc import Sequence

from baco import Engine, GenerationResult, PromptError
from baco.chat_template import Message
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
            results = engine.generate_batch(
                [messages for _, messages in accepted],
                settings.params,
                settings.router,
                base_prompt=settings.base_prompt,
                tools=settings.tools,
            )
            _answer([order for order, _ in accepted], results)


async def aserve(orders: Sequence[Order], *, isolate: bool) -> None:
    """Like `serve`, off the event loop; cancelling the task ends the decoding within one token."""
    for settings, group in _groups(orders).items():
        engine = await asyncio.to_thread(settings.engine)
        accepted = await asyncio.to_thread(_accepted, engine, group, isolate)
        if accepted:
            results = await engine.agenerate_batch(
                [messages for _, messages in accepted],
                settings.params,
                settings.router,
                base_prompt=settings.base_prompt,
                tools=settings.tools,
            )
            _answer([order for order, _ in accepted], results)


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
        settings = order.settings
        try:
            messages = to_core(order.messages)
            # The engine checks a request before the first event is asked for, and none is.
            engine.stream(messages, settings.params, settings.router, base_prompt=settings.base_prompt, tools=settings.tools)
        except PromptError as refusal:
            order.answer.set_exception(refusal)
        else:
            accepted.append((order, messages))
    return accepted


def _answer(orders: Sequence[Order], results: Sequence[GenerationResult]) -> None:
    for order, result in zip(orders, results, strict=True):
        order.answer.set_result(result)
