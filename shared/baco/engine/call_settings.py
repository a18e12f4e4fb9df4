"""Flat settings of a pair and of one call, as the adapters' fields and keywords name them, in the terms of the core.

Knows the core's settings; knows no framework and no messages. Each adapter has fields of these names and lays a call's keywords over them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from baco.checks import is_number, require
from baco.config import PairConfig, SamplingParams
from baco.grammar.constraints import offers_tools, read_constraint
from baco.models.pair import ModelPair
from baco.models.resolve import resolve
from baco.parsing.tools import check_tools
from baco.routing import Router
from baco.text.prompts import check_base_prompt
from baco.text.template_variables import REASONING_VARIABLES, check_reasoning, check_template_kwargs

PAIR_SOURCES = ("model", "base", "aligned", "aligned_adapter")
"""Settings that name a pair."""
PAIR_SETTINGS = (*PAIR_SOURCES, "device", "dtype", "quantization", "compile")
ROUTER_SETTINGS = ("router", "threshold", "diversity", "probe", "word_boundary")
TEMPLATE_SETTINGS = ("base_prompt", "chat_template_kwargs", "reasoning")
"""What the models read."""
SAMPLING_SETTINGS = ("max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop", "seed", "logprobs", "timeout")
TOOL_SETTINGS = ("tools", "tool_choice", "parallel_tool_calls", "response_format")
"""What an answer may call, and what it is held to: keywords of a call only."""

REPLACES = {
    "router": ("threshold", "diversity"),
    "threshold": ("diversity",),
    "diversity": ("threshold",),
    "model": ("base", "aligned", "aligned_adapter"),
    "base": ("model",),
    "aligned": ("model", "aligned_adapter"),
    "aligned_adapter": ("model", "aligned"),
    "logprobs": ("top_logprobs",),
    "top_logprobs": ("logprobs",),
}
"""What a setting that is laid over others puts out of force: threshold and diversity belonged to the router that is replaced, and so on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallSettings:
    """One call's settings, checked."""

    router: Router
    params: SamplingParams
    base_prompt: str
    chat_template_kwargs: dict[str, Any]
    """Variables of the aligned model's chat template. Whether it reads them is known once the pair is loaded."""
    reasoning: bool | str | None
    tools: list[dict[str, Any]]
    """What the answer may call, in OpenAI's form."""
    score: bool
    """Whether the aligned model scores the answers (`Engine.score`)."""


def merge(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over others; what they say in another form gives way (see `REPLACES`; so do reasoning and its variables).

    None is a value like others, but names no pair: there the other one stays.
    """
    over = {name: value for name, value in over.items() if value is not None or name not in PAIR_SOURCES}
    replaced = {other for name, others in REPLACES.items() if over.get(name) is not None for other in others}
    # What is no dict is refused when it is checked.
    before, after = (each.get("chat_template_kwargs") for each in (settings, over))
    if over.get("reasoning") is not None and isinstance(before, Mapping):
        settings = {**settings, "chat_template_kwargs": {name: value for name, value in before.items() if name not in REASONING_VARIABLES}}
    elif isinstance(after, Mapping) and any(name in REASONING_VARIABLES for name in after):
        replaced.add("reasoning")
    return {**settings, **{name: None for name in settings if name in replaced}, **over}


def check_pair(settings: Mapping[str, Any]) -> PairConfig:
    """Check the `PAIR_SETTINGS` among flat settings, without reading the pair. Looks at folders, so it is not for an event loop.

    Raises:
        ConfigError: settings contradict each other, or one that says how to load is none of those allowed.
        ModelNotFoundError: there is no such preset or folder.
    """
    how = {name: settings[name] for name in PAIR_SETTINGS if name not in PAIR_SOURCES}
    return resolve(*(settings[name] for name in PAIR_SOURCES), **how)[1]


def load_pair(settings: Mapping[str, Any], token: str | None = None) -> ModelPair:
    """Load what the `PAIR_SETTINGS` among flat settings name, or return it if this process holds it already; `token` is the hub's.

    Raises:
        PairError, ConfigError, MissingExtraError: as `ModelPair.from_pretrained` does.
    """
    named = {name: settings[name] for name in PAIR_SETTINGS if name != "model"}
    return ModelPair.from_pretrained(settings["model"], **named, token=token)


def build_call(settings: Mapping[str, Any]) -> CallSettings:
    """Check flat settings and put them into the engine's terms.

    Args:
        settings: `ROUTER_SETTINGS`, `TEMPLATE_SETTINGS` and `SAMPLING_SETTINGS`, "n" where the caller can return several answers, "score"
            where it can tell one, and those of `TOOL_SETTINGS` that there are. A `stop` of None is no stop; `timeout` is the engine's
            deadline.

    Raises:
        ConfigError: a value is out of its range, two contradict each other, or a schema cannot be enforced.
    """
    timeout, stop = settings["timeout"], settings["stop"]
    score = settings.get("score", False)
    require(isinstance(score, bool), "score", "True or False", score)
    require(timeout is None or (is_number(timeout) and timeout > 0), "timeout", "None or a number of seconds above 0", timeout)
    check_base_prompt(settings["base_prompt"])
    check_reasoning(settings["reasoning"])
    sampling = {name: settings[name] for name in SAMPLING_SETTINGS if name not in ("timeout", "stop")}
    router = Router(settings["router"], **{name: settings[name] for name in ROUTER_SETTINGS if name != "router"})
    params = SamplingParams(**sampling, n=settings.get("n", 1), stop=() if stop is None else stop, deadline=timeout)
    tools = check_tools(settings.get("tools")) if offers_tools(settings.get("tool_choice")) else []
    grammar = read_constraint(tools, settings)
    return CallSettings(
        router=router,
        params=params if grammar is None else replace(params, grammar=grammar),
        base_prompt=settings["base_prompt"],
        chat_template_kwargs=check_template_kwargs(settings["chat_template_kwargs"]),
        reasoning=settings["reasoning"],
        tools=tools,
        score=score,
    )
