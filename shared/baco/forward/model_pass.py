"""`ModelPass`: one model's forward pass over its KV cache, from laid-out tokens to next-token logits.

Knows one transformers model and its attention masks; knows nothing of the other model, of routing or of sampling.
"""

import sys
from typing import Self

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.forward.attention import packed_attention
from baco.forward.kv_cache import SlotCache
from baco.forward.packing import FULL_MARK, SLIDING_MARK, PackedPass
from baco.forward.padding import PaddedPass
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
        self.num_layers: int = config.num_hidden_layers
        self.vocab_size = vocab_size
        self.replacement_id = replacement_id
        self.embedding_rows = embedding_rows(model)
        self.mask_form = _mask_form(model)
        self.sliding_window: int | None = getattr(config, "sliding_window", None) if self.mask_form != "full" else None
        self.heads_per_key = config.num_attention_heads // (getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
        self.placeholders = [torch.zeros(1, 1, 1, width, dtype=self.dtype, device=self.device) for width in (FULL_MARK, SLIDING_MARK)]

    @classmethod
    def of(cls, pair: ModelPair, which: Model) -> Self:
        """Passes of a model of a pair. Tokens that it lacks are replaced by its end token, a boundary (our own choice)."""
        return cls(pair.model(which), pair.vocab_size, min(pair.end_ids(which), default=0))

    def __call__(self, layout: PackedPass | PaddedPass, cache: SlotCache, keep: int | Tensor = 0) -> Tensor:
        """Run a pass, and write the tokens' keys and values to the cache.

        `keep` has the indices of the tokens after which logits are wanted, int64 [K]; 0 stands for all tokens. The result is
        float32 [K, V], with -inf for ids that the model lacks.
        """
        cache.places = layout.places
        with packed_attention(self.model, layout if isinstance(layout, PackedPass) else None):
            return self.logits(layout, cache, keep)

    def logits(self, layout: PackedPass | PaddedPass, cache: SlotCache, keep: int | Tensor) -> Tensor:
        """The tensor part of a call, which can be compiled; needs `packed_attention` around it and the cache's `places` set."""
        token_ids = layout.token_ids
        if self.embedding_rows < self.vocab_size:
            token_ids = torch.where(token_ids < self.embedding_rows, token_ids, self.replacement_id)
        output = self.model(
            input_ids=token_ids,
            position_ids=layout.positions[None],
            attention_mask=self._masks(layout),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: Tensor = output.logits[0].float()
        missing = self.vocab_size - logits.shape[-1]
        return torch.nn.functional.pad(logits, (0, missing), value=-torch.inf) if missing else logits

    def _masks(self, layout: PackedPass | PaddedPass) -> Tensor | dict[str, Tensor]:
        """The attention masks in the form that the model takes; in a packed pass placeholders, which `attend` replaces by the real ones."""
        if self.mask_form != "by_layer":
            return self._mask(layout, self.mask_form == "sliding")
        full = self._mask(layout, False)
        return {"full_attention": full, "sliding_attention": full if self.sliding_window is None else self._mask(layout, True)}

    def _mask(self, layout: PackedPass | PaddedPass, slides: bool) -> Tensor:
        if isinstance(layout, PackedPass):
            return self.placeholders[slides]
        return layout.mask(self.sliding_window if slides else None, self.heads_per_key, self.dtype)


def _mask_form(model: PreTrainedModel) -> str:
    """How a model takes explicit masks: "by_layer" (a dict), "sliding" (one, for sliding windows in all layers) or "full" (one)."""
    config = model.config.get_text_config()
    if getattr(config, "layer_types", None) is not None:
        return "by_layer"
    # Some configurations have a sliding window that their model ignores; a model that uses it imports this mask function.
    slides = hasattr(sys.modules[type(model).__module__], "create_sliding_window_causal_mask")
    return "sliding" if slides and getattr(config, "sliding_window", None) is not None else "full"
