"""`laid`: settings that a `with` block lays over an LLM's own, for pipelines that hand no keywords to their LLM.

Knows contexts; knows no settings. A context belongs to the task or thread that entered the block, and to what these start inside it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Layers = tuple[tuple[object, Mapping[str, Any]], ...]

_layers: ContextVar[Layers] = ContextVar("baco_settings_laid_over", default=())


@contextmanager
def laid(llm: object, settings: Mapping[str, Any]) -> Iterator[None]:
    """Lay settings over those of one LLM, this very object, inside the block."""
    token = _layers.set((*_layers.get(), (llm, settings)))
    try:
        yield
    finally:
        _layers.reset(token)


def layers_over(llm: object) -> list[Mapping[str, Any]]:
    """What is laid over an LLM here, the outermost block's first."""
    return [settings for owner, settings in _layers.get() if owner is llm]
