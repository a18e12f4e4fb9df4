"""What the unit tests share."""

from collections.abc import Callable

import pytest

from baco import ModelPair


@pytest.fixture
def random_pair(get_pair: Callable[[str], ModelPair]) -> ModelPair:
    """A tiny random-weight Llama pair over a byte-level vocabulary."""
    return get_pair("llama")
