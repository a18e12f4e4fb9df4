"""Settings that a `with` block puts over an LLM's own, for pipelines that pass no keywords to their LLM.

Knows contexts; knows nothing of what the settings mean. They hold in the task or thread that entered the block, and in what that starts.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_overrides: ContextVar[tuple[tuple[object, Mapping[str, Any]], ...]] = ContextVar("baco_overrides", default=())


@contextmanager
def overrides(llm: object, settings: Mapping[str, Any]) -> Iterator[None]:
    """Put settings over those of one LLM, this very object and none of its copies, inside the block."""
    token = _overrides.set((*_overrides.get(), (llm, settings)))
    try:
        yield
    finally:
        _overrides.reset(token)


def overrides_of(llm: object) -> list[Mapping[str, Any]]:
    """The overrides of an LLM that are in force here, the outermost block's first."""
    return [settings for owner, settings in _overrides.get() if owner is llm]
