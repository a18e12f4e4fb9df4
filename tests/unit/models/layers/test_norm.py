"""Fused norms: the same numbers as the layers that they replace, and no replacement for layers that compute something else."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from baco.models.layers.convert import fuse_norms
from baco.models.layers.norm import FusedRMSNorm

Folders = Callable[[str], tuple[Path, Path]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fused_norm_gives_what_the_formula_gives(dtype: torch.dtype) -> None:
    norm = LlamaRMSNorm(64, eps=1e-3).to(dtype)
    with torch.no_grad():
        norm.weight.normal_()
    fused = FusedRMSNorm.like(norm)
    assert fused is not None and fused.weight is norm.weight
    x = torch.randn(3, 5, 64, dtype=dtype)
    exact = x.double()
    exact = exact / (exact.square().mean(-1, keepdim=True) + 1e-3).sqrt() * norm.weight.double()
    torch.testing.assert_close(fused(x).double(), exact, rtol=4 * torch.finfo(dtype).eps, atol=1e-6)


@pytest.mark.parametrize(
    "norm", [Gemma3RMSNorm(64), nn.LayerNorm(64), nn.Linear(8, 8), nn.Identity()], ids=lambda norm: type(norm).__name__
)
def test_a_layer_that_computes_something_else_is_left_alone(norm: nn.Module) -> None:
    assert FusedRMSNorm.like(norm) is None


@pytest.mark.parametrize(("arch", "norms"), [("llama", 5), ("qwen3", 9), ("gpt2", 0), ("gemma3", 0)])
def test_a_model_with_fused_norms_says_the_same(arch: str, norms: int, pair_folders: Folders) -> None:
    model = AutoModelForCausalLM.from_pretrained(pair_folders(arch)[1]).eval()
    plain = copy.deepcopy(model)
    fuse_norms([model])
    assert sum(isinstance(module, FusedRMSNorm) for module in model.modules()) == norms
    ids = torch.arange(5, 40)[None]
    with torch.inference_mode():
        torch.testing.assert_close(model(ids).logits, plain(ids).logits, atol=1e-4, rtol=1e-4)
    assert model.state_dict().keys() == plain.state_dict().keys()
