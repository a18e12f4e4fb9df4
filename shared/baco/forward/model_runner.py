"""`ModelRunner`: one model and its slot cache. Chooses how each pass is run: as it comes, compiled, or recorded.

Knows passes and the cache; knows nothing of the other model, of routing or of sampling.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from baco.forward.compiling import CompiledPass
from baco.forward.cuda import CudaGraphs, upload, without_cudnn_sdpa
from baco.forward.kv_cache import SlotCache
from baco.forward.model_pass import ModelPass
from baco.forward.packing import PackedPass, Segment
from baco.forward.padding import PaddedPass, PaddedShape

LEAST_SIZE = 2
"""Slots, and tokens of a row, that a compiled pass has at least (see `CompiledPass`)."""


class ModelRunner:
    """Runs one model over rows of different lengths, each in a slot of the cache.

    Short passes are run by `compiled`, if that is given; on CUDA, short passes are recorded, whether compiled or not.
    """

    def __init__(self, plain: ModelPass, compiled: CompiledPass | None = None) -> None:
        self.plain = plain
        self.compiled = compiled if compiled is not None and not compiled.failed else None
        self.device = plain.device
        self.cache = SlotCache(plain.num_layers, self.device)
        self.graphs = CudaGraphs.on(self.device, f"a pass of {type(plain.model).__name__}")
        self._recorded_for = self.cache.allocation
        self._shape: PaddedShape | None = None
        self._inputs: dict[PaddedShape, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}

    @torch.inference_mode()
    def prepare(self, segments: Sequence[Segment], slots: int = 1) -> None:
        """Make room in the cache for a pass over so many slots; compile it, or record it on CUDA, if that is due and has not been done."""
        self._shape = self._choose_shape(segments)
        if self._shape is None:
            self.cache.reserve(slots, max(segment.end for segment in segments))
            return
        self.cache.reserve(max(slots, self._shape.rows, self._least_size), self._shape.window)
        if self.compiled is not None and not self.compiled.has(self._shape.rows):
            self._compile(self.compiled, self._shape)
            if self.compiled.failed:
                self.compiled = None
                self.prepare(segments, slots)
                return
        if self.graphs is not None and not self._record(self.graphs, self._shape):
            self._shape = None

    @torch.inference_mode()
    def forward(self, segments: Sequence[Segment], wanted: Sequence[int]) -> Tensor:
        """Feed rows and return the logits behind some of the tokens.

        Args:
            segments: what each row is fed, in the order of their slots, as `prepare` was told.
            wanted: indices of tokens among all that is fed, [C].

        Returns:
            float32 [C, V]; tokens that the model lacks get -inf. They hold until the next pass.
        """
        # Not every layer takes zero rows, so a pass that is asked nothing computes one, for nobody.
        asked = wanted or [0]
        if self._shape is None:
            layout = PackedPass(segments, self.device, self.plain.sliding_window, self.cache.stride)
            keep = upload(asked, self.device) if len(wanted) < layout.token_ids.shape[1] else 0
            with without_cudnn_sdpa():
                return self.plain(layout, self.cache, keep)[: len(wanted)]
        numbers = upload(self._shape.numbers(segments, self.cache.stride), self.device)
        if self.graphs is not None:
            self._inputs[self._shape].copy_(numbers)
            logits = self.graphs.replay(self._shape)
            return logits.index_select(0, upload(self._shape.indices(segments, wanted), self.device)) if wanted else logits[:0]
        assert self.compiled is not None, "a padded pass is recorded or compiled"
        keep = upload(self._shape.indices(segments, [*asked, *asked[:1]]), self.device)
        return self.compiled(PaddedPass.of(self._shape, numbers), self.cache, keep)[: len(wanted)]

    def release(self) -> None:
        """Give the memory of the cache and of what was recorded back."""
        self._forget_recordings()
        self.cache.release()

    @property
    def _least_size(self) -> int:
        return 1 if self.compiled is None else LEAST_SIZE

    def _choose_shape(self, segments: Sequence[Segment]) -> PaddedShape | None:
        """The shape of a padded pass, or None for one that is run as it comes."""
        if self.compiled is not None and not self.cache.tensors:
            return None  # a program takes the cache's tensors as it finds them
        if self.graphs is not None:
            return PaddedShape.of(segments, self._least_size)
        return None if self.compiled is None else PaddedShape.tight(segments, self._least_size)

    def _compile(self, compiled: CompiledPass, shape: PaddedShape) -> None:
        """Have a program made for passes like this one."""
        layout = PaddedPass.of(shape, upload(shape.numbers([], self.cache.stride), self.device))
        keep = upload([0, 0], self.device) if self.graphs is None else 0
        compiled.prepare(layout, self.cache, keep)

    def _record(self, graphs: CudaGraphs, shape: PaddedShape) -> bool:
        """Record the pass of a shape, which reads its tokens from a tensor of its own; return whether it can be replayed."""
        if self._recorded_for != self.cache.allocation:
            self._forget_recordings()
        if shape not in self._inputs:
            self._inputs[shape] = upload(shape.numbers([], self.cache.stride), self.device)
        count = shape.rows * shape.queries
        if count not in self._outputs:
            self._outputs[count] = torch.empty(count, self.plain.vocab_size, device=self.device)
        layout, outputs = PaddedPass.of(shape, self._inputs[shape]), self._outputs[count]
        run = self.compiled or self.plain
        return graphs.record(shape, lambda: outputs.copy_(run(layout, self.cache)))

    def _forget_recordings(self) -> None:
        if self.graphs is not None:
            self.graphs.clear()
        self._inputs.clear()
        self._outputs.clear()
        self._recorded_for = self.cache.allocation
