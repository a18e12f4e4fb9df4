"""`Settings`: what one call of `ChatBaco` asks of the core, out of constructor fields and the call's own keywords.

Knows the core's settings; knows nothing of LangChain.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from baco import Engine
from baco.checks import check_keywords, is_integer, require
from baco.config import MAX_LOGPROBS
from baco.engine.call_settings import (
    PAIR_SETTINGS,
    PAIR_SOURCES,
    ROUTER_SETTINGS,
    SAMPLING_SETTINGS,
    TEMPLATE_SETTINGS,
    TOOL_SETTINGS,
    CallSettings,
    build_call,
    load_pair,
)
from baco.models.resolve import pair_name

SETTINGS = (*PAIR_SETTINGS, *ROUTER_SETTINGS, *TEMPLATE_SETTINGS, "n", *SAMPLING_SETTINGS, "top_logprobs", "max_retries", "route_events")
"""Every setting, each a constructor field and a keyword of a call."""

CALL_ONLY = (*TOOL_SETTINGS, "score")
"""Keywords of a call that are no constructor fields."""

ALIASES = {"model_name": "model", "stop_sequences": "stop", "max_completion_tokens": "max_tokens", "api_key": "hf_token"}
"""Other names under which LangChain's models know a setting."""

HANDLED_BY_LANGCHAIN = ("stream", "ls_structured_output_format")
"""Keywords that LangChain reads, to choose between streaming and not and for its traces, and may pass on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of one call, checked."""

    pair: dict[str, Any]
    """The `PAIR_SETTINGS`."""
    call: CallSettings
    max_retries: int
    route_events: bool
    hf_token: SecretStr | None = field(repr=False)
    """Shown to the hub when the pair is loaded."""

    @property
    def model_name(self) -> str:
        """The pair's name, as results and traces show it."""
        return pair_name(*(self.pair[name] for name in PAIR_SOURCES))

    @property
    def is_reproducible(self) -> bool:
        """Whether the same prompt gets the same answer again: greedy or seeded, and not cut short by the clock.

        It is known before the pair is, since a maker's temperature never is greedy.
        """
        params = self.call.params
        return (params.is_greedy or params.seed is not None) and params.deadline is None

    def engine(self) -> Engine:
        """Return an engine on the pair, loading it first if this process has not loaded it yet."""
        token = None if self.hf_token is None else self.hf_token.get_secret_value()
        return Engine(load_pair(self.pair, token))


def plain_names(what: str, keywords: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """Replace aliases by the settings' own names.

    Raises:
        UnknownKeywordError: a keyword is neither in `allowed` nor an alias of a setting, or one setting is given under two names.
    """
    check_keywords(what, keywords, (*allowed, *ALIASES))
    for alias, name in ALIASES.items():
        twice = alias in keywords and name in keywords
        require(not twice, alias, f"left out where `{name}`, the same setting, is given", keywords.get(alias))
    return {ALIASES.get(name, name): value for name, value in keywords.items()}


def check(values: Mapping[str, Any], hf_token: SecretStr | None = None) -> Settings:
    """Turn the values of all settings, and of `CALL_ONLY` where a call has them, into `Settings`. A pair is checked when it is loaded.

    Raises:
        ConfigError: a value is out of its range, or two contradict each other.
    """
    for name in PAIR_SOURCES:
        require(values[name] is None or isinstance(values[name], str), name, "a text or None", values[name])
    require(isinstance(values["router"], str), "router", "a text", values["router"])
    retries, events = values["max_retries"], values["route_events"]
    require(is_integer(retries) and retries >= 0, "max_retries", "an integer of at least 0", retries)
    require(isinstance(events, bool), "route_events", "True or False", events)
    pair = {name: values[name] for name in PAIR_SETTINGS}
    call = build_call({**values, "logprobs": _logprobs(values["logprobs"], values["top_logprobs"])})
    return Settings(pair=pair, call=call, max_retries=retries, route_events=events, hf_token=hf_token)


def _logprobs(logprobs: Any, top: Any) -> Any:
    """The number of alternatives, from our setting or from OpenAI's two (a bool and a number)."""
    if top is not None:
        require(is_integer(top) and 0 <= top <= MAX_LOGPROBS, "top_logprobs", f"None or an integer in [0, {MAX_LOGPROBS}]", top)
        same = logprobs == top if is_integer(logprobs) else logprobs in (None, True)
        require(same, "logprobs", "left out, or True, beside `top_logprobs`", logprobs)
        return top
    return (0 if logprobs else None) if isinstance(logprobs, bool) else logprobs
