"""`Bounded`: tests that end. Knows threads and clocks; knows no LLM.

An LLM whose stream never ends would hold up a whole test run. So each test runs in a thread of its own, a coroutine with its event loop.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest


class Bounded:
    """Lets every `test_…` method of its subclasses end within `patience`, whoever runs it."""

    patience: float = 120.0
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
        raised: list[BaseException] = []

        def run() -> None:
            try:
                outcome = test(self, *args, **keywords)
                if inspect.iscoroutine(outcome):
                    asyncio.run(outcome)
            except BaseException as error:  # pytest.skip is no Exception
                raised.append(error)

        # A daemon: Python cannot end a thread that hangs, so it is left to itself.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
        thread.start()
        thread.join(self.patience)
        if thread.is_alive():
            pytest.fail(f"it hangs: nothing after {self.patience:g} seconds")
        if raised:
            raise raised[0]

    return bounded
