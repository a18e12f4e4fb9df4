"""The state of one layer without positions (linear attention, state space, short convolution), one slot for each row.

A state stands at one position: it has taken in all tokens before it, and cannot be rolled back. So a layer runs over the final tokens of
the rows, keeps the states, and runs on over draft tokens without keeping what follows. Knows tensors and transformers' cache layers for
states; knows no rows and no requests.
"""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import LinearAttentionCacheLayerMixin

from baco.forward.kv_layer import KeyValueLayer, Slots

NAMES = ("conv_states", "recurrent_states")

States = dict[tuple[str, int], Tensor]
"""States by name and number."""


class StateLayer(LinearAttentionCacheLayerMixin):
    """States `[slots, …]` of one layer, in the types that the model computes them in.

    While a call of the layer runs, the attributes that transformers knows hold the states of that call's rows only.
    """

    is_compileable = False

    def __init__(self, owner: Slots, number_of_states: int) -> None:
        LinearAttentionCacheLayerMixin.__init__(self, number_of_states)
        self.owner = owner
        self.kept: States = {}

    def lazy_initialization(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: states are allocated when the first ones come back."""

    def lend(self, slots: Tensor | None) -> None:
        """Let the layer's next call go on from the states of some slots, int64 [R]; None for rows without tokens."""
        self.drop()
        if slots is not None:
            for (name, index), kept in self.kept.items():
                getattr(self, name)[index] = kept.index_select(0, slots)
        self.has_previous_state = dict.fromkeys(range(self.number_of_states), slots is not None)

    def take_back(self, slots: Tensor) -> None:
        """Keep the states that the layer's call left."""
        for name in NAMES:
            for index, state in getattr(self, name).items():
                if state is not None:
                    self._kept((name, index), state[0]).index_copy_(0, slots, state)

    def _kept(self, key: tuple[str, int], like: Tensor) -> Tensor:
        """The kept state `[slots, …]` of a name and number, allocated where it is the first."""
        if key not in self.kept:
            self.kept[key] = like.new_zeros(self.owner.slots, *like.shape)
        return self.kept[key]

    def take(self, slot: int) -> States:
        """Copy the states of a slot out."""
        return {key: state[slot].clone() for key, state in self.kept.items()}

    def put(self, slot: int, states: States) -> None:
        """Write what `take` returned into a slot."""
        for key, state in states.items():
            self._kept(key, state)[slot] = state

    def drop(self) -> None:
        """Forget what was lent."""
        for name in NAMES:
            setattr(self, name, dict.fromkeys(range(self.number_of_states)))

    def update_conv_state(self, conv_states: Tensor, state_idx: int = 0, conv_kernel_size: int | None = None, **kwargs: Any) -> Tensor:
        """Take the inputs `[R, C, Q]` of a convolution over K positions; return them after the last K before them."""
        size = conv_kernel_size or conv_states.shape[-1]
        before = self.conv_states[state_idx]
        if before is None:
            before = conv_states.new_zeros(*conv_states.shape[:-1], size)
        inputs = torch.cat([before, conv_states], dim=-1)
        self.conv_states[state_idx] = inputs[..., -size:]
        self.has_previous_state[state_idx] = True
        return inputs

    def update_recurrent_state(self, recurrent_states: Tensor, state_idx: int = 0, **kwargs: Any) -> Tensor:
        """Take the state after the last token of each row."""
        self.recurrent_states[state_idx] = recurrent_states
        return recurrent_states

    def resize(self, slots: int, stride: int) -> None:
        """Reallocate for another number of slots, and copy what fits."""
        for key, old in self.kept.items():
            if len(old) != slots:
                new = old.new_zeros(slots, *old.shape[1:])
                new[: len(old)] = old[:slots]
                self.kept[key] = new

    def free(self) -> None:
        """Free the memory."""
        self.kept.clear()
        self.drop()


class HybridLayer(StateLayer, KeyValueLayer):  # type: ignore[override]  # as transformers' own class of this kind does
    """A layer with attention and a state side by side."""

    def __init__(self, owner: Slots, number_of_states: int) -> None:
        KeyValueLayer.__init__(self, owner)
        StateLayer.__init__(self, owner, number_of_states)
        self.keys = self.values = None
        self.is_initialized = False

    def lazy_initialization(self, *args: Any, **kwargs: Any) -> None:
        """Allocate keys and values for the shapes of the first pass."""
        KeyValueLayer.lazy_initialization(self, *args)

    def resize(self, slots: int, stride: int) -> None:
        """Reallocate both."""
        StateLayer.resize(self, slots, stride)
        KeyValueLayer.resize(self, slots, stride)

    def free(self) -> None:
        """Free both."""
        StateLayer.free(self)
        KeyValueLayer.free(self)
