"""Attention over a pass of many rows: each token attends to its own row's slot up to its own position.

Linear layers see N tokens in one sequence; only here are they laid out by row. Registered in transformers' attention interface, so it
serves every model whose attention uses that. Knows layouts, queries, keys and values; knows no tokens and no cache.
"""

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from baco.forward.packing import Group, PackedPass

NAME = "baco_packed"

Attention = Callable[[Tensor, Tensor, Tensor, Tensor | None, float | None], Tensor]
"""Attention of queries [R, Hq, Q, D] over keys and values [R, Hk, W, D], with an additive mask and a scaling factor."""


class _Current(threading.local):
    kind: Literal["packed", "padded"] | None = None
    """The layout of the running pass; None outside of one."""
    layout: PackedPass | None = None
    """The running packed pass; a padded one is described by its mask, so that a compiled pass reads nothing here."""
    inner: Callable[..., Any] | None = None
    """The attention function that the model is configured with; None for torch's own."""
    eager: Callable[..., Any] | None = None
    """The model's own eager attention function."""


_current = _Current()


@dataclass(slots=True)
class _Switch:
    """The attention that a configuration has outside of passes, and how many passes use it now."""

    own: str
    passes: int = 0


_switches: dict[int, _Switch] = {}
"""By the identity of the configuration, which several models may share; removed with it. Guarded by `_switching`."""
_switching = threading.Lock()


@contextmanager
def packed_attention(model: PreTrainedModel, layout: PackedPass | None) -> Iterator[None]:
    """Set a model's attention to `attend` inside the block, for this thread; other threads see the model unchanged.

    `layout` is None for a padded pass, which is described by the model's attention mask.
    """
    configs = list({id(c): c for c in (model.config, model.config.get_text_config())}.values())
    with _switching:
        own = [_switch_on(config).own for config in configs][-1]
    eager = _eager(type(model))
    _current.kind = "padded" if layout is None else "packed"
    _current.layout, _current.eager = layout, eager
    _current.inner = None if own == "sdpa" else ALL_ATTENTION_FUNCTIONS.get_interface(own, eager)  # type: ignore[arg-type]
    try:
        yield
    finally:
        _current.kind = _current.layout = _current.inner = _current.eager = None
        with _switching:
            for config in configs:
                _switch_off(config)


def _switch_on(config: PreTrainedConfig) -> _Switch:
    switch = _switches.get(id(config))
    if switch is None:
        switch = _switches[id(config)] = _Switch(config._attn_implementation)
        weakref.finalize(config, _switches.pop, id(config), None)
    if switch.passes == 0:
        switch.own = config._attn_implementation
        config._attn_implementation_internal = NAME
    switch.passes += 1
    return switch


def _switch_off(config: PreTrainedConfig) -> None:
    switch = _switches[id(config)]
    switch.passes -= 1
    if switch.passes == 0:
        config._attn_implementation_internal = switch.own


def _eager(owner: type) -> Callable[..., Any] | None:
    return getattr(sys.modules[owner.__module__], "eager_attention_forward", None)


def attend(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, scaling: float | None = None, **kwargs: Any
) -> tuple[Tensor, None]:
    """Attention of one layer in transformers' interface: [1, N, Hq, D] for queries [1, Hq, N, D], and None for the weights.

    `key` and `value` are the whole layer of the cache, [slots, Hk, S, D]; Hq is a multiple of Hk. The mask of a padded pass is
    [R, 1, Hq / Hk * Q, W]; that of a packed one is a placeholder, whose width is the number of the layer's reach, counted from 1.
    """
    if _current.kind is None:  # another thread uses the model while a pass runs
        own = ALL_ATTENTION_FUNCTIONS.get_interface(_switches[id(module.config)].own, _eager(type(module)))  # type: ignore[arg-type]
        return own(module, query, key, value, attention_mask, scaling=scaling, **kwargs)  # type: ignore[no-any-return]
    # torch's attention supports neither soft-capped scores nor attention sinks.
    inner = _current.eager if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None else _current.inner
    attention = _by_key_heads if inner is None else partial(_by_heads, partial(inner, module, **kwargs))
    tokens = query[0].transpose(0, 1)  # [N, Hq, D]
    if _current.kind == "padded":
        rows, window = attention_mask.shape[0], attention_mask.shape[3]
        mask = attention_mask if inner is None else attention_mask[:, :, : tokens.shape[0] // rows]
        return _by_row(attention, tokens, rows, key[:, :, :window], value[:, :, :window], mask, scaling)[None], None
    assert _current.layout is not None, "a packed pass has a layout"
    heads_per_key = tokens.shape[1] // key.shape[1] if inner is None else 1
    masks = _current.layout.masks_for(attention_mask.shape[-1] - 1, heads_per_key, query.dtype)
    pieces = [_of_group(attention, tokens, group, key, value, mask, scaling) for group, mask in masks]
    return (pieces[0] if len(pieces) == 1 else torch.cat(pieces))[None], None


def _of_group(
    attention: Attention, tokens: Tensor, group: Group, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    """Attention [n, Hq, D] of the n tokens of a group."""
    mine = tokens[group.span[0] : group.span[1]] if group.gather is None else tokens.index_select(0, group.gather)
    keys, values = (whole[group.first :, :, : group.window] for whole in (key, value))
    output = _by_row(attention, mine, group.rows, keys, values, mask, scaling)
    return output if group.scatter is None else output.index_select(0, group.scatter)


def _by_row(
    attention: Attention, tokens: Tensor, rows: int, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    """Attention [R * Q, Hq, D] of tokens [R * Q, Hq, D] of the first R of all rows [.., Hk, W, D]."""
    laid_out = tokens.view(rows, -1, *tokens.shape[1:]).transpose(1, 2)  # [R, Hq, Q, D]
    output = attention(laid_out, key[:rows], value[:rows], mask, scaling)
    return output.transpose(1, 2).reshape(*tokens.shape[:2], value.shape[-1])


def _by_heads(inner: Callable[..., Any], query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Attention [R, Hq, Q, D] by an attention function of transformers."""
    output: Tensor = inner(query, key, value, mask, scaling=scaling)[0]
    return output.transpose(1, 2)


def _by_key_heads(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None) -> Tensor:
    """Attention [R, Hq, Q, D]: query heads that share a key head become more queries of it, so that no key is copied."""
    rows, heads, queries, width = query.shape
    shared = query.reshape(rows, key.shape[1], -1, width)
    output = scaled_dot_product_attention(shared, key, value, attn_mask=mask, scale=scaling)
    return output.reshape(rows, heads, queries, value.shape[-1])


def _mask(*args: Any, config: PreTrainedConfig, **kwargs: Any) -> Any:
    """The mask for another thread that uses the model while a pass runs; passes bring their own."""
    return ALL_MASK_ATTENTION_FUNCTIONS[_switches[id(config)].own](*args, config=config, **kwargs)


ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, _mask)
