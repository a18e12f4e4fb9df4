"""What a GPU needs to be kept busy: work that is recorded once and replayed with a single launch, and copies that nobody waits for.

A decoding pass is hundreds of small operations; on a GPU, starting them one by one takes longer than they run. Knows CUDA; knows nothing of
models.
"""

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import torch
from torch import Tensor

Work = Callable[[], Tensor]
"""Reads and writes tensors that were there before, or that it makes itself, and returns one of them."""


def bucket(count: int) -> int:
    """The smallest power of two that is not smaller: what is recorded for few sizes serves all."""
    return 1 << (count - 1).bit_length()


def upload(numbers: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Make an int64 tensor of integers on a device; on CUDA, nobody waits for what the device is doing."""
    if device.type != "cuda":
        return torch.tensor(numbers, device=device)
    return torch.tensor(numbers, pin_memory=True).to(device, non_blocking=True)


@contextmanager
def without_cudnn_sdpa() -> Iterator[None]:
    """Inside, attention leaves out cuDNN's kernels: on CUDA they are planned anew for each shape, which takes a tenth of a second.

    torch has this setting for the whole process; another thread's attention takes other kernels for that moment, and gives the same.
    """
    enabled = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        torch.backends.cuda.enable_cudnn_sdp(enabled)


class CudaGraphs:
    """What was recorded on one device. All recordings share their working memory: a result holds until the next replay of another one."""

    def __init__(self, device: torch.device, what: str) -> None:
        """Record on a device; `what` says to a user what is recorded."""
        self.device = device
        self.what = what
        self._failed = False
        # With the work, since a recording reads the tensors that the work holds from where they lie, and does not hold them itself.
        self._recorded: dict[Hashable, tuple[torch.cuda.CUDAGraph, Tensor, Work]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    @classmethod
    def on(cls, device: torch.device, what: str) -> Self | None:
        """Something to record with, or None on a device that is not CUDA's."""
        return cls(device, what) if device.type == "cuda" else None

    def record(self, key: Hashable, work: Work) -> bool:
        """Record work under a key, unless that has been done, and say whether it can be replayed.

        It is run once for real before, so that everything it needs is set up. Work that cannot be recorded, since it waits for the device
        for example, is warned of once, and nothing is recorded from then on.
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
        """Run what was recorded; its result holds until the next replay."""
        graph, result, _ = self._recorded[key]
        graph.replay()
        return result

    def clear(self) -> None:
        """Forget everything, with the memory that it holds."""
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
            # Other threads may use the device meanwhile.
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
    """Whether an error says that memory ran out: torch's allocators say so in two ways."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
