"""Flat settings of a pair and of one call, as the adapters' fields and keywords name them, in the terms of the core.

Knows the core's settings; knows no framework and no messages. Each adapter has fields of these names and lays a call's keywords over them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from baco.config import PairConfig, SamplingParams, is_number, require
from baco.pair import ModelPair
from baco.prompts import check_base_prompt
from baco.routers import Router
from baco.sources import resolve

PAIR_SOURCES = ("model", "base", "aligned", "aligned_adapter")
"""Settings that name a pair."""
PAIR_SETTINGS = (*PAIR_SOURCES, "device", "dtype", "quantization", "compile")
ROUTER_SETTINGS = ("router", "threshold", "diversity", "probe", "word_boundary")
SAMPLING_SETTINGS = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop", "seed", "logprobs", "timeout")


@dataclass(frozen=True, kw_only=True, slots=True)
class CallSettings:
    """One call's settings, checked."""

    router: Router
    params: SamplingParams
    base_prompt: str


def check_pair(settings: Mapping[str, Any]) -> PairConfig:
    """Check the `PAIR_SETTINGS` among flat settings, without reading the pair. Looks at folders, so it is not for an event loop.

    Raises:
        ConfigError: settings contradict each other, or one that says how to load is none of those allowed.
        ModelNotFoundError: there is no such preset or folder.
    """
    _, config = resolve(*(settings[name] for name in PAIR_SOURCES))
    return replace(config, **{name: settings[name] for name in PAIR_SETTINGS if name not in PAIR_SOURCES})


def load_pair(settings: Mapping[str, Any], token: str | None = None) -> ModelPair:
    """Load what the `PAIR_SETTINGS` among flat settings name, or return it if this process holds it already.

    Args:
        settings: the pair's.
        token: what the hub is shown for gated models.

    Raises:
        PairError, ConfigError, MissingExtraError: as `ModelPair.from_pretrained` does.
    """
    named = {name: settings[name] for name in PAIR_SETTINGS if name != "model"}
    return ModelPair.from_pretrained(settings["model"], **named, token=token)


def build_call(settings: Mapping[str, Any]) -> CallSettings:
    """Check flat settings and put them into the engine's terms.

    Args:
        settings: `ROUTER_SETTINGS`, `SAMPLING_SETTINGS` and "base_prompt", and "n" where the caller can return several answers. A `stop` of
            None is no stop; `timeout` is the engine's deadline.

    Raises:
        ConfigError: a value is out of its range, or two contradict each other.
    """
    timeout, stop = settings["timeout"], settings["stop"]
    require(timeout is None or (is_number(timeout) and timeout > 0), "timeout", "None or a number of seconds above 0", timeout)
    check_base_prompt(settings["base_prompt"])
    sampling = {name: settings[name] for name in SAMPLING_SETTINGS if name not in ("timeout", "stop")}
    return CallSettings(
        router=Router(settings["router"], **{name: settings[name] for name in ROUTER_SETTINGS if name != "router"}),
        params=SamplingParams(**sampling, n=settings.get("n", 1), stop=() if stop is None else stop, deadline=timeout),
        base_prompt=settings["base_prompt"],
    )
