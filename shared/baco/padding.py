"""Padded passes: the same few shapes again and again, over tensors that stay where they are, so that CUDA can record them once.

A pass of R rows and Q tokens each, over the first W positions of the cache, serves every pass that is no larger. Knows slots, positions
and tensors; knows no model and no request.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from baco.cuda import bucket
from baco.packing import Feed, Group, Layout

QUERIES = (1, 2, 3, 4, 6, 8, 16)
"""Tokens of each row. Rows that run ahead are mostly fed one to three (our own choice)."""
MOST_TOKENS = 256
"""A pass with more tokens, padding included, computes long enough to hide what recording saves (our own choice)."""
SMALLEST_WINDOW, LARGEST_STEP = 256, 4096
"""Windows are powers of two, and above the second of these its multiples (our own choice)."""


@dataclass(frozen=True, slots=True)
class PaddedShape:
    """Rows R, tokens of each row Q, and window W."""

    rows: int
    queries: int
    window: int

    @classmethod
    def of(cls, feeds: Sequence[Feed]) -> Self | None:
        """The smallest shape that holds feeds, or None where that is too large."""
        longest = max(len(feed.token_ids) for feed in feeds)
        rows, queries = bucket(feeds[-1].slot + 1), next((count for count in QUERIES if count >= longest), None)
        if queries is None or rows * queries > MOST_TOKENS:
            return None
        return cls(rows, queries, _window(max(feed.end for feed in feeds)))

    def numbers(self, feeds: Sequence[Feed], stride: int) -> list[list[int]]:
        """Each token, its position and its place, [3, R * Q]; what fills up goes where nothing reads."""
        tokens = [0] * (self.rows * self.queries)
        positions = list(tokens)
        places = [row * stride + stride - 1 for row in range(self.rows) for _ in range(self.queries)]
        for feed in feeds:
            first, count = feed.slot * self.queries, len(feed.token_ids)
            tokens[first : first + count] = feed.token_ids
            positions[first : first + count] = range(feed.start, feed.end)
            places[first : first + count] = range(feed.slot * stride + feed.start, feed.slot * stride + feed.end)
        return [tokens, positions, places]

    def indices(self, feeds: Sequence[Feed], wanted: Sequence[int]) -> list[int]:
        """Where tokens stand that are named by their indices among all that is fed."""
        standing = [feed.slot * self.queries + index for feed in feeds for index in range(len(feed.token_ids))]
        return [standing[index] for index in wanted]


class PaddedPass(Layout):
    """A layout over one tensor, which the caller fills before each pass."""

    def __init__(self, shape: PaddedShape, numbers: Tensor, sliding_window: int | None) -> None:
        """Lay out int64 [3, R * Q]."""
        group = Group(
            first=0,
            rows=shape.rows,
            queries=shape.queries,
            window=shape.window,
            gather=None,
            scatter=None,
            span=(0, shape.rows * shape.queries),
            positions=numbers[1].view(shape.rows, shape.queries),
            exact=False,
        )
        super().__init__(numbers, [group], sliding_window)


def _window(length: int) -> int:
    if length > LARGEST_STEP:
        return -(-length // LARGEST_STEP) * LARGEST_STEP
    return max(SMALLEST_WINDOW, bucket(length))
