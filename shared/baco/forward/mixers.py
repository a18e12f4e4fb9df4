"""Layers with a state (token mixers: linear attention, state space, short convolution) in packed passes.

A mixer of transformers takes rows of equal length, and padding would change its state. So a packed pass goes through it in groups of rows
with equally many tokens, each in one call; draft tokens come after all final ones, and no state is kept after them. Knows modules, layouts
and the states of a cache; knows no tokens.
"""

import inspect
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from baco.forward.packing import PackedPass
from baco.forward.slot_cache import SlotCache
from baco.forward.state_layer import StateLayer


class _Running(threading.local):
    cache: SlotCache | None = None
    layout: PackedPass | None = None
    """The running packed pass; None outside of one."""


_running = _Running()


@contextmanager
def running_mixers(cache: SlotCache, layout: PackedPass | None) -> Iterator[None]:
    """Let the mixers of this thread's pass run by row inside the block."""
    _running.cache, _running.layout = cache, layout
    try:
        yield
    finally:
        _running.cache = _running.layout = None
        for layer in cache.state_layers:
            layer.drop()


def lay_out_by_row(model: PreTrainedModel) -> None:
    """Make every mixer of a model run by row in packed passes. Outside of them, and in other threads, they are as before."""
    for mixer in mixers(model):
        if not isinstance(vars(mixer).get("forward"), ByRow):
            mixer.forward = ByRow(mixer)


def mixers(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that have a state. In all of transformers' models these have a layer's index and a convolution of their own."""
    return [
        module
        for module in model.modules()
        if hasattr(module, "layer_idx") and any(isinstance(child, nn.Conv1d) for child in module.children())
    ]


class ByRow:
    """The forward function of a mixer. An object, and no closure, since a copy of the model has to get one for its own mixer."""

    def __init__(self, mixer: nn.Module) -> None:
        self.mixer = mixer
        self.one_by_one = _forgets_state(mixer)
        """Whether it takes one token at a time where it goes on from a state."""

    def __call__(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run over `[1, N, H]` of a packed pass, or as the module itself does."""
        cache, layout = _running.cache, _running.layout
        if cache is None or layout is None:
            return type(self.mixer).forward(self.mixer, hidden_states, *args, **kwargs)
        layer = cache.layers[cast(int, self.mixer.layer_idx)]
        assert isinstance(layer, StateLayer), "a mixer's layer has a state"
        packed, output = hidden_states[0], None
        for group in layout.state_groups:
            laid_out = packed[group.indices.flatten()].view(*group.indices.shape, -1)
            layer.lend(None if group.fresh else group.slots)
            mixed = self._mix(layer, laid_out, *args, **{**kwargs, "attention_mask": None})
            if group.keeps:
                layer.take_back(group.slots)
            if output is None:
                output = packed.new_empty(len(packed), mixed.shape[-1])
            output[group.indices.flatten()] = mixed.flatten(0, 1).to(output.dtype)
        assert output is not None, "a pass has tokens"
        return output[None]

    def _mix(self, layer: StateLayer, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Run the module over rows `[R, Q, H]` that go on from the states lent to its layer."""
        own = type(self.mixer).forward
        if not self.one_by_one or not layer.has_previous_state[0]:
            mixed: Tensor = own(self.mixer, hidden_states, *args, **kwargs)
            return mixed
        return torch.cat([own(self.mixer, token, *args, **kwargs) for token in hidden_states.split(1, dim=1)], dim=1)


def _forgets_state(mixer: nn.Module) -> bool:
    """Whether a module drops its state where several tokens go on from it, as those of Mamba 1 do: their scan cannot be given one."""
    scan = getattr(sys.modules[type(mixer).__module__], "mamba_selective_scan", None)
    return scan is not None and not any(name.startswith("initial_state") for name in inspect.signature(scan).parameters)
