"""What the tests of BacoLLM share."""

from collections.abc import Callable
from typing import Any

import pytest

from baco import Engine, ModelPair, Router, SamplingParams
from llamaindex_baco import BacoLLM
from tests.llamaindex.helpers import Make

QUICK_METHODS = ("chat", "astream_complete")
SAMPLING_TRAPS = ("test_max_tokens_of_a_call_is_honoured", "test_temperature_of_a_call_is_honoured", "test_the_seed_of_a_call_is_honoured")


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the suite's tests of sampling settings as slow for all methods but two: it draws many answers for each of them."""
    traps = [item for item in items if isinstance(item, pytest.Function) and item.originalname in SAMPLING_TRAPS]
    for item in traps:
        if item.callspec.params["method"] not in QUICK_METHODS:
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
