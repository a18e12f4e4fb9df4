"""The pair's architecture, how its weights begin, and how a model is written to disk."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

import torch
from torch import Tensor
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 1024
VOCAB_SIZE = 3072
HIDDEN, LAYERS, MLP, HEADS = 256, 4, 768, 4
HEAD = HIDDEN // HEADS
ROPE_THETA = 5e5
FAST_PAIRS = 6
"""Rotary pairs, of the fastest, that find the token before."""
STILL_PAIRS = 10
"""First rotary pair that turns so slowly that two equal tokens match wherever they stand."""


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make an untrained model for a tokenizer."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        attention_bias=True,
        tie_word_embeddings=True,
        initializer_range=0.03,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    # On a CPU the plain form compiles to faster code than the fused one.
    model: LlamaForCausalLM = LlamaForCausalLM._from_config(config, attn_implementation="eager")
    begin_with_copying(model)
    return model


@torch.no_grad()
def begin_with_copying(model: LlamaForCausalLM) -> None:
    """Set two attention heads so that the untrained model can already repeat: "… A B … A" is followed by B.

    A head of the first layer looks at the token before, and writes it where a head of the second layer looks for the token at hand: an
    induction head (Olsson et al. 2022, "In-context Learning and Induction Heads"). Models find it by themselves, but a small one needs
    far more steps than a laptop's hour has. That it is set by hand, and how strongly, is our own choice; training then changes it like
    every other weight.
    """
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    seen, before, repeated = (_directions() for _ in range(3))
    half = HEAD // 2
    angle = ROPE_THETA ** (-torch.arange(half) / half)
    looks = torch.zeros(half)
    looks[:FAST_PAIRS] = 7.0
    first, second, head = model.model.layers[0].self_attn, model.model.layers[1].self_attn, slice(0, HEAD)
    first.q_proj.weight[head], first.k_proj.weight[head] = 0, 0
    first.q_proj.bias[head] = torch.cat([looks, torch.zeros(half)])
    first.k_proj.bias[head] = torch.cat([looks * angle.cos(), looks * angle.sin()])
    first.v_proj.weight[head] = seen
    first.o_proj.weight[:, head] = 0.06 * before.T
    still = (torch.arange(half) >= STILL_PAIRS).float().repeat(2)[:, None] * math.sqrt(3.5)
    second.q_proj.weight[head], second.k_proj.weight[head] = still * seen, still * before
    second.v_proj.weight[head] = repeated
    second.o_proj.weight[:, head] = 0.06 * repeated.T


def _directions() -> Tensor:
    """Draw orthonormal directions of the hidden space, [HEAD, HIDDEN]."""
    directions: Tensor = torch.linalg.qr(torch.randn(HIDDEN, HEAD))[0]
    return directions.T.contiguous()


def count_parameters(model: LlamaForCausalLM) -> int:
    """Count a model's parameters; the tied embedding counts once."""
    return sum(p.numel() for p in model.parameters())


def load_model(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Read a model to go on training, in float32, with its tokenizer."""
    model = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return model.float(), PreTrainedTokenizerFast.from_pretrained(folder)


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a model in bfloat16, with its tokenizer, so that a reader never sees half a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.config.update(ends)
    copy.generation_config = GenerationConfig(**ends)
    copy.bfloat16().save_pretrained(scratch)
    tokenizer.save_pretrained(scratch)
    scratch.chmod(0o755)
    for file in scratch.iterdir():
        file.chmod(0o644)
    old = folder.with_name(f".old-{folder.name}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    scratch.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
