"""What the tests of the adapters share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache

from baco import Engine, ModelPair, Router, SamplingParams
from langchain_baco import ChatBaco
from llamaindex_baco import BacoLLM
from tests.adapters.adversarial import Refused, refusals
from tests.adapters.langchain_helpers import PROMPT, telling_seed
from tests.adapters.llamaindex_helpers import Make
from tests.gate import Pass
from tests.tokenizers import QWEN_TEMPLATE


@pytest.fixture(scope="module")
def model(pair_folders: Callable[[str], tuple[Path, Path]]) -> ChatBaco:
    base, aligned = pair_folders("llama")
    return ChatBaco(base=str(base), aligned=str(aligned), device="cpu", dtype="float32", max_tokens=24, threshold=0.6)


@pytest.fixture(scope="module")
def seed(model: ChatBaco) -> int:
    return telling_seed(model)


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


@pytest.fixture
def room_for_tools(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the tiny Llama pair a chat template with tools, and a window that they fit into."""
    monkeypatch.setitem(engine.pair.__dict__, "context_window", 4096)
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", QWEN_TEMPLATE)


@pytest.fixture
def wild(model: ChatBaco) -> ChatBaco:
    """Random weights at a high temperature: whatever comes out right is right by construction."""
    return model.model_copy(update={"max_tokens": 150, "temperature": 1.5, "seed": 4})


@pytest.fixture
def refused(passes: list[Pass]) -> Refused:
    """A `pytest.raises` that also wants no pass of a model to be made."""
    return refusals(passes)


@pytest.fixture
def still_answers(model: ChatBaco, room_for_tools: None) -> Iterator[None]:
    """Whatever a test does, the model gives the answer afterwards that it gave before."""
    before = model.invoke(PROMPT, seed=3, max_tokens=6).text
    yield
    assert model.invoke(PROMPT, seed=3, max_tokens=6).text == before


@pytest.fixture
def cache() -> Iterator[InMemoryCache]:
    """LangChain's global cache, empty."""
    cache = InMemoryCache()
    set_llm_cache(cache)
    yield cache
    set_llm_cache(None)
