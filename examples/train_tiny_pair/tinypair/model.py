"""The pair's architecture, and how a model is written to disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CONTEXT = 1024
VOCAB_SIZE = 2560
HIDDEN, LAYERS, MLP, HEADS, KV_HEADS = 256, 5, 512, 8, 4


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make an untrained model for a tokenizer."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=MLP,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        initializer_range=0.03,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def count_parameters(model: LlamaForCausalLM) -> int:
    """Count a model's parameters; the tied embedding counts once."""
    return sum(p.numel() for p in model.parameters())


def load_model(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Read a model to go on training, in float32, with its tokenizer."""
    return LlamaForCausalLM.from_pretrained(folder).float(), PreTrainedTokenizerFast.from_pretrained(folder)


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
