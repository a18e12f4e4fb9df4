"""`BacoFields`: the settings of `ChatBaco` as constructor fields, and how LangChain names, profiles, traces and caches a model with them.

Knows settings; decodes nothing and loads nothing.
"""

import warnings
from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from langchain_core.load import dumpd
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.utils import secret_from_env
from pydantic import Field, SecretStr

from baco import __version__
from baco.checks import require
from baco.engine.adapter_settings import AdapterSettings
from baco.engine.call_settings import PAIR_SOURCES, check_pair, merge
from baco.models.capabilities import Capabilities, capabilities, fingerprint
from baco.models.resolve import pair_name, resolve
from baco.text.template_variables import CLOCK
from langchain_baco.outputs import PROVIDER
from langchain_baco.settings import CALL_ONLY, HANDLED_BY_LANGCHAIN, SETTINGS, Settings, check, plain_names

Run = CallbackManagerForLLMRun | None
AsyncRun = AsyncCallbackManagerForLLMRun | None


class BacoFields(AdapterSettings, BaseChatModel):
    """Every setting of the pair, the router and the sampling.

    `max_tokens` is also taken as `max_completion_tokens`, `stop` as `stop_sequences`.
    """

    n: int = 1
    """Answers per prompt. More than one is for `generate`, which returns them all."""
    logprobs: int | bool | None = None
    """None or False: off. 0 or True: the log-probability of each chosen token. k: also the k most likely alternatives, at most 20."""
    top_logprobs: int | None = None
    """k alternatives, as OpenAI has it beside ``logprobs=True``."""
    max_retries: int = 2
    """How often a call is tried again that finds the queue full; waits longer each time."""
    route_events: bool = False
    """Whether streams tell callbacks whose each token is, as custom events named "baco_route"; see `langchain_baco.route_events`."""
    hf_token: SecretStr | None = Field(default_factory=secret_from_env("HF_TOKEN", default=None))
    """Shown to the hub when a gated pair is downloaded; else what `hf auth login` left. Also taken as `api_key`."""
    streaming: bool = False
    """Whether `invoke` decodes as a stream, so that callbacks see each token."""

    def __init__(self, **settings: Any) -> None:
        fields = plain_names(type(self).__name__, settings, tuple(type(self).model_fields))
        # Before pydantic: it would wrap our errors, and turn "3" into 3 here but not in a call.
        values = {name: fields.get(name, type(self).model_fields[name].default) for name in SETTINGS}
        check(values)
        check_pair(values)
        super().__init__(**fields)
        self._add_version(PROVIDER, __version__)

    def _settings(self, call: Mapping[str, Any], stop: list[str] | None = None) -> Settings:
        """Settle a call: its keywords over the fields. Fields are read anew, so that a copy or an assignment counts.

        Raises:
            UnknownKeywordError: a keyword does not exist.
            ConfigError: a value is out of its range, or two contradict each other.
        """
        given = call if stop is None else {**call, "stop": stop}
        overrides = plain_names(f"a call of {type(self).__name__}", given, (*SETTINGS, *CALL_ONLY, *HANDLED_BY_LANGCHAIN))
        return check(merge(self._identifying_params, overrides), self.hf_token)

    def _check_one(self, call: Mapping[str, Any]) -> None:
        """Check that a call asks for one answer, where LangChain returns no more.

        Raises:
            ConfigError: more answers are asked for.
        """
        n = call.get("n", self.n)
        require(n == 1, "n", "1 where LangChain returns one answer (invoke, stream, batch), else use generate()", n)

    def _resolve_model_profile(self) -> ModelProfile:
        """What the pair can do, from files that are on this machine: a pair not yet downloaded has no `max_input_tokens`."""
        return _profile(capabilities(resolve(*self._sources({}))[1]), self._get_ls_params()["ls_model_name"])

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load.dumpd` can write it: settings, never weights, and the token only as the name of its variable.

        `langchain_core.load.load` reads it with ``allowed_objects=[ChatBaco]``.
        """
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The token's place in the environment."""
        return {"hf_token": "HF_TOKEN"}

    @property
    def _serialized(self) -> dict[str, Any]:
        # LangChain keeps the first form for ever, also when a setting is assigned later.
        return cast(dict[str, Any], dumpd(self))

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # Every setting in force, the files of the pair and the date that its template is told, so that no two calls that may differ share
        # an entry of a cache.
        params = {**self._get_invocation_params(stop=stop, **kwargs), **kwargs}
        config = resolve(*self._sources(kwargs))[1]
        told = merge(self._identifying_params, kwargs)["chat_template_kwargs"] or {}
        today = [str(date.today())] if capabilities(config).asks_date and CLOCK not in told else []
        return str([fingerprint(config), *today, *sorted(params.items())])

    @property
    def _llm_type(self) -> str:
        return "baco-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTINGS}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        # LangChain would put the call's stop, None for most, in the place of the constructor's, and give both one cache entry.
        return super()._get_invocation_params(stop=self.stop if stop is None else stop, **kwargs)  # type: ignore[arg-type]

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        params["ls_model_name"] = pair_name(*self._sources(kwargs))
        return params

    def _sources(self, call: Mapping[str, Any]) -> list[str | None]:
        """What names the pair of a call."""
        settings = merge(self._identifying_params, call)
        return [settings[name] for name in PAIR_SOURCES]

    def _generate_with_cache(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Run = None, **kwargs: Any
    ) -> ChatResult:
        model = self._past_the_cache(kwargs, stop)
        return super(BacoFields, model)._generate_with_cache(messages, stop=stop, run_manager=run_manager, **kwargs)

    async def _agenerate_with_cache(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncRun = None, **kwargs: Any
    ) -> ChatResult:
        model = self._past_the_cache(kwargs, stop)
        return await super(BacoFields, model)._agenerate_with_cache(messages, stop=stop, run_manager=run_manager, **kwargs)

    def _past_the_cache(self, kwargs: dict[str, Any], stop: list[str] | None) -> "BacoFields":
        """Return this model, without the global cache where that would turn new samples into one old answer."""
        if self.cache is not None or get_llm_cache() is None or self._settings(kwargs, stop).is_reproducible:
            return self
        warnings.warn(
            "LangChain's global cache is not used for answers that are sampled without a seed: it would give the first one for ever. "
            f"{type(self).__name__}(cache=True) uses it all the same, cache=False keeps silent",
            stacklevel=2,
        )
        return self.model_copy(update={"cache": False})


def _profile(known: Capabilities, name: str) -> ModelProfile:
    """What a pair can do, in the terms of LangChain's model profiles. What is not known is left out, as LangChain expects it."""
    found = ModelProfile(
        name=name,
        open_weights=True,
        text_inputs=True,
        image_inputs=False,
        audio_inputs=False,
        video_inputs=False,
        text_outputs=True,
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        tool_call_streaming=True,
        structured_output=True,
        temperature=True,
    )
    if known.context_window is not None:
        # Prompt and answer share the window, and an answer has at least one token.
        found["max_input_tokens"] = found["max_output_tokens"] = known.context_window - 1
    if known.has_tools is not None:
        found["tool_calling"] = found["tool_choice"] = known.has_tools
    if known.thinks is not None:
        found["reasoning_output"] = known.thinks
    return found
