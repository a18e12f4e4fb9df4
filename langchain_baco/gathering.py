"""Calls that LangChain makes one by one, brought together so that their prompts are decoded as one batch.

LangChain runs a batch as one call per input, each with its own callbacks, cache and trace, and each asks the model on its own. Here the
calls run up to the point where they need an answer and order it from their `Gathering`; once every call has ordered, or ended without
need of an answer, all orders are served together and the calls go on. Knows calls and orders; knows nothing of decoding.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import ContextThreadPoolExecutor

from baco import GenerationResult
from langchain_baco.settings import Settings

Outcome = TypeVar("Outcome")

MAX_THREADS = 256
"""Calls that one gathering of threads takes; more are split over several."""


@dataclass(frozen=True, eq=False)
class Order:
    """What one call asks for, and where its answer goes."""

    messages: Sequence[BaseMessage]
    settings: Settings
    answer: Future[GenerationResult] = field(default_factory=Future)


class Gathering:
    """The orders of a number of calls."""

    def __init__(self, calls: int) -> None:
        self.orders: list[Order] = []
        self.complete: Future[None] = Future()
        """Done once every call has ordered or ended."""
        self._awaited = calls
        self._failure: BaseException | None = None
        self._lock = threading.Lock()

    def place(self, order: Order) -> None:
        """Take a call's order."""
        with self._lock:
            if self._failure is not None:
                order.answer.set_exception(self._failure)
            self.orders.append(order)

    def count_down(self) -> None:
        """Await one call fewer."""
        with self._lock:
            self._awaited -= 1
            # Cancelled together with the task that awaits it.
            if self._awaited == 0 and not self.complete.cancelled():
                self.complete.set_result(None)

    def fail(self, failure: BaseException) -> None:
        """End every order that has no answer, those still to come among them, with `failure`."""
        with self._lock:
            self._failure = failure
            for order in self.orders:
                if not order.answer.done():
                    order.answer.set_exception(failure)


class Seat:
    """One call's place in a gathering. Good for one order: a call that asks again is served alone."""

    def __init__(self, gathering: Gathering) -> None:
        self._gathering = gathering
        self._taken = False

    def place(self, order: Order) -> bool:
        """Order from the gathering; return whether this was the first time."""
        if self._taken:
            return False
        self._taken = True
        self._gathering.place(order)
        self._gathering.count_down()
        return True

    def leave(self) -> None:
        """Say that no order will come any more."""
        if not self._taken:
            self._taken = True
            self._gathering.count_down()


_seat: ContextVar[Seat | None] = ContextVar("baco_seat", default=None)


def place(order: Order) -> bool:
    """Order from the gathering that the running call belongs to; return whether it belongs to one that will serve it."""
    seat = _seat.get()
    return seat is not None and seat.place(order)


def run_together(calls: Sequence[Callable[[], Outcome]], serve: Callable[[Sequence[Order]], None]) -> list[Outcome | BaseException]:
    """Run calls in a thread each, serving their orders in this one. Returns what each gave or raised, when all have ended.

    Args:
        calls: at most `MAX_THREADS`.
        serve: gives each order an answer or an exception.

    Raises:
        BaseException: the one that interrupted `serve`, unless it is an `Exception`; those go to the calls.
    """
    gathering = Gathering(len(calls))

    def seated(call: Callable[[], Outcome]) -> Outcome:
        seat = Seat(gathering)
        _seat.set(seat)
        try:
            return call()
        finally:
            seat.leave()

    with ContextThreadPoolExecutor(max_workers=len(calls)) as pool:
        outcomes = [pool.submit(seated, call) for call in calls]
        try:
            gathering.complete.result()
            serve(gathering.orders)
        except BaseException as failure:
            gathering.fail(failure)
            if not isinstance(failure, Exception):
                raise
    return [outcome.exception() or outcome.result() for outcome in outcomes]


async def arun_together(
    calls: Sequence[Callable[[], Awaitable[Outcome]]], serve: Callable[[Sequence[Order]], Awaitable[None]]
) -> list[Outcome | BaseException]:
    """Like `run_together` with a task for each call; cancelling this one cancels them all."""
    gathering = Gathering(len(calls))

    async def seated(call: Callable[[], Awaitable[Outcome]]) -> Outcome:
        seat = Seat(gathering)
        _seat.set(seat)
        try:
            return await call()
        finally:
            seat.leave()

    tasks = [asyncio.create_task(seated(call)) for call in calls]
    try:
        await asyncio.wrap_future(gathering.complete)
        await serve(gathering.orders)
    except Exception as failure:
        gathering.fail(failure)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return await asyncio.gather(*tasks, return_exceptions=True)
