"""`closes_stream`: closing a stream of an async method ends its decoding at once. Knows generators; knows no LLM.

The callbacks of LlamaIndex put a generator of their own around the one that a method returns, and closing theirs does not close ours. Left
to itself, ours ends when nothing holds it any more; but a handler that keeps the exception that closing raises (LlamaDebugHandler does)
keeps ours with it, and the models would decode on to the end.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Item = TypeVar("Item")
Arguments = ParamSpec("Arguments")

_opened: ContextVar[AsyncGenerator[Any, None]] = ContextVar("baco_opened_stream")


def opened(stream: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """Mark the stream that the running method is about to return."""
    _opened.set(stream)
    return stream


def closes_stream(
    method: Callable[Arguments, Coroutine[Any, Any, AsyncGenerator[Item, None]]],
) -> Callable[Arguments, Coroutine[Any, Any, AsyncGenerator[Item, None]]]:
    """Decorate a method, above the callback's decorator, that returns a stream which it marked as `opened`."""

    @wraps(method)
    async def opening(*args: Arguments.args, **kwargs: Arguments.kwargs) -> AsyncGenerator[Item, None]:
        # The method runs in this task, so what it marked is this call's stream, whatever other tasks do.
        outer = await method(*args, **kwargs)
        return _closing(outer, _opened.get())

    return opening


async def _closing(outer: AsyncGenerator[Item, None], inner: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    async with aclosing(inner), aclosing(outer):
        async for item in outer:
            yield item
