"""The core's errors as LangChain's too, so that its middleware and its users' handlers know them; and another try for a full queue.

An error raised while a model is called keeps its class and is one of LangChain's `ModelError`s: `except baco.PromptError` catches it, and
so does `except langchain_core.exceptions.ModelInvalidRequestError`. Knows both kinds of errors; knows nothing of what raises them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from langchain_core import exceptions
from tenacity import AsyncRetrying, Retrying, retry_if_exception_type, sleep_using_event, stop_after_attempt, wait_random_exponential

from baco import ConfigError, ContextOverflowError, PromptError
from baco.engine.requests import cancel_event
from baco.errors import BacoError, MissingExtraError, ModelNotFoundError, OutOfMemoryError, PairError, QueueFullError

KINDS: tuple[tuple[type[BacoError], type[exceptions.ModelError]], ...] = (
    (ContextOverflowError, exceptions.ContextOverflowError),
    (PromptError, exceptions.ModelInvalidRequestError),
    (ConfigError, exceptions.ModelInvalidRequestError),
    (ModelNotFoundError, exceptions.ModelNotFoundError),
    (PairError, exceptions.ModelInvalidRequestError),
    (MissingExtraError, exceptions.ModelInvalidRequestError),
    (OutOfMemoryError, exceptions.ModelInvalidRequestError),
    (QueueFullError, exceptions.ModelRateLimitError),
    (BacoError, exceptions.ModelError),
)
"""The core's errors and LangChain's names for them, the first that fits. Only a full queue is worth another try (`is_retryable`)."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Bounds in seconds of the random wait before another try; the first doubles from try to try (our own choice)."""


@contextmanager
def model_errors() -> Iterator[None]:
    """Let the core's errors leave the block as LangChain's too."""
    try:
        yield
    except BacoError as error:
        if isinstance(error, exceptions.ModelError):
            raise
        kind = _combined(type(error))  # type: ignore[arg-type]
        # Not the kind's own: what memory errors bring with them takes no other kinds.
        combined = Exception.__new__(kind, *error.args)
        combined.__dict__.update(error.__dict__)
        raise combined.with_traceback(error.__traceback__) from error.__cause__


@cache
def _combined(ours: type[BacoError]) -> type[BacoError]:
    theirs = next(theirs for known, theirs in KINDS if issubclass(ours, known))
    return type(ours.__name__, (ours, theirs), {"__doc__": ours.__doc__, "__module__": __name__})


def retrying(max_retries: int) -> Retrying:
    """Call something again, up to so many times, where a full queue has refused it, after waits that grow and that an interrupt ends."""
    return Retrying(**_rules(max_retries), sleep=sleep_using_event(cancel_event.get()))


def aretrying(max_retries: int) -> AsyncRetrying:
    """Like `retrying`, for coroutines."""
    return AsyncRetrying(**_rules(max_retries))


def _rules(max_retries: int) -> dict[str, Any]:
    return {
        "stop": stop_after_attempt(max_retries + 1),
        "wait": wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
        "retry": retry_if_exception_type(QueueFullError),
        "reraise": True,
    }
