"""The settings of the core, and both adapters' fields for them: none is forgotten, and none has another default."""

from dataclasses import MISSING, Field, fields, make_dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from baco import Router, SamplingParams
from baco.config import PairConfig
from baco.engine.call_settings import PAIR_SETTINGS, ROUTER_SETTINGS, SAMPLING_SETTINGS
from langchain_baco import ChatBaco
from llamaindex_baco import BacoLLM

CORE = (PairConfig, Router, SamplingParams)
ADAPTERS: dict[str, type[BaseModel]] = {"langchain": ChatBaco, "llamaindex": BacoLLM}
NAMES = {"name": "router", "deadline": "timeout", "token": "hf_token"}
"""Settings that have another name in the adapters."""
NO_FIELDS = {
    "langchain": {
        "judge": "a function: no plain value",
        "grammar": "made of a call's `response_format`, `tool_choice` and `tools`",
    },
    "llamaindex": {
        "judge": "a function: no plain value",
        "grammar": "made of a call's `response_format`, `tool_choice` and `tools`",
        "n": "a keyword of a call: an LLM of LlamaIndex gives one answer",
        "hf_token": "LlamaIndex writes an LLM's fields into files: the token of `hf auth login` or HF_TOKEN is used",
    },
}
"""Settings for which an adapter has no field, and why."""


def settings(core: tuple[type[Any], ...] = CORE) -> dict[str, Field[Any]]:
    """The core's settings, by the adapters' names."""
    return {NAMES.get(field.name, field.name): field for kind in core for field in fields(kind)}


def default(field: Field[Any]) -> Any:
    """A core field's default as the adapters state it: None names no model, and no stop text."""
    return None if field.default is MISSING or field.default == () else field.default


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_has_each_setting_with_the_cores_default_or_a_reason(adapter: str) -> None:
    own, core = ADAPTERS[adapter].model_fields, settings()
    assert core.keys() - own.keys() == NO_FIELDS[adapter].keys()
    # The token's default is read from the environment.
    shared = (core.keys() & own.keys()) - {"hf_token"}
    assert {name: own[name].default for name in shared} == {name: default(core[name]) for name in shared}


def test_each_setting_is_one_that_adapters_hand_over() -> None:
    handed_over = {*PAIR_SETTINGS, *ROUTER_SETTINGS, *SAMPLING_SETTINGS} - {"model"}
    assert settings().keys() - handed_over == {"judge", "grammar", "n", "hf_token"}
    assert handed_over <= settings().keys()


def test_a_setting_that_an_adapter_forgot_would_be_found() -> None:
    extended = make_dataclass("Extended", [("presence_penalty", float, 0.0)], bases=(SamplingParams,), frozen=True, kw_only=True)
    for adapter, kind in ADAPTERS.items():
        forgotten = settings((PairConfig, Router, extended)).keys() - kind.model_fields.keys()
        assert forgotten - NO_FIELDS[adapter].keys() == {"presence_penalty"}


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_subclass_of_a_subclass_keeps_a_default_and_every_setting_its_description(adapter: str) -> None:
    kind = ADAPTERS[adapter]
    mine = type("Mine", (kind,), {"__annotations__": {"temperature": float}, "temperature": 0.7})
    ours: type[BaseModel] = type("Ours", (mine,), {})
    assert ours.model_fields["temperature"].default == 0.7
    assert all(kind.model_fields[name].description for name in (*PAIR_SETTINGS, *ROUTER_SETTINGS, *SAMPLING_SETTINGS))
