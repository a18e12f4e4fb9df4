"""A pair of real size with made-up weights, as two folders: speed depends on shapes, and on how often the two models agree.

The weights are random, and shaped so that the two models differ as a trained pair does. A token's embedding lies in one half of the
columns or in the other, and survives to the head, since the layers add little to it. The head is loud in the first half: after most
tokens one continuation stands out. It is quiet in the second half: after the others, the `OPEN` ones, many continuations are about as
likely, and there a router asks the base. The aligned model is the base with noise on every weight, and with far more noise on the quiet
half of the head: it agrees where the base is sure, and goes its own way where the base is open.

Knows transformers; knows nothing of engines, routers or timing.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen3_5TextConfig

TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
"""A chat template that shows the messages alone."""
OPEN = 0.19
"""Share of the tokens after which many continuations are about as likely."""
LOUD, QUIET = 5.0, 0.8
"""Spread of the logits after the other tokens, and after the open ones. In units of sqrt(2 ln V), at which the largest of V independent
Gaussian logits begins to outweigh all others together (the random energy model, Derrida 1981), so that it holds for any vocabulary."""
FAINT_NOISE, QUIET_NOISE, LAYER_NOISE = 0.007, 0.6, 0.05
"""Noise on the aligned model's embedding and the loud half of its head, on the quiet half, and on the layers, in standard deviations of
each weight."""
CONTEXT = 0.05
"""What all layers together add to the embedding, in proportion to it (about)."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of one model, in the terms of Qwen2; of Qwen3.5, with a state in three of four layers, where `linear_heads` is above 0."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    key_value_heads: int
    vocab_size: int
    linear_heads: int = 0
    """Heads of linear attention, each with keys and values of 128 numbers."""


SHAPES = {
    "0.5b": Shape(hidden_size=896, intermediate_size=4864, layers=24, heads=14, key_value_heads=2, vocab_size=32_000),
    "1b": Shape(hidden_size=2048, intermediate_size=8192, layers=16, heads=32, key_value_heads=8, vocab_size=128_256),
    "hybrid-0.3b": Shape(
        hidden_size=1024, intermediate_size=2816, layers=20, heads=8, key_value_heads=2, vocab_size=32_000, linear_heads=8
    ),
    "8b": Shape(hidden_size=4096, intermediate_size=14336, layers=32, heads=32, key_value_heads=8, vocab_size=128_256),
}
"""Qwen2.5-0.5B with a vocabulary of 32,000 tokens instead of 151,936, a model like Qwen3.5 (336 M), Llama 3.2 1B and Llama 3.1 8B."""
QUICK = Shape(hidden_size=256, intermediate_size=512, layers=2, heads=4, key_value_heads=2, vocab_size=4_000)
"""Small enough for a look at whether everything runs."""


def save_random_pair(shape: Shape, folder: Path, *, device: torch.device, dtype: torch.dtype, seed: int = 0) -> tuple[str, str]:
    """Make a base and an aligned model, and save them as folders; return the two paths."""
    base = random_model(shape, device=device, dtype=dtype, seed=seed)
    head_of(base).copy_(_head(base))
    return save_pair(base, perturbed(base), folder)


def random_model(shape: Shape, *, device: torch.device, dtype: torch.dtype, seed: int) -> PreTrainedModel:
    """Make a model whose layers add little to the embedding that they are given; its head is for the caller to fill."""
    torch.manual_seed(seed)
    with device:
        model: PreTrainedModel = AutoModelForCausalLM.from_config(_config(shape), dtype=dtype).eval().requires_grad_(False)
    for name, weight in model.get_decoder().layers.named_parameters():
        if weight.dim() == 2:
            # A layer's answer goes through one of these; over all layers, the answers add up as independent ones do.
            share = CONTEXT / math.sqrt(2 * shape.layers) if any(last in name for last in ("o_proj", "out_proj", "down_proj")) else 1.0
            weight.normal_(std=share / math.sqrt(weight.shape[1]))
    embedding = embedding_of(model)
    embedding.normal_(std=math.sqrt(2))
    is_open = (torch.rand(shape.vocab_size, 1, device=device) < OPEN).expand_as(embedding)
    second_half = (torch.arange(shape.hidden_size, device=device) >= shape.hidden_size // 2).expand_as(embedding)
    embedding.mul_(is_open == second_half)
    return model


def perturbed(base: PreTrainedModel) -> PreTrainedModel:
    """Copy a model, with noise on every weight and most of it on the quiet half of the head."""
    aligned = copy.deepcopy(base)
    for weight in aligned.get_decoder().layers.parameters():
        if weight.dim() == 2:
            _add_noise(weight, LAYER_NOISE)
    loud, quiet = head_of(aligned).chunk(2, dim=1)
    _add_noise(loud, FAINT_NOISE)
    _add_noise(quiet, QUIET_NOISE)
    _add_noise(embedding_of(aligned), FAINT_NOISE)
    return aligned


def save_pair(base: PreTrainedModel, aligned: PreTrainedModel, folder: Path) -> tuple[str, str]:
    """Save two models with one tokenizer, as folders that anybody can load."""
    tokenizer = build_tokenizer(base.config.vocab_size)
    paths = []
    for name, model in (("base", base), ("aligned", aligned)):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        paths.append(str(folder / name))
    return paths[0], paths[1]


def embedding_of(model: PreTrainedModel) -> Tensor:
    """The embedding [V, H]."""
    weight = model.get_input_embeddings().weight
    assert isinstance(weight, Tensor)
    return weight


def head_of(model: PreTrainedModel) -> Tensor:
    """The output head [V, H]."""
    weight: Tensor = model.get_output_embeddings().weight
    return weight


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
    """Yield merges that make tokens of two letters, then of three, then of more; many begin with a space, since words are short."""
    pairs = list(product("Ġ" + ascii_lowercase, ascii_lowercase))
    syllables = [left + right for left, right in pairs]
    starts, inner = syllables[: len(ascii_lowercase)], syllables[len(ascii_lowercase) :]
    yield from pairs
    yield from product(syllables, ascii_lowercase)
    yield from product(starts, inner)
    longer_starts = (start + letter for start, letter in product(starts, ascii_lowercase))
    yield from chain.from_iterable(zip(product(longer_starts, inner), product(inner, inner), strict=True))


def _head(model: PreTrainedModel) -> Tensor:
    """Draw a head: loud in the first half of the columns, quiet in the second."""
    head = torch.randn_like(head_of(model))
    vocab_size, hidden_size = head.shape
    # What enters the head has a mean square of 1 a column, so a head of this standard deviation spreads the logits by 1 unit.
    unit = math.sqrt(2 * math.log(vocab_size) / hidden_size)
    loud, quiet = head.chunk(2, dim=1)
    loud.mul_(LOUD * unit)
    quiet.mul_(QUIET * unit)
    return head


def _add_noise(weight: Tensor, amount: float) -> None:
    """Add noise to a matrix in place, in standard deviations of its values."""
    weight.add_(torch.randn_like(weight) * (weight.float().std() * amount).to(weight.dtype))


def _config(shape: Shape) -> PreTrainedConfig:
    common: dict[str, Any] = {
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    if not shape.linear_heads:
        return Qwen2Config(**common)
    layer_types = ["full_attention" if index % 4 == 3 else "linear_attention" for index in range(shape.layers)]
    heads: dict[str, Any] = {"linear_num_key_heads": shape.linear_heads, "linear_num_value_heads": shape.linear_heads}
    return Qwen3_5TextConfig(**common, **heads, layer_types=layer_types, head_dim=shape.hidden_size // shape.heads)
