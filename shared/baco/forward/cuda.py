"""CUDA graph capture and replay, and non-blocking host-to-device copies.

A decode pass is hundreds of small kernels; launching them one by one takes longer than running them. Knows CUDA; knows nothing of models.
"""

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import torch
from torch import Tensor

Work = Callable[[], Tensor]
"""Reads and writes tensors that exist before, or that it creates, and returns one of them."""


def bucket(count: int) -> int:
    """Round up to a power of two, so that graphs of a few sizes serve all."""
    return 1 << (count - 1).bit_length()


def upload(numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Make an int64 tensor of integers on a device; on CUDA, without waiting for the device."""
    if device.type != "cuda":
        return torch.tensor(numbers, device=device)
    return torch.tensor(numbers, pin_memory=True).to(device, non_blocking=True)


@contextmanager
def without_cudnn_sdpa() -> Iterator[None]:
    """Disable cuDNN's attention kernels inside the block: they are planned for each new shape, which takes a tenth of a second.

    The setting is global in torch: meanwhile another thread's attention uses other kernels as well, with the same result.
    """
    enabled = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(enabled)


class CudaGraphs:
    """CUDA graphs of one device. They share their working memory: a result is valid until another one is replayed."""

    def __init__(self, device: torch.device, what: str) -> None:
        """Record on a device; `what` names the work in warnings."""
        self.device = device
        self.what = what
        self._failed = False
        # Each with its work, which owns the tensors: a graph knows their addresses and does not keep them alive.
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Tensor, Work]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    @classmethod
    def on(cls, device: torch.device, what: str) -> Self | None:
        """CUDA graphs for a device, or None if it is not a CUDA device."""
        return cls(device, what) if device.type == "cuda" else None

    def record(self, key: Hashable, work: Work) -> bool:
        """Record work under a key, unless done already; return whether it can be replayed.

        A warm-up run comes first. Work that cannot be recorded, for example because it synchronises with the device, is warned of once,
        and nothing is recorded from then on.
        """
        if key in self._recorded or self._failed:
            return not self._failed
        try:
            self._recorded[key] = (*self._capture(work), work)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self._failed = True
            self.clear()
            warnings.warn(f"{self.what} cannot be recorded as CUDA graphs, so it runs slower ({error})", stacklevel=2)
        return not self._failed

    def replay(self, key: Hashable) -> Tensor:
        """Replay the graph of a key; its result is valid until the next replay."""
        graph, result, _ = self._recorded[key]
        graph.replay()
        return result

    def clear(self) -> None:
        """Drop all graphs and free their memory."""
        torch.cuda.synchronize(self.device)
        self._recorded.clear()
        self._pool = torch.cuda.graph_pool_handle()

    def _capture(self, work: Work) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        stream = torch.cuda.Stream(self.device)
        stream.wait_stream(torch.cuda.current_stream(self.device))
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self.device), torch.cuda.stream(stream):
            work()
            torch.cuda.synchronize(self.device)
            # "thread_local": other threads may use the device meanwhile.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                result = work()
            except BaseException:
                with suppress(RuntimeError):
                    graph.capture_end()
                raise
            graph.capture_end()
        torch.cuda.current_stream(self.device).wait_stream(stream)
        return graph, result


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out; torch's allocators report it in two ways."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
