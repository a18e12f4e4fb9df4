"""What calls do to an event loop: how long they hold it up, and whether a timeout ends them and their decoding.

Knows LLMs of LlamaIndex and clocks; knows nothing of how figures are shown.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from llama_index.core.llms import LLM, ChatMessage

from benchmarks.measure import Progress

METHODS = ("achat", "acomplete", "astream_chat", "astream_complete")
PROMPT = "Write a two-sentence story about a lighthouse."
TICK_S = 0.001
TIMEOUT_S = 0.05
WARM_UP = 2


@dataclass(frozen=True, kw_only=True)
class Stall:
    """How one async method treats the loop: over the repeats."""

    llm: str
    method: str
    repeats: int
    call_ms: float
    """Median."""
    longest_stall_ms: float
    """Longest time beyond a tick in which nothing else ran: the worst of all repeats."""
    timed_out_ms: float
    """When `wait_for` with 50 ms returned: the median."""
    times_out: int
    """How many of the repeats ended with TimeoutError."""


async def measure_stalls(name: str, llm: LLM, repeats: int, progress: Progress) -> list[Stall]:
    """Measure each async method of an LLM."""
    return [await _stall(name, llm, method, repeats, progress) for method in METHODS]


async def _stall(name: str, llm: LLM, method: str, repeats: int, progress: Progress) -> Stall:
    for _ in range(WARM_UP):
        await respond(llm, method)
    calls, stalls, timeouts, late = [], [], 0, []
    for _ in range(repeats):
        progress(f"{name}: {method}")
        call_s, stall_s = await _heartbeat(llm, method)
        calls.append(call_s)
        stalls.append(stall_s)
        start = time.perf_counter()
        try:
            await asyncio.wait_for(respond(llm, method), TIMEOUT_S)
        except TimeoutError:
            timeouts += 1
        late.append(time.perf_counter() - start)
    return Stall(
        llm=name,
        method=method,
        repeats=repeats,
        call_ms=median(calls) * 1000,
        longest_stall_ms=max(stalls) * 1000,
        timed_out_ms=median(late) * 1000,
        times_out=timeouts,
    )


async def respond(llm: LLM, method: str) -> Any:
    """Call a method; read its stream to the end, if it gives one."""
    answer = await getattr(llm, method)([ChatMessage(content=PROMPT)] if "chat" in method else PROMPT)
    if isinstance(answer, AsyncIterator):
        async for _ in answer:
            pass
    return answer


async def _heartbeat(llm: LLM, method: str) -> tuple[float, float]:
    """Seconds that a call takes, and the longest time beyond a tick for which something beside it had to wait."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_S)
            longest = max(longest, time.perf_counter() - before - TICK_S)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    start = time.perf_counter()
    await respond(llm, method)
    took = time.perf_counter() - start
    await asyncio.sleep(2 * TICK_S)  # a beat that was held up to the very end
    beating.cancel()
    return took, longest
