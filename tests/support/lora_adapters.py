"""LoRA adapters of the tiny pairs' base models, made by peft as a user would, and what peft itself makes of them."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedModel

from baco import ModelPair

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


def as_peft(make: Callable[[], Any]) -> Any:
    """Call peft, which asks transformers under a name that is on its way out, and says that it stores the base's head too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        warnings.filterwarnings("ignore", message="Setting `save_embedding_layers`", category=UserWarning)
        return make()


def save_adapter(base: Path, folder: Path, config: Any) -> Path:
    """Save an adapter with random weights, of which none is zero."""
    torch.manual_seed(5)
    wrapped = as_peft(lambda: get_peft_model(AutoModelForCausalLM.from_pretrained(base), config))
    for name, weight in wrapped.named_parameters():
        if weight.requires_grad:
            weight.data += torch.randn_like(weight) * (0.1 if "lora" in name else 0.02)
    as_peft(lambda: wrapped.save_pretrained(folder))
    return folder


def merged(base: Path, adapter: Path) -> PreTrainedModel:
    """The truth: peft adds the adapter to the weights of a model of its own."""
    model = as_peft(lambda: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter))
    whole: PreTrainedModel = model.merge_and_unload().eval()
    return whole


def wide_base(folder: Path, tokenizer_of: Path, hidden_size: int, seed: int = 0) -> Path:
    """Save a base model large enough for an adapter of rank 8 to be small beside it."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=4 * hidden_size,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def logits(model: Any) -> Tensor:
    with torch.inference_mode():
        return model(torch.arange(3, 60)[None]).logits[0].double()  # type: ignore[no-any-return]


def error(result: Tensor, truth: Tensor) -> float:
    return float((result - truth).abs().max() / truth.abs().max())


def load_adapted_pair(base: Path, adapter: Path, **settings: Any) -> ModelPair:
    return ModelPair.from_pretrained(base=str(base), aligned_adapter=str(adapter), **({"device": "cpu", "dtype": "float32"} | settings))
