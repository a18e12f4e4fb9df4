"""`ModelRunner`: one model over a slot cache, from packed tokens to next-token logits.

Knows one transformers model and its attention masks; knows nothing of the other model, of routing or of sampling.
"""

import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.attention import packed
from baco.kv_cache import SlotCache
from baco.loading import embedding_rows
from baco.packing import FULL_MARK, SLIDING_MARK, Feed, PackedPass


class ModelRunner:
    """Runs one model over rows of different lengths, each in a slot of the cache.

    Ids beyond the model's embedding are read as `replacement_id` (a chat token that only the other model has).
    """

    def __init__(self, model: PreTrainedModel, vocab_size: int, replacement_id: int) -> None:
        config = model.config.get_text_config()
        self.model = model
        self.vocab_size = vocab_size
        self.replacement_id = replacement_id
        self.embedding_rows = embedding_rows(model)
        self.mask_form = _mask_form(model)
        self.sliding_window: int | None = getattr(config, "sliding_window", None) if self.mask_form != "full" else None
        self.marks = {width: torch.zeros(1, 1, 1, width, dtype=model.dtype, device=model.device) for width in (FULL_MARK, SLIDING_MARK)}
        self.cache = SlotCache(config.num_hidden_layers, model.device)

    @torch.inference_mode()
    def forward(self, feeds: Sequence[Feed], wanted: Sequence[int]) -> Tensor:
        """Feed rows and return the logits behind some of the tokens.

        Args:
            feeds: what each row is fed, in the order of their slots. The cache must have room (`SlotCache.reserve`).
            wanted: indices of tokens within the packed pass, [C].

        Returns:
            float32 [C, V]; tokens that the model lacks get -inf.
        """
        layout = PackedPass(feeds, self.model.device, self.sliding_window)
        token_ids = layout.token_ids
        if self.embedding_rows < self.vocab_size:
            token_ids = torch.where(token_ids < self.embedding_rows, token_ids, self.replacement_id)
        self.cache.begin(layout.slots, layout.positions)
        # Not every layer takes zero rows, so a pass that is asked nothing computes one, for nobody.
        keep: int | Tensor = torch.tensor(wanted or [0], device=self.model.device) if len(wanted) < token_ids.shape[1] else 0
        with packed(self.model, layout):
            output = self.model(
                input_ids=token_ids,
                position_ids=layout.positions[None],
                attention_mask=self._marks(),
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits: Tensor = output.logits[0, : len(wanted)].float()
        missing = self.vocab_size - logits.shape[-1]
        return torch.nn.functional.pad(logits, (0, missing), value=-torch.inf) if missing else logits

    def _marks(self) -> Tensor | dict[str, Tensor]:
        """Stand-in masks, in the form that the model takes; the packed attention makes the real ones."""
        full, sliding = self.marks[FULL_MARK], self.marks[SLIDING_MARK]
        if self.mask_form == "by_layer":
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding if self.mask_form == "sliding" else full


def _mask_form(model: PreTrainedModel) -> str:
    """How this model takes explicit masks: "by_layer" (a dict), "sliding" (one, all layers slide) or "full" (one)."""
    config = model.config.get_text_config()
    if getattr(config, "layer_types", None) is not None:
        return "by_layer"
    # Some configurations carry a sliding window that their model ignores; a model that heeds it imports this mask function.
    slides = hasattr(sys.modules[type(model).__module__], "create_sliding_window_causal_mask")
    return "sliding" if slides and getattr(config, "sliding_window", None) is not None else "full"
