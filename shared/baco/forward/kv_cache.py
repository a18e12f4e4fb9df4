"""KV cache with one slot per row, each of its own length: for ragged batches, shared prefixes and rollback.

Layers are preallocated tensors `[slots, S + 1, H, D]`. A pass is one sequence of N tokens of any rows; each token is written at its own
(slot, position). The cache does not know the lengths of rows. To roll a row back, its owner computes it again from an earlier position:
that overwrites the old entries, and masks hide those that it has not reached yet. The last position of a slot is never read; padding is
written there. Layers with a sliding window keep all positions too; their window is in the mask. Knows tensors; knows no rows and no
requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

FIRST_CAPACITY = 128
FIRST_SLOTS = 1


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """A copy of the keys and values of n tokens in every layer: one tensor, since many small copies take longer than a large one."""

    values: Tensor
    """`[n, W]`: for each token, the keys of the first layer, its values, the keys of the next one, …"""
    shapes: tuple[torch.Size, ...]
    """`[H, D]` of each of these."""


class SlotLayer(CacheLayerMixin):
    """Keys and values of one attention layer, `[slots, S + 1, H, D]`."""

    def __init__(self, owner: "SlotCache") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate for the shapes of the first pass."""
        slots, stride = self.owner.slots, self.owner.stride
        self.keys = key_states.new_zeros(slots, stride, key_states.shape[1], key_states.shape[3])
        self.values = value_states.new_zeros(slots, stride, value_states.shape[1], value_states.shape[3])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[1, H, N, D]` to the places of the pass's tokens; return the whole layer, `[slots, H, S + 1, D]`."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        places = self.owner.places
        self.keys.flatten(0, 1).index_copy_(0, places, key_states[0].transpose(0, 1))
        self.values.flatten(0, 1).index_copy_(0, places, value_states[0].transpose(0, 1))
        return self.keys.transpose(1, 2), self.values.transpose(1, 2)

    def resize(self, slots: int, stride: int) -> None:
        """Reallocate for another number of slots and positions, and copy what fits."""
        for name in ("keys", "values"):
            old = getattr(self, name)
            if old is not None and old.shape[:2] != (slots, stride):
                held, length = min(slots, old.shape[0]), min(stride, old.shape[1]) - 1
                new = old.new_empty(slots, stride, *old.shape[2:])
                new[:held, :length] = old[:held, :length]
                new[:held, length:], new[held:] = 0, 0  # masked entries are still multiplied, so they must be finite
                setattr(self, name, new)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys, for transformers."""
        return self.owner.capacity, 0

    def get_seq_length(self) -> int:
        """Length of the longest possible row, for transformers; the caller passes positions itself."""
        return self.owner.capacity

    def get_max_length(self) -> int:
        """No limit, for transformers: the layer grows."""
        return -1


class SlotCache(Cache):
    """The KV cache of one model."""

    def __init__(self, num_layers: int, device: torch.device) -> None:
        self.device = device
        self.slots = FIRST_SLOTS
        self.capacity = FIRST_CAPACITY
        self.places = torch.zeros(0, dtype=torch.int64, device=device)
        """Where the N tokens of the next pass are written, int64 [N]: slot * stride + position. Set by whoever runs the pass."""
        self.allocation = 0
        """Counts how often the layers' tensors have been replaced."""
        self.slot_layers = [SlotLayer(self) for _ in range(num_layers)]
        super().__init__(layers=list(self.slot_layers))

    @property
    def stride(self) -> int:
        """Positions of a slot, including the last one, which is never read."""
        return self.capacity + 1

    def reserve(self, slots: int, capacity: int) -> None:
        """Grow to at least so many slots of so many positions."""
        wanted = _grown(self.slots, slots, 32), _grown(self.capacity, capacity, 1024)
        if wanted != (self.slots, self.capacity):
            try:
                self._resize(*wanted)
            except Exception:
                self._resize(self.slots, self.capacity)  # tokens would be written to wrong places in layers of another stride
                raise
            self.slots, self.capacity = wanted

    def shrink(self, slots: int) -> None:
        """Free all but the first `slots` slots."""
        self.slots = max(slots, FIRST_SLOTS)
        self._resize(self.slots, self.capacity)

    def _resize(self, slots: int, capacity: int) -> None:
        self.allocation += 1
        for layer in self.slot_layers:
            layer.resize(slots, capacity + 1)

    def copy_slot(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` positions of a slot to another one."""
        for tensor in self.tensors:
            tensor[target, :length] = tensor[source, :length]

    def take(self, slot: int, start: int, end: int) -> KeptTokens:
        """Copy the positions from `start` to `end` of a slot out. Needs an earlier pass."""
        tensors = self.tensors
        values = torch.cat([tensor[slot, start:end].flatten(1) for tensor in tensors], dim=1)
        return KeptTokens(values, tuple(tensor.shape[2:] for tensor in tensors))

    def put(self, slot: int, parts: Sequence[tuple[KeptTokens, int]]) -> None:
        """Write what `take` returned into a slot, from its first position: the first tokens of each part, one part after the other."""
        pieces = [kept.values[:count] for kept, count in parts]
        rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        shapes = parts[0][0].shapes
        columns = rows.split([shape.numel() for shape in shapes], dim=1)
        held = [column.unflatten(1, shape) for column, shape in zip(columns, shapes, strict=True)]
        for layer, keys, values in zip(self.slot_layers, held[::2], held[1::2], strict=True):
            if not layer.is_initialized:
                layer.lazy_initialization(keys.transpose(0, 1)[None], values.transpose(0, 1)[None])
            assert layer.keys is not None and layer.values is not None
            layer.keys[slot, : len(rows)] = keys
            layer.values[slot, : len(rows)] = values

    @property
    def tensors(self) -> list[Tensor]:
        """Keys and values of all layers; none before the first pass."""
        return [tensor for layer in self.slot_layers for tensor in (layer.keys, layer.values) if tensor is not None]

    @property
    def bytes(self) -> int:
        """Size of the layers in memory."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def release(self) -> None:
        """Free all memory."""
        self.slots, self.capacity = FIRST_SLOTS, FIRST_CAPACITY
        self.allocation += 1
        for layer in self.slot_layers:
            layer.keys = layer.values = None
            layer.is_initialized = False


def _grown(size: int, needed: int, spare: int) -> int:
    return size if needed <= size else max(needed, min(2 * size, needed + spare))
