"""Checkpoints that are quantised already: they load as transformers loads them, or are refused by method, before any weight is read."""

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from baco import ConfigError, Engine, ModelPair, PairError, Router, SamplingParams
from baco.models import loading
from baco.models.quantized_checkpoint import check_quantization, quantization_method
from tests.support.pairs import make_pair_folders

METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "awq": ("gptqmodel", {"bits": 4, "group_size": 32, "version": "gemm", "zero_point": True}),
    "gptq": ("optimum", {"bits": 4, "group_size": 32, "desc_act": False, "sym": True}),
    "compressed-tensors": ("compressed_tensors", {"format": "pack-quantized", "config_groups": {}}),
}
"""The package that transformers needs for a method, and a configuration of it."""
FP8 = {"quant_method": "fp8", "weight_block_size": [32, 32], "activation_scheme": "dynamic", "modules_to_not_convert": ["lm_head"]}
BLOCK = 32

Quantized = Callable[[dict[str, Any]], dict[str, str]]


@pytest.fixture
def quantized(tmp_path: Path) -> Quantized:
    """Make a tiny pair whose aligned model's configuration states a quantisation; its weights stay as they are."""

    def make(stated: dict[str, Any]) -> dict[str, str]:
        base, aligned = make_pair_folders(tmp_path, "llama")
        config = json.loads((aligned / "config.json").read_text())
        (aligned / "config.json").write_text(json.dumps(config | {"quantization_config": stated}))
        return {"base": str(base), "aligned": str(aligned), "device": "cpu", "dtype": "float32"}

    return make


@pytest.mark.parametrize("method", METHODS)
def test_a_method_whose_package_is_missing_is_named_with_the_package(quantized: Quantized, method: str) -> None:
    package, stated = METHODS[method]
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with pytest.raises(PairError, match=rf"quantised \({method}\), and cannot be loaded here: .*{package.replace('_', '-')}"):
        ModelPair.from_pretrained(**quantized({"quant_method": method, **stated}))


@pytest.mark.parametrize(
    ("stated", "asked", "error", "message"),
    [
        ({"quant_method": "vodka"}, {}, PairError, "quantised by 'vodka', which transformers does not know"),
        (FP8, {"quantization": "int8"}, ConfigError, r"`quantization` must be left out for .*quantised already \(fp8\), but is 'int8'"),
        ({"quant_method": "bitsandbytes"}, {"quantization": "int4"}, ConfigError, r"quantised already \(bitsandbytes\)"),
    ],
)
def test_what_cannot_be_is_refused_before_any_weight_is_read(
    quantized: Quantized,
    monkeypatch: pytest.MonkeyPatch,
    stated: dict[str, Any],
    asked: dict[str, str],
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr("baco.models.loading.AutoModelForCausalLM.from_pretrained", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(error, match=message):
        ModelPair.from_pretrained(**quantized(stated), **asked)


@pytest.mark.parametrize(("stated", "expected"), [(FP8, {"": torch.device("cuda")}), ({}, None)])
def test_on_a_gpu_it_is_loaded_there_at_once_since_it_cannot_be_moved(
    quantized: Quantized, monkeypatch: pytest.MonkeyPatch, stated: dict[str, Any], expected: dict[str, torch.device] | None
) -> None:
    asked: list[dict[str, Any]] = []

    def load(name: str, **options: Any) -> None:
        asked.append(options)
        raise MemoryError

    monkeypatch.setattr("baco.models.loading.AutoModelForCausalLM.from_pretrained", load)
    with pytest.raises(MemoryError):
        loading.load_model(quantized(stated)["aligned"], torch.device("cuda"), torch.bfloat16)
    assert asked[0].get("device_map") == expected


def test_a_quantised_base_carries_no_adapter(base: Path, adapter: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(base, tmp_path / "quantised"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"quantization_config": FP8}))
    with pytest.raises(ConfigError, match=r"`aligned_adapter` needs a base with plain weights, .* quantised \(fp8\)"):
        ModelPair.from_pretrained(base=str(copy), aligned_adapter=str(adapter), device="cpu")


def test_a_plain_checkpoint_has_no_method(base: Path) -> None:
    config = loading.load_config(str(base))
    assert quantization_method(config) is None
    check_quantization(str(base), config, "int8", None)


def fp8(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A matrix in 8-bit floats, the scale of each block, and the matrix that both stand for."""
    codes, scales, meant = torch.empty(weight.shape, dtype=torch.float8_e4m3fn), [], torch.empty(weight.shape)
    for row in range(0, weight.shape[0], BLOCK):
        for column in range(0, weight.shape[1], BLOCK):
            place = (slice(row, row + BLOCK), slice(column, column + BLOCK))
            scales.append(weight[place].abs().max() / 448)
            codes[place] = (weight[place] / scales[-1]).to(torch.float8_e4m3fn)
            meant[place] = codes[place].float() * scales[-1]
    return codes, torch.stack(scales).reshape(-(-weight.shape[0] // BLOCK), -(-weight.shape[1] // BLOCK)), meant


def test_fp8_is_read_as_what_it_stands_for_on_a_cpu(quantized: Quantized) -> None:
    folders = quantized(FP8)
    file = Path(folders["aligned"]) / "model.safetensors"
    stored, meant = {}, {}
    for name, weight in load_file(file).items():
        if "_proj." in name:
            stored[name], stored[name.replace(".weight", ".weight_scale_inv")], meant[name] = fp8(weight)
        else:
            stored[name] = weight
    save_file(stored, file, metadata={"format": "pt"})
    pair = ModelPair.from_pretrained(**folders)
    loaded = dict(pair.aligned.named_parameters())
    assert len(meant) == 14
    for name, weight in meant.items():
        torch.testing.assert_close(loaded[name], weight, rtol=0, atol=0)
    assert len(Engine(pair).generate("a", SamplingParams(max_tokens=3, seed=1), Router("aligned")).candidates[0].token_ids) == 3
