"""What a GPU needs to be kept busy: work that is recorded once and replayed with a single launch, and copies that nobody waits for.

A decoding pass is hundreds of small operations; on a GPU, starting them one by one takes longer than they run. Knows CUDA; knows nothing of
models.
"""

from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Self

import torch
from torch import Tensor

Work = Callable[[], Tensor]
"""Reads and writes tensors that were there before, or that it makes itself, and returns one of them."""


def upload(numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Make an int64 tensor of integers on a device; on CUDA, nobody waits for what the device is doing."""
    if device.type != "cuda":
        return torch.tensor(numbers, device=device)
    return torch.tensor(numbers, pin_memory=True).to(device, non_blocking=True)


class CudaGraphs:
    """What was recorded on one device. All recordings share their working memory: a result holds until the next replay of another one."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    @classmethod
    def on(cls, device: torch.device) -> Self | None:
        """Something to record with, or None on a device that is not CUDA's."""
        return cls(device) if device.type == "cuda" else None

    def record(self, key: Hashable, work: Work) -> None:
        """Record work under a key, unless that has been done; it is run once for real before, so that everything it needs is set up.

        Raises:
            RuntimeError: the work does what cannot be recorded, such as waiting for the device.
        """
        if key in self._recorded:
            return
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device), torch.cuda.stream(stream):
            work()
            torch.cuda.synchronize(self.device)
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                result = work()
            except BaseException:
                with suppress(RuntimeError):
                    graph.capture_end()
                raise
            graph.capture_end()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        self._recorded[key] = graph, result

    def replay(self, key: Hashable) -> Tensor:
        """Run what was recorded; its result holds until the next replay."""
        graph, result = self._recorded[key]
        graph.replay()
        return result

    def clear(self) -> None:
        """Forget everything, with the memory that it holds."""
        self._recorded.clear()
        self._pool = torch.cuda.graph_pool_handle()
