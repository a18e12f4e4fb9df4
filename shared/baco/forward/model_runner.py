"""`ModelRunner`: one model and its KV cache. Runs each pass eagerly, through `torch.compile`, or as a CUDA graph.

Knows passes and the cache; knows nothing of the other model, of routing or of sampling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco.forward.compiling import CompiledPass
from baco.forward.cuda import CudaGraphs, upload, without_cudnn_sdpa
from baco.forward.model_pass import ModelPass
from baco.forward.packing import PackedPass, Segment
from baco.forward.padding import PaddedPass, PaddedShape
from baco.forward.slot_cache import SlotCache

MIN_SIZE = 2
"""Least number of slots, and of tokens per row, in a compiled pass (see `CompiledPass`)."""


@dataclass(frozen=True, slots=True)
class PreparedPass:
    """A forward pass for which the cache has room and the program or CUDA graph exists."""

    runner: "ModelRunner"
    segments: Sequence[Segment]
    """In the order of their slots."""
    wanted: Sequence[int]
    """Indices among all tokens of the pass, int [C]: logits are returned after these."""
    shape: PaddedShape | None
    """The shape of a compiled or recorded pass; None for an eager one."""
    allocation: int
    """`SlotCache.allocation` when the pass was prepared."""

    @torch.inference_mode()
    def run(self) -> Tensor:
        """Logits after the wanted tokens, float32 [C, V], with -inf for ids that the model lacks; valid until the model's next pass."""
        runner, cache = self.runner, self.runner.cache
        assert self.allocation == cache.allocation, "the cache was reallocated after this pass was prepared"
        cache.begin(self.segments)
        # Some layers reject zero rows, so a pass without wanted logits computes one row of them and drops it.
        wanted = self.wanted or [0]
        if self.shape is None:
            layout = PackedPass(self.segments, runner.device, runner.plain.reaches, cache.stride)
            keep = upload(wanted, runner.device) if len(self.wanted) < layout.token_ids.shape[1] else 0
            with without_cudnn_sdpa():
                return runner.plain(layout, cache, keep)[: len(self.wanted)]
        numbers = upload(self.shape.numbers(self.segments, cache.stride), runner.device)
        if runner.graphs is not None:
            runner.inputs[self.shape].copy_(numbers)
            logits = runner.graphs.replay(self.shape)
            return logits.index_select(0, upload(self.shape.indices(self.segments, wanted), runner.device))[: len(self.wanted)]
        assert runner.compiled is not None, "a padded pass is recorded or compiled"
        keep = upload(self.shape.indices(self.segments, [*wanted, *wanted[:1]]), runner.device)
        return runner.compiled(PaddedPass.of(self.shape, numbers), cache, keep)[: len(self.wanted)]


class ModelRunner:
    """Runs one model over rows of different lengths, each in a slot of the cache.

    Short passes go through `compiled`, if it is given; on CUDA they are also recorded as CUDA graphs.
    """

    def __init__(self, plain: ModelPass, compiled: CompiledPass | None = None) -> None:
        self.plain = plain
        # A padded pass would put its padding into states.
        self.compiled = compiled if compiled is not None and not compiled.failed and not plain.has_states else None
        self.device = plain.device
        self.cache = SlotCache(plain.kinds, self.device)
        self.graphs = None if plain.has_states else CudaGraphs.on(self.device, f"a pass of {type(plain.model).__name__}")
        self._recorded_for = self.cache.allocation
        self.inputs: dict[PaddedShape, Tensor] = {}
        """What a recorded pass reads, by its shape: its tokens, positions and places (see `PaddedShape.numbers`)."""
        self._outputs: dict[int, Tensor] = {}

    @torch.inference_mode()
    def prepare(self, segments: Sequence[Segment], wanted: Sequence[int], slots: int = 1) -> PreparedPass:
        """Make room in the cache for at least `slots` slots; compile the pass, or record it on CUDA, where that has not been done yet.

        `segments` and `wanted` are those of the `PreparedPass`.
        """
        shape = self._choose_shape(segments)
        if shape is None:
            self.cache.reserve(slots, max(segment.end for segment in segments))
            return PreparedPass(self, segments, wanted, None, self.cache.allocation)
        self.cache.reserve(max(slots, shape.rows, self._min_size), shape.window)
        if self.compiled is not None and not self.compiled.has(shape.rows):
            layout = PaddedPass.of(shape, upload(shape.numbers([], self.cache.stride), self.device))
            self.compiled.prepare(layout, self.cache, upload([0, 0], self.device) if self.graphs is None else 0)
            if self.compiled.failed:
                self.compiled = None
                return self.prepare(segments, wanted, slots)
        is_padded = self.graphs is None or self._record(self.graphs, shape)
        return PreparedPass(self, segments, wanted, shape if is_padded else None, self.cache.allocation)

    def release(self) -> None:
        """Free the memory of the cache and of the CUDA graphs."""
        self._clear_recordings()
        self.cache.release()

    @property
    def _min_size(self) -> int:
        return 1 if self.compiled is None else MIN_SIZE

    def _choose_shape(self, segments: Sequence[Segment]) -> PaddedShape | None:
        """The shape of a padded pass, or None for a pass that runs eagerly."""
        if self.compiled is not None and not self.cache.tensors:
            return None  # a program is traced over the cache's tensors, so they must exist
        if self.graphs is not None:
            return PaddedShape.of(segments, self._min_size)
        return None if self.compiled is None else PaddedShape.tight(segments, self._min_size)

    def _record(self, graphs: CudaGraphs, shape: PaddedShape) -> bool:
        """Record the pass of a shape over an input tensor of its own; return whether it can be replayed."""
        if self._recorded_for != self.cache.allocation:
            self._clear_recordings()
        if shape not in self.inputs:
            self.inputs[shape] = upload(shape.numbers([], self.cache.stride), self.device)
        count = shape.rows * shape.queries
        if count not in self._outputs:
            self._outputs[count] = torch.empty(count, self.plain.vocab_size, device=self.device)
        layout, outputs = PaddedPass.of(shape, self.inputs[shape]), self._outputs[count]
        run = self.compiled or self.plain
        return graphs.record(shape, lambda: outputs.copy_(run(layout, self.cache)))

    def _clear_recordings(self) -> None:
        if self.graphs is not None:
            self.graphs.clear()
        self.inputs.clear()
        self._outputs.clear()
        self._recorded_for = self.cache.allocation
