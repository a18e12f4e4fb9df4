"""Keys and values of one attention layer, one slot for each row. Knows tensors; knows no rows and no requests."""

from typing import Any, Protocol

from torch import Tensor
from transformers.cache_utils import CacheLayerMixin


class Slots(Protocol):
    """What a layer reads of the cache that it belongs to."""

    slots: int
    capacity: int
    places: Tensor
    """Where the N tokens of the running pass are written, int64 [N]: slot * stride + position."""
    extent: tuple[int, int] | None
    """Slots and positions that the running pass may read, counted from the first; None for all of them."""
    past: Tensor | None
    """For each of the N tokens of the running pass its position less its index, int64 [N]; None where no layer asks for it."""

    @property
    def stride(self) -> int:
        """Positions of a slot, including the last one, which is never read."""


class KeyValueLayer(CacheLayerMixin):
    """Keys and values `[slots, S + 1, H, D]`.

    To roll a row back, its owner computes it again from an earlier position: that overwrites the old entries, and masks hide those that it
    has not reached yet. The last position of a slot is never read; padding is written there.
    """

    def __init__(self, owner: Slots) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate for the shapes of the first pass."""
        slots, stride = self.owner.slots, self.owner.stride
        self.keys = key_states.new_zeros(slots, stride, key_states.shape[1], key_states.shape[3])
        self.values = value_states.new_zeros(slots, stride, value_states.shape[1], value_states.shape[3])
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write `[1, H, N, D]` to the places of the pass's tokens; return what the pass may read, `[slots, H, positions, D]`.

        Not the whole layer, since some models (multi-head latent attention) compute with all that is returned.
        """
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        places = self.owner.places
        self.keys.flatten(0, 1).index_copy_(0, places, key_states[0].transpose(0, 1))
        self.values.flatten(0, 1).index_copy_(0, places, value_states[0].transpose(0, 1))
        keys, values = self.keys, self.values
        if self.owner.extent is not None:
            slots, positions = self.owner.extent
            keys, values = keys[:slots, :positions], values[:slots, :positions]
        return keys.transpose(1, 2), values.transpose(1, 2)

    @property
    def by_position(self) -> list[Tensor]:
        """What it holds for each position, `[slots, S + 1, H, D]`: keys and values; nothing before the first pass."""
        return [tensor for tensor in (self.keys, self.values) if tensor is not None]

    def fill(self, slot: int, keys: Tensor, values: Tensor) -> None:
        """Write keys and values `[n, H, D]` into a slot, from its first position."""
        if not self.is_initialized:
            self.lazy_initialization(keys.transpose(0, 1)[None], values.transpose(0, 1)[None])
        assert self.keys is not None and self.values is not None
        self.keys[slot, : len(keys)] = keys
        self.values[slot, : len(values)] = values

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

    def free(self) -> None:
        """Free the memory."""
        self.keys = self.values = None
        self.is_initialized = False

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the keys, for transformers."""
        return self.owner.capacity, 0

    def get_seq_length(self) -> int | Tensor:  # type: ignore[override]
        """What transformers adds to a token's index to find its position, in the few layers that ask; else no less than any length."""
        return self.owner.capacity if self.owner.past is None else self.owner.past

    def get_max_length(self) -> int:
        """No limit, for transformers: the layer grows."""
        return -1
