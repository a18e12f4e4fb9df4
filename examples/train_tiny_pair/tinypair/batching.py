"""Documents to batches: encode, pack into rows of a few fixed lengths, mark what is to be learned.

Several documents share a row, each with positions of its own, and none sees another. Few shapes mean few compilations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedTokenizerFast

from tinypair.corpus import aligned_dialogue, base_document
from tinypair.dialogue import Segment, chat_segments
from tinypair.source import Source

QUESTION_WEIGHT = 0.2
ROW_LENGTHS = (256, 512, 1024)
REPEATS_SHARE = 0.08
"""Share of the base's documents that are random tokens, repeated."""
OPEN_ROWS = 3
"""A batch is given when so many times its rows are begun; the fullest go."""


@dataclass(frozen=True)
class Encoded:
    """A document as token ids, each with the weight of its loss."""

    token_ids: list[int]
    weights: list[float]


Encode = Callable[[PreTrainedTokenizerFast, Source], Encoded]


def encode_segments(tokenizer: PreTrainedTokenizerFast, segments: list[Segment], other_weight: float) -> Encoded:
    """Encode a document after a BOS; answers weigh 1, the rest ``other_weight``."""
    ids, weights = [tokenizer.bos_token_id], [0.0]
    for text, is_answer in segments:
        piece = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        ids += piece
        weights += [1.0 if is_answer else other_weight] * len(piece)
    return Encoded(ids, weights)


def encode_repeats(tokenizer: PreTrainedTokenizerFast, source: Source) -> Encoded:
    """Draw random tokens of the whole vocabulary, and write them again and again; only the repetitions are learned.

    Copying must work for every token, those too that the world's texts only use in a few places.
    """
    ordinary = range(len(tokenizer.all_special_ids), len(tokenizer))
    unit = [source.rng.choice(ordinary) for _ in range(source.rng.randint(3, 24))]
    times = source.rng.randint(2, 4)
    return Encoded([tokenizer.bos_token_id, *unit * times], [0.0] * (len(unit) + 1) + [1.0] * (len(unit) * (times - 1)))


def encode_base(tokenizer: PreTrainedTokenizerFast, source: Source) -> Encoded:
    """Draw and encode a document of the base; all of it is learned, questions with less weight than answers."""
    if source.rng.random() < REPEATS_SHARE:
        return encode_repeats(tokenizer, source)
    document = encode_segments(tokenizer, base_document(source), QUESTION_WEIGHT)
    return Encoded([*document.token_ids, tokenizer.eos_token_id], [*document.weights, 1.0])


def encode_aligned(tokenizer: PreTrainedTokenizerFast, source: Source) -> Encoded:
    """Draw and encode a chat for the aligned model; only the answers and their ends are learned."""
    return encode_segments(tokenizer, chat_segments(aligned_dialogue(source)), 0.0)


@dataclass(frozen=True)
class Batch:
    """Rows of packed documents, each tensor [rows, length]: tokens, next tokens, weights of their losses, positions, document numbers."""

    inputs: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    positions: torch.Tensor
    documents: torch.Tensor


@dataclass
class Row:
    """A row that is being filled."""

    documents: list[Encoded] = field(default_factory=list)
    used: int = 0

    def add(self, document: Encoded) -> None:
        """Put a document behind the others."""
        self.documents.append(document)
        self.used += len(document.token_ids)


def pack(rows: list[Row], length: int, pad_id: int) -> Batch:
    """Make a batch of filled rows. Padding is a document of its own without weight; so is no first token a target."""
    shape = (len(rows), length)
    ids, positions, documents = torch.full(shape, pad_id), torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    weights = torch.zeros(shape)
    for i, row in enumerate(rows):
        start = 0
        for number, document in enumerate(row.documents, 1):
            end = start + len(document.token_ids)
            ids[i, start:end] = torch.tensor(document.token_ids)
            weights[i, start:end] = torch.tensor(document.weights)
            positions[i, start:end] = torch.arange(end - start)
            documents[i, start:end] = number
            start = end
    targets, next_weights = ids.roll(-1, 1), weights.roll(-1, 1)
    next_weights[:, -1] = 0
    return Batch(ids, targets, next_weights, positions, documents)


def batches(encode: Encode, tokenizer: PreTrainedTokenizerFast, tokens: int, source: Source) -> Iterator[Batch]:
    """Give batches of ``tokens`` tokens without end; a document longer than the longest row is left out."""
    begun: dict[int, list[Row]] = {length: [] for length in ROW_LENGTHS}
    while True:
        document = encode(tokenizer, source)
        length = next((each for each in ROW_LENGTHS if len(document.token_ids) <= each), None)
        if length is None:
            continue
        rows = begun[length]
        row = next((each for each in rows if each.used + len(document.token_ids) <= length), None)
        if row is None:
            row = Row()
            rows.append(row)
        row.add(document)
        size = tokens // length
        if len(rows) > OPEN_ROWS * size:
            rows.sort(key=lambda each: each.used, reverse=True)
            yield pack(rows[:size], length, tokenizer.pad_token_id)
            del rows[:size]
