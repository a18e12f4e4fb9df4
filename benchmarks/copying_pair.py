"""A pair of real size whose answers copy a passage of their prompt, at the full cost of its layers and its head.

Models with random weights copy nothing. Here the head's row for a token of the passage points along the embedding of the token before it,
which survives to the head since the layers add little to it: after every token of the passage comes the next one, and after the last one
the first. Both models do so and are sure of it, so that a router by probability leaves it all to the aligned one.

Knows transformers; knows nothing of engines, routers or timing.
"""

import math
import random
from itertools import pairwise, product
from pathlib import Path
from string import ascii_lowercase

import torch
from transformers import PreTrainedModel

from benchmarks.random_pair import Shape, build_tokenizer, embedding_of, head_of, perturbed, random_model, save_pair

WORDS = 150
OTHERS = 0.2
"""Spread of the logits of all tokens but the next one of the passage."""
LEAD = 6.0
"""How far the next token's logit is above ln V: e^6 to 1 against all V others together."""


def passage() -> str:
    """Write the passage: different words of two letters, each of which is one token together with the space before it."""
    words = ["".join(letters) for letters in product(ascii_lowercase, repeat=2)]
    return "".join(f" {word}" for word in random.Random(0).sample(words, WORDS))


def copying_prompt(who: str) -> str:
    """Ask for the passage, with the passage; somebody is named first."""
    return f"My {who} made a list of words:{passage()}. Write it once more."


def save_copying_pair(shape: Shape, folder: Path, *, device: torch.device, dtype: torch.dtype, seed: int = 0) -> tuple[str, str]:
    """Make a base and an aligned model that copy, and save them as folders; return the two paths."""
    base = random_model(shape, device=device, dtype=dtype, seed=seed)
    tokenizer = build_tokenizer(shape.vocab_size)
    cycle: list[int] = tokenizer(passage()).input_ids
    assert len(cycle) == len(set(cycle)) == WORDS, "every word is one token, and no other word is the same"
    # The template ends with a line break: the answer begins with the first word.
    starts: list[int] = tokenizer("\n").input_ids
    _teach(base, [*pairwise(cycle), (cycle[-1], cycle[0]), (starts[-1], cycle[0])])
    return save_pair(base, perturbed(base), folder)


def _teach(model: PreTrainedModel, successions: list[tuple[int, int]]) -> None:
    """Fill the head so that after the first token of every pair comes the second."""
    embedding, head = embedding_of(model), head_of(model)
    vocab_size, hidden_size = head.shape
    # What enters the head has a mean square of 1 a column, that is the length sqrt(hidden_size).
    head.normal_(std=OTHERS / math.sqrt(hidden_size))
    margin = math.log(vocab_size) + LEAD
    before, after = (torch.tensor(side, device=head.device) for side in zip(*successions, strict=True))
    directions = embedding[before].float()
    directions = directions / directions.norm(dim=-1, keepdim=True)
    head.index_add_(0, after, (margin / math.sqrt(hidden_size) * directions).to(head.dtype))
