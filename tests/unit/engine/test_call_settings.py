"""Flat settings: what is laid over what, and what they amount to."""

from typing import Any

import pytest

from baco import ConfigError, Grammar, Router
from baco.engine.call_settings import ROUTER_SETTINGS, SAMPLING_SETTINGS, TEMPLATE_SETTINGS, build_call, merge
from llamaindex_baco.settings import BacoSettings

TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
DEFAULTS: dict[str, Any] = {
    name: BacoSettings.model_fields[name].default for name in (*ROUTER_SETTINGS, *SAMPLING_SETTINGS, *TEMPLATE_SETTINGS)
}


@pytest.mark.parametrize(
    ("settings", "over", "expected"),
    [
        ({"router": "p", "threshold": 0.5, "diversity": None}, {"router": "h"}, {"router": "h", "threshold": None, "diversity": None}),
        ({"threshold": 0.5, "diversity": None}, {"diversity": 0.3}, {"threshold": None, "diversity": 0.3}),
        ({"threshold": None, "diversity": 0.3}, {"threshold": 0.5}, {"threshold": 0.5, "diversity": None}),
        ({"threshold": 0.5, "diversity": None}, {"diversity": None}, {"threshold": 0.5, "diversity": None}),
        ({"model": "tiny", "base": None, "aligned": None}, {"base": "a", "aligned": "b"}, {"model": None, "base": "a", "aligned": "b"}),
        ({"model": None, "base": "a", "aligned": "b"}, {"model": "tiny"}, {"model": "tiny", "base": None, "aligned": None}),
        ({"model": "tiny"}, {"model": None}, {"model": "tiny"}),
        ({"seed": 1, "stop": "x"}, {"seed": None}, {"seed": None, "stop": "x"}),
        ({"logprobs": 2}, {"logprobs": 0}, {"logprobs": 0}),
        (
            {"reasoning": None, "chat_template_kwargs": {"thinking": True, "documents": []}},
            {"reasoning": False},
            {"reasoning": False, "chat_template_kwargs": {"documents": []}},
        ),
        (
            {"reasoning": False, "chat_template_kwargs": None},
            {"chat_template_kwargs": {"enable_thinking": True}},
            {"reasoning": None, "chat_template_kwargs": {"enable_thinking": True}},
        ),
        (
            {"reasoning": False, "chat_template_kwargs": None},
            {"chat_template_kwargs": {"documents": []}},
            {"reasoning": False, "chat_template_kwargs": {"documents": []}},
        ),
    ],
)
def test_what_is_laid_over_puts_what_it_replaces_out_of_force(settings: Any, over: Any, expected: Any) -> None:
    before = dict(settings)
    assert merge(settings, over) == expected
    assert settings == before


def test_settings_amount_to_a_router_sampling_and_tools() -> None:
    call = build_call({**DEFAULTS, "router": "p", "threshold": 0.6, "timeout": 3, "tools": [TOOL]})
    assert (call.router, call.params.deadline, call.params.grammar, call.tools) == (Router("p", threshold=0.6), 3, None, [TOOL])
    forced = build_call({**DEFAULTS, "tools": [TOOL], "tool_choice": "clock"}).params.grammar
    assert forced is not None and forced.kind == "calls"
    assert build_call({**DEFAULTS, "tools": [TOOL], "tool_choice": "none"}).tools == []
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "integer"}}}
    assert build_call({**DEFAULTS, "response_format": schema}).params.grammar == Grammar.json_schema({"type": "integer"})


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"timeout": 0}, "`timeout` must be"),
        ({"reasoning": 1}, "`reasoning` must be None, True, False or an effort"),
        ({"chat_template_kwargs": ["enable_thinking"]}, "`chat_template_kwargs` must be None or a dict"),
        ({"chat_template_kwargs": {"moment": {1, 2}}}, "`chat_template_kwargs` must hold what JSON can say"),
        ({"tool_choice": "any"}, "left out where there are no tools"),
        ({"tools": [TOOL], "tool_choice": "clocks"}, "did you mean 'clock'"),
        ({"response_format": {"type": "xml"}}, "`response_format` must be"),
        ({"tools": [TOOL], "tool_choice": "any", "response_format": {"type": "json_object"}}, "left out where a call is forced"),
        ({"tools": [TOOL, TOOL]}, "a name each of its own"),
    ],
)
def test_settings_that_contradict_each_other_are_errors(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        build_call({**DEFAULTS, **settings})
