"""What the tests of BacoLLM share."""

from collections.abc import Callable
from typing import Any

import pytest

from baco import Engine, ModelPair, Router, SamplingParams
from llamaindex_baco import BacoLLM
from llamaindex_baco.testing import LLMConformance
from llamaindex_baco.testing.calls import METHODS
from tests.llamaindex.helpers import Make

QUICK_METHODS = ("chat", "stream_complete", "acomplete", "astream_chat")
"""One of each kind; the first two alone for traps that draw many answers."""
SAMPLING_TRAPS = ("test_max_tokens_of_a_call_is_honoured", "test_temperature_of_a_call_is_honoured", "test_the_seed_of_a_call_is_honoured")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite's tests as slow for methods that are like another one."""
    for item in items:
        if isinstance(item, pytest.Function) and isinstance(item.instance, LLMConformance) and hasattr(item, "callspec"):
            quick = QUICK_METHODS[:2] if item.originalname in SAMPLING_TRAPS else QUICK_METHODS
            if item.callspec.params.get("method") in set(METHODS).difference(quick):
                item.add_marker(pytest.mark.slow)


@pytest.fixture
def make(get_pair: Callable[[str], ModelPair]) -> Make:
    """Make a BacoLLM over the tiny Llama pair, which is loaded already."""
    config = get_pair("llama").config
    assert config is not None
    sources = {"base": config.base, "aligned": config.aligned, "device": "cpu", "dtype": "float32"}
    return lambda **settings: BacoLLM(**(sources | {"max_tokens": 12} | settings))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record what BacoLLM asks the engine for."""
    calls: list[dict[str, Any]] = []
    generate = Engine.generate

    def recorded(engine: Engine, messages: Any, params: SamplingParams, router: Router, **others: Any) -> Any:
        calls.append({"messages": messages, "params": params, "router": router, **others})
        return generate(engine, messages, params, router, **others)

    monkeypatch.setattr(Engine, "generate", recorded)
    return calls
