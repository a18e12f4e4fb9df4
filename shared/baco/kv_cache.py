"""Key-value cache with one slot per row, each at its own length: ragged batches, shared prefills and rollback without padding tricks.

Layers are preallocated `[B, H, S, D]` tensors; a pass writes each row's keys and values at that row's own positions and reads the
first `window` entries, and the attention mask hides what a row has not written. Rolling a row back is lowering its length: later
writes overwrite the rest. Sliding layers keep all positions too; their window is in the mask.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

INITIAL_CAPACITY = 128


class SlotLayer(CacheLayerMixin):
    """Keys and values of one attention layer, `[B, H, S, D]`."""

    def __init__(self, owner: "SlotCache") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate for the shapes of the first pass."""
        rows, capacity = self.owner.rows, self.owner.capacity
        self.keys = key_states.new_zeros(rows, key_states.shape[1], capacity, key_states.shape[3])
        self.values = value_states.new_zeros(rows, value_states.shape[1], capacity, value_states.shape[3])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[B, H, Q, D]` at the rows' positions and return the window `[B, H, W, D]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        index = (self.owner.row_index, slice(None), self.owner.positions)  # [B, 1], all heads, [B, Q]
        self.keys[index] = key_states.transpose(1, 2)
        self.values[index] = value_states.transpose(1, 2)
        window = self.owner.window
        return self.keys[:, :, :window], self.values[:, :, :window]

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` positions."""
        if self.keys is not None and self.values is not None:
            extra = capacity - self.keys.shape[2]
            self.keys = torch.nn.functional.pad(self.keys, (0, 0, 0, extra))
            self.values = torch.nn.functional.pad(self.values, (0, 0, 0, extra))

    def select(self, rows: Tensor) -> None:
        """Replace the rows by those at int64 indices [K], which may repeat."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the window, for transformers."""
        return self.owner.window, 0

    def get_seq_length(self) -> int:
        """Length of the longest row, for transformers."""
        return max(self.owner.lengths)

    def get_max_length(self) -> int:
        """No limit: the layer grows."""
        return -1


class SlotCache(Cache):
    """The cache of one model over B rows."""

    def __init__(self, num_layers: int, rows: int, device: torch.device) -> None:
        self.rows = rows
        self.device = device
        self.capacity = INITIAL_CAPACITY
        self.lengths = [0] * rows
        """Tokens held by each row."""
        self.row_index = torch.arange(rows, device=device)[:, None]
        self.positions = torch.zeros(rows, 0, dtype=torch.int64, device=device)
        self.window = 0
        self.slot_layers = [SlotLayer(self) for _ in range(num_layers)]
        super().__init__(layers=list(self.slot_layers))

    def begin(self, query_length: int) -> Tensor:
        """Prepare a pass of `query_length` tokens after each row's end; return their positions, int64 [B, Q]."""
        self.window = max(self.lengths) + query_length
        if self.window > self.capacity:
            self.capacity = max(self.window, 2 * self.capacity)
            for layer in self.slot_layers:
                layer.grow(self.capacity)
        starts = torch.tensor(self.lengths, device=self.device)
        self.positions = starts[:, None] + torch.arange(query_length, device=self.device)
        return self.positions

    def advance(self, counts: list[int]) -> None:
        """Keep the first `counts[row]` tokens of the pass in each row."""
        self.lengths = [length + count for length, count in zip(self.lengths, counts, strict=True)]

    def roll_back(self, row: int, count: int) -> None:
        """Forget the last `count` tokens of a row."""
        assert 0 <= count <= self.lengths[row], "a row cannot forget more than it holds"
        self.lengths[row] -= count

    def select(self, rows: list[int]) -> None:
        """Replace the rows by those at the given indices, which may repeat: n samples of one prefill, or the rows still running."""
        if rows == list(range(self.rows)):
            return
        index = torch.tensor(rows, dtype=torch.int64, device=self.device)
        for layer in self.slot_layers:
            layer.select(index)
        self.rows = len(rows)
        self.lengths = [self.lengths[row] for row in rows]
        self.row_index = torch.arange(self.rows, device=self.device)[:, None]
