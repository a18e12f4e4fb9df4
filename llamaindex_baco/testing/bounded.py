"""`Bounded`: tests that end. Knows threads and clocks; knows no LLM.

An LLM whose stream never ends would hold up a whole test run. Each test of a suite runs in a thread of its own, and one that takes longer
than the suite's patience has failed. A test that is a coroutine gets an event loop of its own there.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

PATIENCE = 120.0


class Bounded:
    """Lets every `test_…` method of its subclasses end within `patience`, whoever runs it."""

    patience: float = PATIENCE
    """Seconds after which a test has failed."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, value in list(vars(cls).items()):
            if name.startswith("test_") and inspect.isfunction(value):
                setattr(cls, name, _bounded(value))


def _bounded(test: Callable[..., Any]) -> Callable[..., None]:
    # `wraps` keeps the signature that pytest reads fixtures from, and the marks.
    @wraps(test)
    def bounded(self: Bounded, *args: Any, **keywords: Any) -> None:
        def run() -> None:
            outcome = test(self, *args, **keywords)
            if inspect.iscoroutine(outcome):
                asyncio.run(outcome)

        within(self.patience, run)

    return bounded


def within(seconds: float, work: Callable[[], None]) -> None:
    """Do some work in a daemon thread, and raise what it raises.

    Raises:
        Failed: pytest's own; the work has not ended in time. Its thread is left to itself, since Python cannot end it.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # pytest.skip is no Exception
            raised.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        pytest.fail(f"it hangs: nothing after {seconds:g} seconds")
    if raised:
        raise raised[0]
