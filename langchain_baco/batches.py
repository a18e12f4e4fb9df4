"""`batch` and `abatch` of a runnable whose calls order from the engine: one engine batch, each input a run of its own.

Knows calls and configurations; knows nothing of what a call does.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list

from langchain_baco import batching
from langchain_baco.gathering import MAX_THREADS, arun_together, run_together

Outcome = TypeVar("Outcome")
Configs = RunnableConfig | list[RunnableConfig] | None


def batch(one: Callable[..., Outcome], inputs: Sequence[LanguageModelInput], config: Configs, return_exceptions: bool) -> list[Outcome]:
    """Call something on each input, in groups of `max_concurrency` where a configuration sets it; what a group orders is decoded together.

    Args:
        one: takes an input and its configuration.
        inputs: in any number.
        config: one configuration for all, or one for each.
        return_exceptions: whether a call that fails leaves its exception in its place, and a prompt that cannot be decoded fails alone.
    """
    found: list[Outcome] = []
    for group in _groups(inputs, config, MAX_THREADS):
        calls = [partial(one, prompt, settings) for prompt, settings in group]
        found += outcomes(run_together(calls, partial(batching.serve, isolate=return_exceptions)), return_exceptions)
    return found


async def abatch(
    one: Callable[..., Awaitable[Outcome]], inputs: Sequence[LanguageModelInput], config: Configs, return_exceptions: bool
) -> list[Outcome]:
    """Like `batch`, off the event loop; cancelling the task stops decoding within one token."""
    found: list[Outcome] = []
    for group in _groups(inputs, config, len(inputs)):
        calls = [partial(one, prompt, settings) for prompt, settings in group]
        found += outcomes(await arun_together(calls, partial(batching.aserve, isolate=return_exceptions)), return_exceptions)
    return found


def outcomes(ended: list[Outcome | BaseException], return_exceptions: bool) -> list[Outcome]:
    """Raise the first failure, or leave each in its place, as LangChain does although its types do not say so."""
    for outcome in ended:
        if isinstance(outcome, BaseException) and not (return_exceptions and isinstance(outcome, Exception)):
            raise outcome
    return cast(list[Outcome], ended)


def _groups(
    inputs: Sequence[LanguageModelInput], config: Configs, widest: int
) -> Iterator[list[tuple[LanguageModelInput, RunnableConfig]]]:
    """Pair inputs with their configurations, in groups that may run at once."""
    pairs: list[tuple[LanguageModelInput, Any]] = list(zip(inputs, get_config_list(config, len(inputs)), strict=True))
    width = min(widest, pairs[0][1].get("max_concurrency") or widest) if pairs else widest
    return (pairs[start : start + width] for start in range(0, len(pairs), width or 1))
