"""A pair of real size with random weights, built in memory: speed depends on shapes, not on what the weights say.

Knows transformers and `ModelPair`; knows nothing of timing.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from string import ascii_lowercase

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config

from baco import ModelPair
from baco.loading import resolve_device, resolve_dtype

TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
PEAKEDNESS = 8.0
"""Factor on the logits. Random weights alone give an almost uniform distribution, with which a router never has a choice to make."""
DIFFERENCE = 0.1
"""Noise on every weight of the aligned model, in standard deviations of that weight."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of one model, in the terms of Qwen2."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    key_value_heads: int
    vocab_size: int


QWEN2_0_5B = Shape(hidden_size=896, intermediate_size=4864, layers=24, heads=14, key_value_heads=2, vocab_size=32_000)
"""Qwen2.5-0.5B, with a vocabulary of 32,000 tokens instead of 151,936."""
QUARTER = Shape(hidden_size=896, intermediate_size=4864, layers=6, heads=14, key_value_heads=2, vocab_size=32_000)
"""The same with a quarter of the layers."""


def build_random_pair(shape: Shape, device: str = "auto", seed: int = 0) -> ModelPair:
    """Build a base model with random weights, and an aligned one that is the base with noise on every weight."""
    torch.manual_seed(seed)
    place = resolve_device(device)
    dtype = resolve_dtype("auto", place, shape.hidden_size)
    base = AutoModelForCausalLM.from_config(_config(shape), dtype=dtype).to(place).eval().requires_grad_(False)
    base.get_decoder().norm.weight.mul_(PEAKEDNESS)
    aligned = copy.deepcopy(base)
    for weight in aligned.parameters():
        if weight.dim() > 1:
            weight.add_(torch.randn_like(weight) * weight.float().std() * DIFFERENCE)
    return ModelPair.from_models(base, aligned, build_tokenizer(shape.vocab_size), name="random weights")


def parameters(model: PreTrainedModel) -> int:
    """Number of a model's parameters, shared ones counted once."""
    return sum(weight.numel() for weight in model.parameters())


def build_tokenizer(vocab_size: int) -> PreTrainedTokenizerFast:
    """Build a byte-level BPE tokenizer of syllables: the bytes and the shortest syllables, `vocab_size` tokens in all."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(islice(_merges(), vocab_size - len(alphabet) - 1))
    vocabulary = [*alphabet, *(left + right for left, right in merges)]
    backend = Tokenizer(BPE(vocab={token: index for index, token in enumerate(vocabulary)}, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken("<s>", special=True)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<s>", chat_template=TEMPLATE)


def _merges() -> Iterator[tuple[str, str]]:
    """Yield merges that make tokens of two letters, then of three, then of four, of which the first may be a space."""
    pairs = list(product("Ġ" + ascii_lowercase, ascii_lowercase))
    syllables = [left + right for left, right in pairs]
    yield from pairs
    yield from product(syllables, ascii_lowercase)
    yield from product(syllables, syllables[len(ascii_lowercase) :])


def _config(shape: Shape) -> Qwen2Config:
    return Qwen2Config(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        vocab_size=shape.vocab_size,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
