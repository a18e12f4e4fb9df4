"""What the tests of ChatBaco share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache

from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, telling_seed


@pytest.fixture(scope="module")
def model(pair_folders: Callable[[str], tuple[Path, Path]]) -> ChatBaco:
    base, aligned = pair_folders("llama")
    return ChatBaco(base=str(base), aligned=str(aligned), device="cpu", dtype="float32", max_tokens=24, threshold=0.6)


@pytest.fixture(scope="module")
def seed(model: ChatBaco) -> int:
    return telling_seed(model)


@pytest.fixture
def wild(model: ChatBaco) -> ChatBaco:
    """Random weights at a high temperature: whatever comes out right is right by construction."""
    return model.model_copy(update={"max_tokens": 150, "temperature": 1.5, "seed": 4})


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
