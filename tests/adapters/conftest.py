"""What the tests of the adapters share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from langchain_baco import ChatBaco
from tests.adapters.langchain_helpers import telling_seed


@pytest.fixture(scope="module")
def model(pair_folders: Callable[[str], tuple[Path, Path]]) -> ChatBaco:
    base, aligned = pair_folders("llama")
    return ChatBaco(base=str(base), aligned=str(aligned), device="cpu", dtype="float32", max_tokens=24, threshold=0.6)


@pytest.fixture(scope="module")
def seed(model: ChatBaco) -> int:
    return telling_seed(model)
