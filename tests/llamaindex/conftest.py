"""What the tests of BacoLLM share."""

from collections.abc import Callable
from typing import Any

import pytest

from baco import Engine, ModelPair, Router, SamplingParams
from llamaindex_baco import BacoLLM
from tests.llamaindex.helpers import Make


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
