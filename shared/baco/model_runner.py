"""`ModelRunner`: one model over a slot cache, from packed tokens to next-token logits.

Knows one transformers model and its attention masks; knows nothing of the other model, of routing or of sampling.
"""

import sys
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.attention import packed
from baco.cuda import CudaGraphs, shapes_vary, upload
from baco.kv_cache import SlotCache
from baco.loading import embedding_rows
from baco.packing import FULL_MARK, SLIDING_MARK, Feed, Layout, PackedPass
from baco.padding import PaddedPass, PaddedShape


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
        self.graphs = CudaGraphs.on(model.device, f"a pass of {type(model).__name__}")
        self._recorded_for = self.cache.allocation
        self._shape: PaddedShape | None = None
        self._inputs: dict[PaddedShape, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}

    @torch.inference_mode()
    def prepare(self, feeds: Sequence[Feed], slots: int = 1) -> None:
        """Make room in the cache for a pass over so many slots and, on CUDA, record the pass if none of its shape has been."""
        self._shape = PaddedShape.of(feeds) if self.graphs is not None else None
        capacity = max(feed.end for feed in feeds)
        if self.graphs is None or self._shape is None:
            self.cache.reserve(slots, capacity)
            return
        self.cache.reserve(max(slots, self._shape.rows), self._shape.window)
        if self._recorded_for != self.cache.allocation:
            self._forget_recordings()
        if not self._record(self.graphs, self._shape):
            self._shape = None

    @torch.inference_mode()
    def forward(self, feeds: Sequence[Feed], wanted: Sequence[int]) -> Tensor:
        """Feed rows and return the logits behind some of the tokens.

        Args:
            feeds: what each row is fed, in the order of their slots, as `prepare` was told.
            wanted: indices of tokens among all that is fed, [C].

        Returns:
            float32 [C, V]; tokens that the model lacks get -inf. They hold until the next pass.
        """
        device = self.model.device
        if self.graphs is not None and self._shape is not None:
            self._inputs[self._shape].copy_(upload(self._shape.numbers(feeds, self.cache.stride), device))
            logits = self.graphs.replay(self._shape)
            return logits.index_select(0, upload(self._shape.indices(feeds, wanted), device)) if wanted else logits[:0]
        layout = PackedPass(feeds, device, self.sliding_window, self.cache.stride)
        # Not every layer takes zero rows, so a pass that is asked nothing computes one, for nobody.
        keep: int | Tensor = upload(wanted or [0], device) if len(wanted) < layout.token_ids.shape[1] else 0
        with shapes_vary():
            return self._pass(layout, keep)[: len(wanted)]

    def release(self) -> None:
        """Give the memory of the cache and of what was recorded back."""
        self._forget_recordings()
        self.cache.release()

    def _pass(self, layout: Layout, keep: int | Tensor = 0) -> Tensor:
        """Logits [K, V] behind the tokens at the indices `keep`; 0 for all of them."""
        token_ids = layout.token_ids
        if self.embedding_rows < self.vocab_size:
            token_ids = torch.where(token_ids < self.embedding_rows, token_ids, self.replacement_id)
        self.cache.places = layout.places
        with packed(self.model, layout):
            output = self.model(
                input_ids=token_ids,
                position_ids=layout.positions[None],
                attention_mask=self._marks(),
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=keep,
            )
        logits: Tensor = output.logits[0].float()
        missing = self.vocab_size - logits.shape[-1]
        return torch.nn.functional.pad(logits, (0, missing), value=-torch.inf) if missing else logits

    def _record(self, graphs: CudaGraphs, shape: PaddedShape) -> bool:
        """Record the pass of a shape, which reads its tokens from a tensor of its own; return whether it can be replayed."""
        if shape not in self._inputs:
            self._inputs[shape] = upload(shape.numbers([], self.cache.stride), self.model.device)
        count = shape.rows * shape.queries
        if count not in self._outputs:
            self._outputs[count] = torch.empty(count, self.vocab_size, device=self.model.device)
        inputs, outputs = self._inputs[shape], self._outputs[count]
        return graphs.record(shape, lambda: outputs.copy_(self._pass(PaddedPass(shape, inputs, self.sliding_window))))

    def _forget_recordings(self) -> None:
        if self.graphs is not None:
            self.graphs.clear()
        self._inputs.clear()
        self._outputs.clear()
        self._recorded_for = self.cache.allocation

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
