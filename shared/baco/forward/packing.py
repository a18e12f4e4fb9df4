"""Packed passes: N tokens of any rows in one sequence without padding, and their layout by row for attention.

Knows slots, positions and tensors of one pass; knows no model and no request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import torch
from torch import Tensor

from baco.forward.cuda import upload

FULL_MARK, SLIDING_MARK = 1, 2
"""Width of the placeholder mask, which tells `attend` the mask that a layer needs."""
LONG_SEGMENT = 16
"""A longer segment is laid out alone, so that no short one is padded to its length (our own choice)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """The tokens of one row in a pass."""

    slot: int
    start: int
    """Position of the first token in the row."""
    token_ids: Sequence[int]

    @property
    def end(self) -> int:
        """Length of the row after the pass."""
        return self.start + len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are laid out together: slots [first, first + R), each padded to Q tokens."""

    first: int
    rows: int
    queries: int
    window: int
    gather: Tensor | None
    """int64 [R * Q]: the packed index of each laid-out token; None if packed and laid-out order are the same."""
    scatter: Tensor | None
    """int64 [n]: the laid-out index of each packed token of the group; None as for `gather`."""
    span: tuple[int, int]
    """First and last (exclusive) packed index of the group's tokens."""
    positions: Tensor
    """int64 [R, Q]"""

    def mask(self, sliding_window: int | None, heads_per_key: int, dtype: torch.dtype) -> Tensor | None:
        """As `causal_mask`; None if every token of the window is visible."""
        if self.rows == 1 and self.queries == 1 and (sliding_window is None or self.window <= sliding_window):
            return None
        keys = torch.arange(self.window, device=self.positions.device)
        return causal_mask(self.positions, keys, sliding_window, heads_per_key, dtype)


def causal_mask(positions: Tensor, keys: Tensor, sliding_window: int | None, heads_per_key: int, dtype: torch.dtype) -> Tensor:
    """Additive causal mask [R, 1, heads_per_key * Q, W]: repeated for the query heads that share a key head, as `attend` lays them out.

    `positions`, int64 [R, Q], are those of the queries, and `keys`, int64 [W], those of the keys. A token sees the last `sliding_window`
    positions, itself included; None is all of them.
    """
    visible = keys <= positions[:, :, None]
    if sliding_window is not None:
        visible &= keys > positions[:, :, None] - sliding_window
    hidden = torch.full(visible.shape, torch.finfo(dtype).min, dtype=dtype, device=visible.device)
    mask = hidden.masked_fill_(visible, 0.0)[:, None]
    return mask if heads_per_key == 1 else mask.repeat(1, 1, heads_per_key, 1)


class PackedPass:
    """The tokens of a pass, their places in the cache, and their layout for attention."""

    def __init__(self, segments: Sequence[Segment], device: torch.device, sliding_window: int | None, stride: int) -> None:
        """Lay out segments, given in the order of their slots; `stride` is `SlotCache.stride`."""
        self.groups: list[Group] = []
        starts = accumulate((len(segment.token_ids) for segment in segments), initial=0)
        for is_long, neighbours in groupby(zip(segments, starts, strict=False), lambda member: len(member[0].token_ids) > LONG_SEGMENT):
            members = list(neighbours)
            self.groups += [_lay_out(group, device) for group in ([[member] for member in members] if is_long else [members])]
        positions = [position for segment in segments for position in range(segment.start, segment.end)]
        places = [segment.slot * stride + position for segment in segments for position in range(segment.start, segment.end)]
        numbers = [[token for segment in segments for token in segment.token_ids], positions, places]
        uploaded = upload(numbers, device)
        self.token_ids, self.positions, self.places = uploaded[:1], uploaded[1], uploaded[2]
        self.sliding_window = sliding_window
        self._masks: dict[tuple[int, bool, int, torch.dtype], Tensor | None] = {}

    def masks_for(self, slides: bool, heads_per_key: int, dtype: torch.dtype) -> Iterator[tuple[Group, Tensor | None]]:
        """Yield each group with its additive mask [R, 1, heads_per_key * Q, W], computed once per pass."""
        for index, group in enumerate(self.groups):
            key = (index, slides, heads_per_key, dtype)
            if key not in self._masks:
                self._masks[key] = group.mask(self.sliding_window if slides else None, heads_per_key, dtype)
            yield group, self._masks[key]


def _lay_out(members: Sequence[tuple[Segment, int]], device: torch.device) -> Group:
    """Lay out rows; slots in between that have no tokens in the pass get dummy tokens, whose output is dropped."""
    first, last = members[0][0].slot, members[-1][0].slot
    rows = last - first + 1
    queries = max(len(segment.token_ids) for segment, _ in members)
    window = max(segment.end for segment, _ in members)
    span = (members[0][1], members[-1][1] + len(members[-1][0].token_ids))
    uniform = len(members) == rows and all(len(segment.token_ids) == queries for segment, _ in members)
    offsets, gather = [0] * rows, [span[0]] * (rows * queries)
    scatter: list[int] = []
    for segment, start in members:
        row = segment.slot - first
        offsets[row] = segment.start
        count = len(segment.token_ids)
        gather[row * queries : row * queries + count] = range(start, start + count)
        scatter.extend(range(row * queries, row * queries + count))
    return Group(
        first=first,
        rows=rows,
        queries=queries,
        window=window,
        gather=None if uniform else upload(gather, device),
        scatter=None if uniform else upload(scatter, device),
        span=span,
        positions=upload(offsets, device)[:, None] + torch.arange(queries, device=device),
    )
