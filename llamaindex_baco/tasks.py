"""`gather_or_cancel` and `run_sync`: concurrent coroutines, and a coroutine run from sync code. Knows tasks; knows nothing of LLMs."""

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
STARTS_WITHIN = 10.0
"""Seconds until a started thread has begun its work."""


async def gather_or_cancel(coroutines: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run coroutines concurrently and return their results in order.

    If one of them or the caller fails or is cancelled, all others are cancelled, and have ended before the exception is raised.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await cancel_all(tasks)


async def cancel_all(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel the tasks that are not done, and wait until all have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_sync(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine and block until it is done, whether or not this thread has a running event loop.

    It runs in a new thread with a copy of the caller's context, so that `using` and `capture_responses` blocks hold there. An interrupt
    (Ctrl-C) cancels the coroutine, and is raised once the coroutine has ended.
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

    # Not an executor: it loses a thread whose start is interrupted.
    thread = Thread(target=copy_context().run, args=(run,), name="baco-run-sync")
    try:
        thread.start()
        return done.result()
    except BaseException:
        if not done.done():
            loop, task = running.result(STARTS_WITHIN)
            assert task is not None, "a coroutine that runs has a task"
            with suppress(RuntimeError):  # it has just ended and closed its loop
                loop.call_soon_threadsafe(task.cancel)
            wait([done])
        raise
