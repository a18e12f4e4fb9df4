"""What is done and how long it took: the work, a clock that waits for the device, memory and its bandwidth.

Knows nothing of models.
"""

import asyncio
import resource
import sys
import time
from dataclasses import dataclass
from statistics import median

import torch

from baco.results import Passes

TICK = 0.001
"""Seconds for which a task sleeps that measures how late an event loop wakes it."""
COPIED_BYTES = 2**30
"""Size of the copy that measures a device's bandwidth: far larger than any cache."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every method has to do."""

    prompt: str
    token_ids: list[int]
    """The prompt as both models read it."""
    rows: int
    """Answers to the one prompt, written together."""
    new_tokens: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One run, in seconds on the wall clock."""

    ttft: float
    """From the call to the first token of all rows."""
    total: float
    tokens: int
    base_share: float | None = None
    """Share of tokens that the base model wrote, where two models wrote."""
    passes: Passes | None = None
    """Forward passes of each model, or None where the method does not tell."""
    extra_bytes: int | None = None
    """Device memory at its peak above what was taken before the run; None where the device does not count it."""


class Clock:
    """Times one run; waits for the device before it reads the time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.first: float | None = None
        self.before = self._allocated()
        self.start = self._now()

    def tick(self) -> None:
        """Note that tokens came."""
        if self.first is None:
            self.first = self.elapsed()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._now() - self.start

    def timing(self, work: Work, *, base_share: float | None = None, passes: Passes | None = None) -> Timing:
        """Stop."""
        total = self.elapsed()
        assert self.first is not None, "no token came"
        extra = None if self.before is None else torch.cuda.max_memory_allocated(self.device) - self.before
        return Timing(
            ttft=self.first, total=total, tokens=work.rows * work.new_tokens, base_share=base_share, passes=passes, extra_bytes=extra
        )

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _allocated(self) -> int | None:
        """Bytes allocated on the device now; its peak is counted from here on."""
        if self.device.type != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device)


def peak_resident_bytes() -> int:
    """The process's largest resident set so far, everything in it counted."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_bandwidth(device: torch.device, size: int = COPIED_BYTES) -> float:
    """Measure how many bytes a second a copy on the device reads and writes."""
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(5):
        clock = Clock(device)
        target.copy_(source)
        seconds.append(clock.elapsed())
    return 2 * size / median(seconds)


async def longest_stall() -> float:
    """Sleep for a tick again and again until cancelled; return by how many seconds the latest awakening was late."""
    longest = 0.0
    while True:
        start = time.perf_counter()
        try:
            await asyncio.sleep(TICK)
        except asyncio.CancelledError:
            return longest
        longest = max(longest, time.perf_counter() - start - TICK)
