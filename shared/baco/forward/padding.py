"""Padded passes: a few shapes over fixed tensors, so that one CUDA graph or compiled program serves many passes.

A shape of R rows with Q tokens each, over the first W positions of the cache, serves every pass that is no larger. Knows slots, positions
and tensors; knows no model and no request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from baco.forward.cuda import bucket
from baco.forward.packing import Reach, Segment, causal_mask

QUERIES = (1, 2, 3, 4, 6, 8, 16)
"""Tokens of each row; with speculation mostly one to three (our own choice)."""
MAX_TOKENS = 256
"""A pass with more tokens, padding included, is not bound by launch overhead (our own choice)."""
MAX_PADDING = 2
"""A tight shape has at most so many times the tokens of its pass (our own choice)."""
MIN_WINDOW, MAX_STEP = 256, 4096
"""Windows are powers of two from the first, and above the second its multiples (our own choice)."""


@dataclass(frozen=True, slots=True)
class PaddedShape:
    """Rows R, tokens of each row Q, and window W."""

    rows: int
    queries: int
    window: int

    @classmethod
    def of(cls, segments: Sequence[Segment], min_queries: int = 1) -> Self | None:
        """The smallest of a few shapes that holds the segments, or None if it is too large."""
        longest = max(min_queries, *(len(segment.token_ids) for segment in segments))
        rows, queries = bucket(segments[-1].slot + 1), next((count for count in QUERIES if count >= longest), None)
        if queries is None or rows * queries > MAX_TOKENS:
            return None
        return cls(rows, queries, _window(max(segment.end for segment in segments)))

    @classmethod
    def tight(cls, segments: Sequence[Segment], min_queries: int = 1) -> Self | None:
        """The smallest possible shape that holds the segments, or None if it is too large or mostly padding."""
        longest = max(min_queries, *(len(segment.token_ids) for segment in segments))
        shape = cls(segments[-1].slot + 1, longest, max(longest, *(segment.end for segment in segments)))
        tokens = sum(len(segment.token_ids) for segment in segments)
        fits = longest <= QUERIES[-1] and shape.rows * longest <= min(MAX_TOKENS, MAX_PADDING * (tokens + 1))
        return shape if fits else None

    def numbers(self, segments: Sequence[Segment], stride: int) -> list[list[int]]:
        """Each token, its position and its place, [3, R * Q]; padding is written where it is never read."""
        tokens = [0] * (self.rows * self.queries)
        positions = list(tokens)
        places = [row * stride + stride - 1 for row in range(self.rows) for _ in range(self.queries)]
        for segment in segments:
            first, count = segment.slot * self.queries, len(segment.token_ids)
            tokens[first : first + count] = segment.token_ids
            positions[first : first + count] = range(segment.start, segment.end)
            places[first : first + count] = range(segment.slot * stride + segment.start, segment.slot * stride + segment.end)
        return [tokens, positions, places]

    def indices(self, segments: Sequence[Segment], wanted: Sequence[int]) -> list[int]:
        """Map indices among the tokens of the segments to indices in the padded pass."""
        padded = [segment.slot * self.queries + index for segment in segments for index in range(len(segment.token_ids))]
        return [padded[index] for index in wanted]


@dataclass(frozen=True, slots=True)
class PaddedPass:
    """The tokens of a pass in tensors."""

    numbers: Tensor
    """int64 [3, R, Q]: each token, its position, and its place in the cache (see `SlotCache`)"""
    keys: Tensor
    """int64 [W]: the positions of the window"""

    @classmethod
    def of(cls, shape: PaddedShape, numbers: Tensor) -> Self:
        """View int64 [3, R * Q], which the caller may overwrite between passes, as a pass."""
        return cls(numbers.view(3, shape.rows, shape.queries), torch.arange(shape.window, device=numbers.device))

    @property
    def token_ids(self) -> Tensor:
        """Each token, int64 [1, R * Q]."""
        return self.numbers[0].view(1, -1)

    @property
    def positions(self) -> Tensor:
        """Of each token, int64 [R * Q]."""
        return self.numbers[1].view(-1)

    @property
    def places(self) -> Tensor:
        """Of each token, int64 [R * Q]."""
        return self.numbers[2].view(-1)

    @property
    def extent(self) -> tuple[int, int]:
        """Slots and positions of the cache that any token of the pass sees, counted from the first."""
        return self.numbers.shape[1], self.keys.shape[0]

    def mask(self, reach: Reach, heads_per_key: int, dtype: torch.dtype) -> Tensor:
        """The additive mask of `causal_mask`."""
        return causal_mask(self.numbers[1], self.keys, reach, heads_per_key, dtype)


def _window(length: int) -> int:
    if length > MAX_STEP:
        return -(-length // MAX_STEP) * MAX_STEP
    return max(MIN_WINDOW, bucket(length))
