"""What the unit tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest
from peft import LoraConfig

from baco import Engine, ModelPair
from tests.support.gate import fresh
from tests.support.lora_adapters import save_adapter


@pytest.fixture
def random_pair(get_pair: Callable[[str], ModelPair]) -> ModelPair:
    """A tiny random-weight Llama pair over a byte-level vocabulary."""
    return get_pair("llama")


@pytest.fixture
def busy(random_pair: ModelPair) -> Engine:
    """An engine with a worker of its own."""
    return Engine(fresh(random_pair))


@pytest.fixture
def base(pair_folders: Callable[[str], tuple[Path, Path]]) -> Path:
    """The folder of a tiny Llama base model."""
    return pair_folders("llama")[0]


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    """The folder of a plain LoRA adapter of it."""
    return save_adapter(
        base, tmp_path / "adapter", LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"])
    )
