"""`closes_stream`: closing the stream of an async method ends its decoding at once. Knows generators; knows nothing of LLMs.

LlamaIndex's callbacks wrap the generator that a method returns in one of their own, and closing theirs does not close ours. Ours would end
when nothing refers to it any more, but a handler that keeps the exception raised by closing (LlamaDebugHandler does) keeps ours alive with
it, and the models would decode the rest of the answer.
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
    """Register the stream that the running method is about to return."""
    _opened.set(stream)
    return stream


def closes_stream(
    method: Callable[Arguments, Coroutine[Any, Any, AsyncGenerator[Item, None]]],
) -> Callable[Arguments, Coroutine[Any, Any, AsyncGenerator[Item, None]]]:
    """Decorate a method that returns a stream registered with `opened`. Goes above the callback's decorator."""

    @wraps(method)
    async def opening(*args: Arguments.args, **kwargs: Arguments.kwargs) -> AsyncGenerator[Item, None]:
        # The method runs in this task, so the registered stream belongs to this call, whatever other tasks do.
        outer = await method(*args, **kwargs)
        return _closing(outer, _opened.get())

    return opening


async def _closing(outer: AsyncGenerator[Item, None], inner: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    async with aclosing(inner), aclosing(outer):
        async for item in outer:
            yield item
