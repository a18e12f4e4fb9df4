"""`ModelPass`: one model's forward pass over its cache, from laid-out tokens to next-token logits.

Knows one transformers model and its attention masks; knows nothing of the other model, of routing or of sampling.
"""

import inspect
import sys
from typing import Any, Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.forward.attention import packed_attention
from baco.forward.mixers import lay_out_by_row, running_mixers
from baco.forward.packing import PackedPass, Reach
from baco.forward.padding import PaddedPass
from baco.forward.slot_cache import SlotCache
from baco.models.layer_kinds import layer_kinds
from baco.models.loading import embedding_rows
from baco.models.pair import ModelPair
from baco.results import Model


class ModelPass:
    """Passes of one model. Ids beyond its embedding (chat tokens that only the other model has) are replaced by `replacement_id`."""

    def __init__(self, model: PreTrainedModel, vocab_size: int, replacement_id: int) -> None:
        config = model.config.get_text_config()
        self.model = model
        self.device = model.device  # a search through all modules in transformers
        self.dtype = model.dtype
        self.kinds = layer_kinds(config)
        self.has_states = any(kind.has_state for kind in self.kinds)
        self.vocab_size = vocab_size
        self.replacement_id = replacement_id
        self.embedding_rows = embedding_rows(model)
        heads = getattr(config, "num_attention_heads", 1)
        self.heads_per_key = heads // (getattr(config, "num_key_value_heads", None) or heads)
        self._masks_by_layer = getattr(config, "layer_types", None) is not None
        self.reaches = _reaches(model, self._masks_by_layer)
        self._reach_of = _reach_of_layers(self.reaches)
        self._placeholders = [torch.zeros(1, 1, 1, 1 + index, dtype=self.dtype, device=self.device) for index in range(len(self.reaches))]
        # Models with states alone have no positions, and another name for their cache.
        self._has_positions = "cache_params" not in inspect.signature(type(model).forward).parameters
        self._asks_cache_for_positions = getattr(config, "attn_temperature_tuning", None) is not None  # Llama 4
        if self.has_states:
            lay_out_by_row(model)

    @classmethod
    def of(cls, pair: ModelPair, which: Model) -> Self:
        """Passes of a model of a pair. Tokens that it lacks are replaced by its end token, a boundary (our own choice)."""
        return cls(pair.model(which), pair.vocab_size, min(pair.end_ids(which), default=0))

    def __call__(self, layout: PackedPass | PaddedPass, cache: SlotCache, keep: int | Tensor = 0) -> Tensor:
        """Run a pass, and write the tokens' keys and values to the cache.

        `keep` has the indices of the tokens after which logits are wanted, int64 [K]; 0 stands for all tokens. The result is
        float32 [K, V], with -inf for ids that the model lacks.
        """
        cache.places, cache.extent, cache.past = layout.places, layout.extent, self.past(layout)
        packed = layout if isinstance(layout, PackedPass) else None
        with packed_attention(self.model, packed), running_mixers(cache, packed):
            return self.logits(layout, cache, keep)

    def past(self, layout: PackedPass | PaddedPass) -> Tensor | None:
        """What `SlotCache.past` is to be in a pass."""
        if not self._asks_cache_for_positions:
            return None
        return layout.positions - torch.arange(len(layout.positions), device=self.device)

    def logits(self, layout: PackedPass | PaddedPass, cache: SlotCache, keep: int | Tensor) -> Tensor:
        """The tensor part of a call, which can be compiled; needs `packed_attention` around it and the cache's `places` set."""
        token_ids = layout.token_ids
        if self.embedding_rows < self.vocab_size:
            token_ids = torch.where(token_ids < self.embedding_rows, token_ids, self.replacement_id)
        arguments: dict[str, Any] = {
            "past_key_values" if self._has_positions else "cache_params": cache,
            "use_cache": True,
            "logits_to_keep": keep,
        }
        if self._has_positions:
            arguments |= {"position_ids": layout.positions[None], "attention_mask": self._masks(layout)}
        output = self.model(input_ids=token_ids, **arguments)
        logits: Tensor = output.logits[0].float()
        missing = self.vocab_size - logits.shape[-1]
        return torch.nn.functional.pad(logits, (0, missing), value=-torch.inf) if missing else logits

    def _masks(self, layout: PackedPass | PaddedPass) -> Tensor | dict[str, Tensor | None]:
        """The attention masks in the form that the model takes; in a packed pass placeholders, which `attend` replaces by the real ones."""
        if not self._masks_by_layer:
            return self._mask(layout, len(self.reaches) - 1)
        masks: list[Tensor] = [self._mask(layout, index) for index in range(len(self.reaches))]
        # Layers with a state see no padding, which is all that their mask would tell.
        return {name: masks[index] for name, index in self._reach_of.items()} | dict.fromkeys(("linear_attention", "conv"))

    def _mask(self, layout: PackedPass | PaddedPass, reach: int) -> Tensor:
        if isinstance(layout, PackedPass):
            return self._placeholders[reach]
        return layout.mask(self.reaches[reach], self.heads_per_key, self.dtype)


def _reaches(model: PreTrainedModel, by_layer: bool) -> tuple[Reach, ...]:
    """What the attention layers see; the last one is that of all layers, where their masks do not go by layer."""
    config = model.config.get_text_config()
    window, chunk = getattr(config, "sliding_window", None), getattr(config, "attention_chunk_size", None)
    # Some configurations have a sliding window that their model ignores; a model that uses it imports this mask function.
    slides = by_layer or hasattr(sys.modules[type(model).__module__], "create_sliding_window_causal_mask")
    sliding = [Reach("sliding", window)] if slides and window is not None else []
    return (Reach(), *sliding, *([Reach("chunked", chunk)] if by_layer and chunk is not None else []))


def _reach_of_layers(reaches: tuple[Reach, ...]) -> dict[str, int]:
    """The index of the reach of attention layers, by transformers' name of their kind. A window that is not set is no window."""
    indices = {reach.kind: index for index, reach in enumerate(reaches)}
    return {f"{kind}_attention": indices.get(kind, 0) for kind in ("full", "sliding", "chunked")}
