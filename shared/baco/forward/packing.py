"""Packed passes: N tokens of any rows in one sequence without padding, and their layout by row for attention.

Knows slots, positions and tensors of one pass; knows no model and no request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, groupby
from typing import Literal

import torch
from torch import Tensor

from baco.forward.cuda import upload

LONG_SEGMENT = 16
"""A longer segment is laid out alone, so that no short one is padded to its length (our own choice)."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which earlier positions the tokens of an attention layer see, themselves included."""

    kind: Literal["full", "sliding", "chunked"] = "full"
    """All of them; the last `size`; or those of the same chunk, where chunks of `size` positions follow one another."""
    size: int = 0

    def covers(self, window: int) -> bool:
        """Whether the last of so many positions sees all of them."""
        return self.kind == "full" or window <= self.size


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """The tokens of one row in a pass."""

    slot: int
    start: int
    """Position of the first token in the row."""
    token_ids: Sequence[int]
    num_drafts: int = 0
    """How many of the last tokens are drafts. A state that cannot be rolled back is not kept after them."""

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

    def mask(self, reach: Reach, heads_per_key: int, dtype: torch.dtype) -> Tensor | None:
        """As `causal_mask`; None if every token of the window is visible."""
        if self.rows == 1 and self.queries == 1 and reach.covers(self.window):
            return None
        keys = torch.arange(self.window, device=self.positions.device)
        return causal_mask(self.positions, keys, reach, heads_per_key, dtype)


def causal_mask(positions: Tensor, keys: Tensor, reach: Reach, heads_per_key: int, dtype: torch.dtype) -> Tensor:
    """Additive causal mask [R, 1, heads_per_key * Q, W]: repeated for the query heads that share a key head, as `attend` lays them out.

    `positions`, int64 [R, Q], are those of the queries, and `keys`, int64 [W], those of the keys.
    """
    visible = keys <= positions[:, :, None]
    if reach.kind == "sliding":
        visible &= keys > positions[:, :, None] - reach.size
    elif reach.kind == "chunked":
        visible &= keys // reach.size == positions[:, :, None] // reach.size
    hidden = torch.full(visible.shape, torch.finfo(dtype).min, dtype=dtype, device=visible.device)
    mask = hidden.masked_fill_(visible, 0.0)[:, None]
    return mask if heads_per_key == 1 else mask.repeat(1, 1, heads_per_key, 1)


class PackedPass:
    """The tokens of a pass, their places in the cache, and their layout for attention."""

    def __init__(self, segments: Sequence[Segment], device: torch.device, reaches: Sequence[Reach], stride: int) -> None:
        """Lay out segments, given in the order of their slots; `reaches` are those of the layers, `stride` is `SlotCache.stride`."""
        self.segments = segments
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
        self.extent = segments[-1].slot + 1, max(segment.end for segment in segments)
        """Slots and positions of the cache that any token of the pass sees, counted from the first."""
        self.reaches = reaches
        self._masks: dict[tuple[int, int, int, torch.dtype], Tensor | None] = {}

    def masks_for(self, reach: int, heads_per_key: int, dtype: torch.dtype) -> Iterator[tuple[Group, Tensor | None]]:
        """Yield each group with its additive mask [R, 1, heads_per_key * Q, W] for the reach of this index, computed once per pass."""
        for index, group in enumerate(self.groups):
            key = (index, reach, heads_per_key, dtype)
            if key not in self._masks:
                self._masks[key] = group.mask(self.reaches[reach], heads_per_key, dtype)
            yield group, self._masks[key]

    @cached_property
    def state_groups(self) -> "list[StateGroup]":
        """The tokens by row for layers with a state: first all final ones, then the drafts after them."""
        groups: dict[tuple[bool, bool, int], tuple[list[int], list[list[int]]]] = {}
        start = 0
        for segment in self.segments:
            end = start + len(segment.token_ids)
            drafts = end - segment.num_drafts
            for is_draft, first, last in ((False, start, drafts), (True, drafts, end)):
                if last > first:
                    key = (is_draft, segment.start == 0 and not is_draft, last - first)
                    slots, indices = groups.setdefault(key, ([], []))
                    slots.append(segment.slot)
                    indices.append(list(range(first, last)))
            start = end
        device = self.positions.device
        return [
            StateGroup(upload(slots, device), upload(indices, device), fresh, not is_draft)
            for (is_draft, fresh, _), (slots, indices) in sorted(groups.items(), key=lambda group: group[0])
        ]


@dataclass(frozen=True, slots=True)
class StateGroup:
    """Rows with equally many tokens, which go through a layer with a state in one call: padding would change the state."""

    slots: Tensor
    """int64 [R]"""
    indices: Tensor
    """int64 [R, Q]: the packed index of each token."""
    fresh: bool
    """Whether the tokens are the first of their rows, which have no state yet."""
    keeps: bool
    """Whether the state after these tokens is kept: not after drafts."""


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
