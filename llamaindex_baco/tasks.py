"""`together` and `finished`: coroutines side by side, and a coroutine for a caller that waits. Knows tasks; knows no LLM."""

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
STARTS_WITHIN = 10.0
"""Seconds in which a thread that was started begins its work."""


async def together(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run coroutines side by side, and give their results in order.

    If one fails or is cancelled, or the caller is, the others are cancelled, and have ended when that is raised.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await end(tasks)


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel what has not ended, and wait for its end."""
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def finished(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end while the caller waits, whether or not an event loop runs here.

    It runs in a thread of its own, in the caller's context, so that what is laid over an LLM holds and what is captured arrives. Where the
    waiting is interrupted, the coroutine is cancelled, and has ended when the interruption goes on.
    """
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()
    done: Future[Result] = Future()

    async def main() -> Result:
        running.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await coroutine

    def run() -> None:
        try:
            done.set_result(asyncio.run(main()))
        except BaseException as error:
            done.set_exception(error)

    # No executor: it loses a thread whose start is interrupted.
    thread = Thread(target=copy_context().run, args=(run,), name="baco waits")
    try:
        thread.start()
        return done.result()
    except BaseException:
        if not done.done():
            loop, task = running.result(STARTS_WITHIN)
            assert task is not None, "a coroutine that runs has a task"
            with suppress(RuntimeError):  # it has ended meanwhile, and its loop is closed
                loop.call_soon_threadsafe(task.cancel)
            wait([done])
        raise
