"""Adapters that cannot make a pair, each with an error that says what to do."""

import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, VeraConfig
from safetensors.torch import load_file, save_file

from baco import ModelPair
from baco.errors import ConfigError, MissingExtraError, ModelNotFoundError, PairError
from tests.support.lora_adapters import load_adapted_pair, save_adapter, wide_base


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"use_dora": True}, "use_dora.*merge"),
        ({"bias": "all"}, "bias='all'.*merge"),
        ({"init_lora_weights": "pissa"}, "pissa.*merge"),
        ({"lora_bias": True}, "lora_bias.*merge"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices.*merge"),
    ],
)
def test_what_is_more_than_plain_lora_is_refused(changes: dict[str, Any], reason: str, base: Path, adapter: Path) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | changes))
    with pytest.raises(PairError, match=reason):
        load_adapted_pair(base, adapter)


def test_another_kind_of_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "vera", VeraConfig(r=4, target_modules=["q_proj"]))
    with pytest.raises(PairError, match=r"VERA.*merge"):
        load_adapted_pair(base, adapter)


def test_an_adapter_on_the_embedding_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter", LoraConfig(r=4, target_modules=["embed_tokens", "q_proj"]))
    with pytest.raises(PairError, match=r"embed_tokens.*no linear layer.*merge"):
        load_adapted_pair(base, adapter)


def test_an_adapter_of_another_base_is_refused(adapter: Path, tmp_path: Path, base: Path) -> None:
    with pytest.raises(PairError, match="does not fit the base"):
        load_adapted_pair(wide_base(tmp_path / "wide", base, hidden_size=64), adapter)


def test_an_adapter_that_brings_another_head_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter", LoraConfig(r=4, target_modules=["lm_head"]))
    weights = load_file(adapter / "adapter_model.safetensors")
    (stored,) = [name for name in weights if "lora_" not in name and "lm_head" in name]
    save_file(weights | {stored: weights[stored] + 1}, adapter / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PairError, match=r"brings its own 'lm_head.weight'.*merge"):
        load_adapted_pair(base, adapter)


def test_an_adapter_that_lacks_layers_is_refused(adapter: Path, base: Path) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(settings | {"target_modules": ["q_proj", "v_proj", "o_proj"]}))
    with pytest.raises(PairError, match=r"does not fit the base.*no match for.*o_proj"):
        load_adapted_pair(base, adapter)


@pytest.mark.parametrize(
    ("arguments", "error_type", "reason"),
    [
        ({"aligned": "x/y"}, ConfigError, "not both"),
        ({"base": None}, ConfigError, "`aligned_adapter` needs `base`"),
        ({"base": None, "pair": "tiny"}, ConfigError, "not both"),
        ({"base": "qwen2.5-0.5b"}, ModelNotFoundError, "is a preset"),
        ({"aligned_adapter": "./nowhere"}, ModelNotFoundError, "no model folder './nowhere'"),
        ({"aligned_adapter": str(files("baco") / "pairs" / "tiny" / "aligned")}, ModelNotFoundError, r"no adapter_config\.json"),
        ({"aligned_adapter": " "}, ConfigError, "`aligned_adapter` must be a folder or a hub id"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(
    arguments: dict[str, Any], error_type: type[Exception], reason: str, base: Path, adapter: Path
) -> None:
    with pytest.raises(error_type, match=reason):
        ModelPair.from_pretrained(**({"base": str(base), "aligned_adapter": str(adapter)} | arguments))


def test_without_peft_the_error_says_what_to_install(base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'baco\[adapters\]'"):
        load_adapted_pair(base, adapter)


def test_quantisation_under_an_adapter_is_refused_on_cuda(base: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="do not go together on CUDA"):
        load_adapted_pair(base, adapter, device="cuda", dtype="float16", quantization="int8")
