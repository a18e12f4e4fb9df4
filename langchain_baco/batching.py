"""Many calls at once: how many run side by side, and how an interrupt ends them.

The engine decodes together whatever threads and tasks ask at the same time, so LangChain's own `batch`, `abatch` and callbacks only need
enough calls at once. Knows LangChain's configurations; knows nothing of what a call does.
"""

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ContextThreadPoolExecutor, get_config_list, patch_config

from baco.checks import is_integer
from baco.engine.requests import cancel_event

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")
Configs = RunnableConfig | list[RunnableConfig] | None

MAX_CALLS = 256
"""Calls that run at the same time where no `max_concurrency` is given."""
MAX_ANSWERS = 2048
"""Answers that they may want together: half of what an engine lets wait (`baco.engine.engine.MAX_WAITING`)."""


def num_calls(count: int, n: Any = 1) -> int:
    """How many of `count` calls, each for `n` answers, to run at the same time. An `n` out of its range is left to the calls to refuse."""
    return max(1, min(count, MAX_CALLS, MAX_ANSWERS // n if is_integer(n) and n > 0 else 1))


def wide_configs(config: Configs, count: int, n: int = 1) -> list[RunnableConfig]:
    """One configuration for each of `count` calls for `n` answers, with a `max_concurrency` where none is given.

    LangChain's defaults are a handful of threads for `batch`, which would leave the models half idle, and no bound for `abatch`, which
    would overrun the engine's queue.
    """
    width = num_calls(count, n)
    configs = get_config_list(config, count)
    return [patch_config(one, max_concurrency=one.get("max_concurrency") or width) for one in configs]


def check_interrupt() -> None:
    """Raise `KeyboardInterrupt` in a thread of an `interruptible` call whose caller was interrupted."""
    if cancel_event.get().is_set():
        raise KeyboardInterrupt


def interruptible(call: Callable[Arguments, Outcome], *args: Arguments.args, **kwargs: Arguments.kwargs) -> Outcome:
    """Return ``call(*args, **kwargs)``. An interrupt of the caller ends everything that is decoded for it within one token.

    LangChain waits for its threads before an interrupt leaves `batch`. So the call runs in a thread beside the one that can be interrupted.
    """
    cancelled = threading.Event()

    def run() -> Outcome:
        cancel_event.set(cancelled)
        return call(*args, **kwargs)

    with ContextThreadPoolExecutor(max_workers=1) as pool:
        try:
            return pool.submit(run).result()
        except BaseException:
            cancelled.set()
            raise
