"""`BacoSettings`: the fields of `BacoLLM`, merged with overrides and the keywords of one call.

Knows the settings of the core; knows nothing of messages, responses or weights. The core's own rules check everything, in the constructor
and at every call, before any work.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self

from baco.checks import check_keywords
from baco.config import PairConfig
from baco.engine.adapter_settings import AdapterSettings
from baco.engine.call_settings import (
    PAIR_SETTINGS,
    ROUTER_SETTINGS,
    SAMPLING_SETTINGS,
    TEMPLATE_SETTINGS,
    TOOL_SETTINGS,
    CallSettings,
    build_call,
    check_pair,
    merge,
)
from baco.errors import UnknownKeywordError
from baco.models.resolve import pair_name
from llamaindex_baco.tools import openai_tools

CALL_FIELDS = (*ROUTER_SETTINGS, *TEMPLATE_SETTINGS, *SAMPLING_SETTINGS)
"""Settings that a single call may override."""
CALL_ONLY = ("n", "score", *TOOL_SETTINGS)
"""Keywords of a call that are not settings of an LLM."""
IGNORED_KEYWORDS = ("extra_headers",)
"""LlamaIndex's own extractors pass these to any LLM, for services behind HTTP; they mean nothing here."""
ONE_ANSWER = "an LLM of LlamaIndex gives one answer to a call, so `n` is no setting; use sample(…, n), or chat(…, n=…) for one call"
NO_WRAPPER = "`query_wrapper_prompt` does nothing for an LLM that reads messages; give a `completion_to_prompt`, or a `system_prompt`"


_overrides: ContextVar[tuple[tuple[object, Mapping[str, Any]], ...]] = ContextVar("baco_overrides", default=())
"""LLMs and what the `using` blocks around put over their settings, the outermost block's first."""


class BacoSettings(AdapterSettings):
    """Settings of `BacoLLM`, all of them plain values, which can be copied, pickled and written as JSON.

    Raises:
        UnknownKeywordError: a setting does not exist.
        ConfigError: a value is out of range, or two contradict each other.
        ModelNotFoundError: a preset or a model folder is not there.
    """

    def __init__(self, **keywords: Any) -> None:
        # Before pydantic, which would drop unknown keywords, coerce wrong types and wrap the errors.
        if "n" in keywords:
            raise UnknownKeywordError(ONE_ANSWER)
        if keywords.get("query_wrapper_prompt") is not None:
            raise UnknownKeywordError(NO_WRAPPER)
        check_keywords(type(self).__name__, keywords, type(self).model_fields)
        _check({name: keywords.get(name, field.default) for name, field in BacoSettings.model_fields.items()})
        super().__init__(**keywords)

    def for_call(self, keywords: Mapping[str, Any]) -> CallSettings:
        """Merge the LLM's settings, those of the `using` blocks around, and the keywords of one call; the last one wins.

        A setting also resets those that it replaces: a router resets the threshold and the diversity meant for another router.

        Raises:
            UnknownKeywordError: a keyword does not exist, or is one that a call cannot change.
            ConfigError: a value is out of range, or two contradict each other.
        """
        _check_pair_is_fixed(keywords)
        check_keywords("a call of BacoLLM", keywords, (*CALL_FIELDS, *CALL_ONLY, *IGNORED_KEYWORDS))
        settings = {name: getattr(self, name) for name in CALL_FIELDS}
        for layer in (*(overrides for llm, overrides in _overrides.get() if llm is self), keywords):
            settings = merge(settings, layer)
        if settings.get("tools") is not None:
            settings["tools"] = openai_tools(settings["tools"])
        return build_call(settings)

    @contextmanager
    def using(self, **settings: Any) -> Iterator[Self]:
        """Override this LLM's settings inside the `with` block, for pipelines that pass no keywords to their LLM.

        They hold for calls of this very object, made in the block by this task or thread and by what it starts there; keywords of a call
        still win. Blocks may be nested.

        >>> with llm.using(router="p", threshold=0.6, temperature=1.2):
        ...     answer = query_engine.query("What can a visitor do?")

        Raises:
            UnknownKeywordError: a setting does not exist, or is one of the pair: see `with_`.
            ConfigError: a value is out of range, or two contradict each other.
        """
        _check_pair_is_fixed(settings)
        check_keywords("using", settings, (*CALL_FIELDS, "score"))
        self.for_call(settings)
        token = _overrides.set((*_overrides.get(), (self, settings)))
        try:
            yield self
        finally:
            _overrides.reset(token)

    def with_(self, **settings: Any) -> Self:
        """Make a copy with other settings, those of the pair included. Pairs that are loaded are shared.

        Raises:
            UnknownKeywordError: a setting does not exist.
            ConfigError: a value is out of range, or two contradict each other.
            ModelNotFoundError: a preset or a model folder is not there.
        """
        check_keywords("with_", settings, BacoSettings.model_fields)
        merged = merge({name: getattr(self, name) for name in BacoSettings.model_fields}, settings)
        _check(merged)
        return self.model_copy(update=merged)

    @property
    def pair_name(self) -> str:
        """The pair's name: "tiny", the preset's, or "base|aligned"."""
        return pair_name(self.model, self.base, self.aligned, self.aligned_adapter)

    @property
    def pair_config(self) -> PairConfig:
        """The pair's settings, checked."""
        return check_pair({name: getattr(self, name) for name in PAIR_SETTINGS})


def _check(settings: Mapping[str, Any]) -> None:
    check_pair(settings)
    build_call(settings)


def _check_pair_is_fixed(keywords: Mapping[str, Any]) -> None:
    for name in PAIR_SETTINGS:
        if name in keywords:
            raise UnknownKeywordError(f"`{name}` is fixed when BacoLLM is made; with_({name}=…) makes another, which shares what is loaded")
