"""`ModelRunner`: one model over a slot cache, from token ids to next-token logits.

Knows one transformers model and its attention masks; knows nothing of the other model, of routing or of sampling.
"""

import sys
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.kv_cache import SlotCache
from baco.loading import embedding_rows


class ModelRunner:
    """Runs one model over B rows of different lengths.

    A row's tokens are those it was prefilled with and those that it was fed since; ids beyond the model's embedding are read as
    `replacement_id` (a chat token that only the other model has).
    """

    def __init__(self, model: PreTrainedModel, vocab_size: int, replacement_id: int) -> None:
        config = model.config.get_text_config()
        self.model = model
        self.vocab_size = vocab_size
        self.replacement_id = replacement_id
        self.embedding_rows = embedding_rows(model)
        self.num_layers: int = config.num_hidden_layers
        self.sliding_window: int | None = getattr(config, "sliding_window", None)
        self.mask_form = _mask_form(model)
        self.passes = 0
        self.cache = SlotCache(self.num_layers, 0, model.device)

    @torch.inference_mode()
    def prefill(self, prompts: list[list[int]]) -> Tensor:
        """Read R prompts of any lengths in one pass; return the logits after each, float32 [R, V]."""
        self.cache = SlotCache(self.num_layers, len(prompts), self.model.device)
        longest = max(len(prompt) for prompt in prompts)
        # Padding stands to the right, where no token of its row can see it, and is overwritten by what the row is fed next.
        token_ids = torch.tensor([prompt + [prompt[-1]] * (longest - len(prompt)) for prompt in prompts], device=self.model.device)
        lengths = [len(prompt) for prompt in prompts]
        last = torch.tensor(lengths, device=self.model.device) - 1
        kept, index = last.unique(return_inverse=True)
        logits = self._forward(token_ids, logits_to_keep=kept)  # [R, K, V]
        self.cache.advance(lengths)
        return self._widen(logits[torch.arange(len(prompts), device=self.model.device), index])

    @torch.inference_mode()
    def step(self, token_ids: Tensor) -> Tensor:
        """Feed one token to every row, int64 [B]; return the next logits, float32 [B, V]."""
        logits = self._forward(token_ids[:, None], logits_to_keep=1)
        self.cache.advance([1] * self.cache.rows)
        return self._widen(logits[:, -1])

    def _forward(self, token_ids: Tensor, logits_to_keep: int | Tensor) -> Tensor:
        readable = torch.where(token_ids < self.embedding_rows, token_ids, self.replacement_id)
        positions = self.cache.begin(token_ids.shape[1])
        self.passes += 1
        output = self.model(
            input_ids=readable,
            position_ids=positions,
            attention_mask=self._mask(positions),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=logits_to_keep,
        )
        logits: Tensor = output.logits
        return logits

    def _mask(self, positions: Tensor) -> Any:
        """Additive mask [B, 1, Q, W] in the form that the model takes."""
        keys = torch.arange(self.cache.window, device=positions.device)
        causal = keys <= positions[:, :, None]
        full = self._additive(causal)
        if self.mask_form == "full":
            return full
        if self.sliding_window is None:
            return {"full_attention": full}
        sliding = self._additive(causal & (keys > positions[:, :, None] - self.sliding_window))
        return sliding if self.mask_form == "sliding" else {"full_attention": full, "sliding_attention": sliding}

    def _additive(self, visible: Tensor) -> Tensor:
        dtype = self.model.dtype
        hidden = torch.full(visible.shape, torch.finfo(dtype).min, dtype=dtype, device=visible.device)
        return hidden.masked_fill_(visible, 0.0)[:, None]

    def _widen(self, logits: Tensor) -> Tensor:
        """Bring logits [B, v] to the pair's vocabulary [B, V] in float32; tokens that the model lacks get -inf."""
        return torch.nn.functional.pad(logits.float(), (0, self.vocab_size - logits.shape[-1]), value=-torch.inf)


def _mask_form(model: PreTrainedModel) -> str:
    """How this model takes explicit masks: "by_layer" (a dict), "sliding" (one, all layers slide) or "full" (one)."""
    config = model.config.get_text_config()
    if getattr(config, "layer_types", None) is not None:
        return "by_layer"
    # Some configurations carry a sliding window that their model ignores; a model that heeds it imports this mask function.
    slides = hasattr(sys.modules[type(model).__module__], "create_sliding_window_causal_mask")
    return "sliding" if slides and getattr(config, "sliding_window", None) is not None else "full"
