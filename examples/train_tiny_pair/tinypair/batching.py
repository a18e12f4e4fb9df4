"""Documents to batches: encode, sort by length, pad, mark what is to be learned."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedTokenizerFast

from tinypair.corpus import aligned_dialogue, base_document
from tinypair.dialogue import Segment, chat_segments

QUESTION_WEIGHT = 0.2
POOL = 1024


@dataclass(frozen=True)
class Encoded:
    """A document as token ids, each with the weight of its loss."""

    token_ids: list[int]
    weights: list[float]


Encode = Callable[[PreTrainedTokenizerFast, random.Random], Encoded]


def encode_segments(tokenizer: PreTrainedTokenizerFast, segments: list[Segment], other_weight: float) -> Encoded:
    """Encode a document after a BOS; answers weigh 1, the rest ``other_weight``."""
    ids, weights = [tokenizer.bos_token_id], [0.0]
    for text, is_answer in segments:
        piece = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        weights += [1.0 if is_answer else other_weight] * len(piece)
    return Encoded(ids, weights)


def encode_base(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Encoded:
    """Draw and encode a document of the base; all of it is learned, questions with less weight than answers."""
    document = encode_segments(tokenizer, base_document(rng), QUESTION_WEIGHT)
    return Encoded([*document.token_ids, tokenizer.eos_token_id], [*document.weights, 1.0])


def encode_aligned(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Encoded:
    """Draw and encode a chat for the aligned model; only the answers and their ends are learned."""
    return encode_segments(tokenizer, chat_segments(aligned_dialogue(rng)), 0.0)


@dataclass(frozen=True)
class Batch:
    """Padded rows: inputs, next-token targets and the weights of their losses, each [rows, length]."""

    inputs: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def pad_batch(rows: list[Encoded], pad_id: int) -> Batch:
    """Pad rows on the right; padding has no weight."""
    length = max(len(row.token_ids) for row in rows)
    ids = torch.full((len(rows), length), pad_id)
    weights = torch.zeros(len(rows), length)
    for i, row in enumerate(rows):
        ids[i, : len(row.token_ids)] = torch.tensor(row.token_ids)
        weights[i, : len(row.token_ids)] = torch.tensor(row.weights)
    return Batch(ids[:, :-1], ids[:, 1:], weights[:, 1:])


def batches(encode: Encode, tokenizer: PreTrainedTokenizerFast, tokens: int, max_length: int, rng: random.Random) -> Iterator[Batch]:
    """Give batches without end, each of rows of like length and about ``tokens`` padded tokens."""
    left: list[Encoded] = []
    while True:
        pool = left + [encode(tokenizer, rng) for _ in range(POOL - len(left))]
        pool = sorted((d for d in pool if len(d.token_ids) <= max_length), key=lambda d: len(d.token_ids))
        groups: list[list[Encoded]] = [[]]
        for document in pool:
            if (len(groups[-1]) + 1) * len(document.token_ids) > tokens:
                groups.append([])
            groups[-1].append(document)
        left = groups.pop()
        if len(left) * 2 > POOL:
            groups, left = [*groups, left], []
        rng.shuffle(groups)
        for group in groups:
            yield pad_batch(group, tokenizer.pad_token_id)
