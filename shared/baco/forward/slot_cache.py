"""The cache of one model with one slot per row, each of its own length: for ragged batches, shared prefixes and rollback.

A pass is one sequence of N tokens of any rows. Layers with attention keep keys and values by position, so that a row can go on from any
earlier position (`KeyValueLayer`); layers with a state keep it at one position only (`StateLayer`). A model may have both, and the decode
loop does not know which: it asks from where a slot can go on (`resume`) and how far a pass has brought it (`computed`). Layers with a
sliding window keep all positions too; their window is in the mask. Knows tensors; knows no rows and no requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DummyLayer, LinearAttentionCacheLayerMixin

from baco.forward.kv_layer import KeyValueLayer
from baco.forward.packing import Segment
from baco.forward.state_layer import HybridLayer, StateLayer, States
from baco.models.layer_kinds import LayerKind

FIRST_CAPACITY = 128
FIRST_SLOTS = 1


@dataclass(frozen=True, slots=True)
class KeptTokens:
    """A copy of the keys and values of n tokens in every layer."""

    values: Tensor
    """`[n, W]`: for each token, the keys of the first layer, its values, the keys of the next one, …: one tensor, since many small copies
    take longer than a large one."""
    shapes: tuple[torch.Size, ...]
    """`[H, D]` of each of these."""


KeptStates = tuple[States, ...]
"""A copy of a row's states at one position, of each layer that has some."""


class SlotCache(Cache):
    """The cache of one model."""

    def __init__(self, kinds: Sequence[LayerKind], device: torch.device) -> None:
        """Make a cache for layers of these kinds."""
        self.device = device
        self.slots = FIRST_SLOTS
        self.capacity = FIRST_CAPACITY
        self.places = torch.zeros(0, dtype=torch.int64, device=device)
        """Where the N tokens of the next pass are written, int64 [N]: slot * stride + position. Set by whoever runs the pass."""
        self.extent: tuple[int, int] | None = None
        """Slots and positions that the next pass may read, counted from the first; None for all of them. Set as `places`."""
        self.past: Tensor | None = None
        """Of each token of the next pass its position less its index, int64 [N]; None where no layer asks for it. Set as `places`."""
        self.allocation = 0
        """Counts how often the layers' tensors have been replaced."""
        layers: list[CacheLayerMixin | LinearAttentionCacheLayerMixin | DummyLayer] = [self._layer(kind) for kind in kinds]
        self.key_value_layers = [layer for layer in layers if isinstance(layer, KeyValueLayer)]
        self.state_layers = [layer for layer in layers if isinstance(layer, StateLayer)]
        self._held_layers = [layer for layer in layers if isinstance(layer, KeyValueLayer | StateLayer)]
        self._stands_at: dict[int, int] = {}
        """Of each slot, the position at which its states stand; absent where that is not known."""
        super().__init__(layers=layers)

    def _layer(self, kind: LayerKind) -> KeyValueLayer | StateLayer | DummyLayer:
        if kind.has_state:
            return (HybridLayer if kind.has_attention else StateLayer)(self, kind.number_of_states)
        return KeyValueLayer(self) if kind.has_attention else DummyLayer()

    @property
    def stride(self) -> int:
        """Positions of a slot, including the last one, which is never read."""
        return self.capacity + 1

    @property
    def rolls_back(self) -> bool:
        """Whether a slot can go on from any earlier position."""
        return not self.state_layers

    def resume(self, slot: int, length: int) -> int:
        """From which position a slot that has computed `length` tokens can go on, at most `length`; 0 is the beginning."""
        return length if self.rolls_back or self._stands_at.get(slot) == length else 0

    def begin(self, segments: Sequence[Segment]) -> None:
        """Begin a pass over segments. If it fails, the rows of a model with states must be computed again from their beginning."""
        if not self.rolls_back:
            for segment in segments:
                stands_at = self._stands_at.pop(segment.slot, 0) if segment.start else 0
                assert stands_at == segment.start, f"the states of slot {segment.slot} stand at {stands_at}, not at {segment.start}"

    def computed(self, segment: Segment) -> int:
        """Note that a segment has been computed; return the length from which its row goes on: drafts count only where they roll back."""
        if self.rolls_back:
            return segment.end
        self._stands_at[segment.slot] = segment.end - segment.num_drafts
        return self._stands_at[segment.slot]

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
        for layer in self._held_layers:
            layer.resize(slots, capacity + 1)

    def copy_slot(self, source: int, target: int, length: int) -> int:
        """Copy the first `length` positions of a slot to another one; return how many of them the other one can go on from.

        These are fewer where states stand at an earlier position, and none where they stand at a later one.
        """
        if not self.rolls_back:
            stands_at = self._stands_at.get(source, 0)
            length = stands_at if stands_at <= length else 0
            self._stands_at[target] = length
        if length:
            for tensor in self.by_position:
                tensor[target, :length] = tensor[source, :length]
            for state in self.states:
                state[target] = state[source]
        return length

    def take(self, slot: int, start: int, end: int) -> KeptTokens:
        """Copy the positions from `start` to `end` of a slot out. Needs an earlier pass."""
        tensors = self.by_position
        columns = [tensor[slot, start:end].flatten(1) for tensor in tensors] or [torch.zeros(end - start, 0, device=self.device)]
        return KeptTokens(torch.cat(columns, dim=1), tuple(tensor.shape[2:] for tensor in tensors))

    def take_states(self, slot: int, length: int) -> KeptStates:
        """Copy the states of a slot out, which must stand at `length`."""
        assert self.resume(slot, length) == length, "the states stand elsewhere"
        return tuple(layer.take(slot) for layer in self.state_layers)

    def put(self, slot: int, parts: Sequence[tuple[KeptTokens, int]], states: KeptStates = ()) -> None:
        """Write what `take` returned into a slot, from its first position: the first tokens of each part, one part after the other.

        `states` are those after the last token.
        """
        pieces = [kept.values[:count] for kept, count in parts]
        rows = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        shapes = parts[0][0].shapes
        columns = rows.split([shape.numel() for shape in shapes], dim=1)
        held = [column.unflatten(1, shape) for column, shape in zip(columns, shapes, strict=True)]
        for layer, keys, values in zip(self.key_value_layers, held[::2], held[1::2], strict=True):
            layer.fill(slot, keys, values)
        for state_layer, mine in zip(self.state_layers, states, strict=True):
            state_layer.put(slot, mine)
        self._stands_at[slot] = len(rows)

    @property
    def by_position(self) -> list[Tensor]:
        """Keys and values of all layers; none before the first pass."""
        return [tensor for layer in self.key_value_layers for tensor in layer.by_position]

    @property
    def states(self) -> list[Tensor]:
        """States of all layers, `[slots, …]`; none before the first pass."""
        return [state for layer in self.state_layers for state in layer.kept.values()]

    @property
    def tensors(self) -> list[Tensor]:
        """All that the layers hold; nothing before the first pass."""
        return [*self.by_position, *self.states]

    @property
    def bytes(self) -> int:
        """Size of the layers in memory."""
        return sum(tensor.nbytes for tensor in self.tensors)

    def release(self) -> None:
        """Free all memory."""
        self.slots, self.capacity = FIRST_SLOTS, FIRST_CAPACITY
        self.allocation += 1
        self._stands_at.clear()
        for layer in self._held_layers:
            layer.free()


def _grown(size: int, needed: int, spare: int) -> int:
    return size if needed <= size else max(needed, min(2 * size, needed + spare))
