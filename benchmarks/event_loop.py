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
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool

from benchmarks.measure import Progress
from benchmarks.schemas import Order
from benchmarks.timing import TICK, longest_stall
from llamaindex_baco import BacoLLM

METHODS = ("achat", "acomplete", "astream_chat", "astream_complete")
FURTHER = ("asample", "achat_with_tools", "astructured_predict", "astream_structured_predict")
"""Of BacoLLM only: sixteen answers, a call that is required, an object of nested classes."""
SAMPLES = 16
PROMPT = "Write a two-sentence story about a lighthouse."
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
    methods = (*METHODS, *FURTHER) if isinstance(llm, BacoLLM) else METHODS
    return [await _stall(name, llm, method, repeats, progress) for method in methods]


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
    answer = await getattr(llm, method)(**_arguments(method))
    if isinstance(answer, AsyncIterator):
        async for _ in answer:
            pass
    return answer


def _arguments(method: str) -> dict[str, Any]:
    if "structured" in method:
        return {"output_cls": Order, "prompt": PromptTemplate(PROMPT), "llm_kwargs": {"max_tokens": 160}}
    if method == "achat_with_tools":
        return {"tools": [FunctionTool.from_defaults(_tell)], "user_msg": PROMPT, "tool_required": True}
    if method == "asample":
        return {"prompt": PROMPT, "n": SAMPLES}
    return {"messages": [ChatMessage(content=PROMPT)]} if "chat" in method else {"prompt": PROMPT}


def _tell(story: str) -> str:
    """Tell a story."""
    return story


async def _heartbeat(llm: LLM, method: str) -> tuple[float, float]:
    """Seconds that a call takes, and the longest time beyond a tick for which something beside it had to wait."""
    beating = asyncio.create_task(longest_stall())
    await asyncio.sleep(0)
    start = time.perf_counter()
    await respond(llm, method)
    took = time.perf_counter() - start
    await asyncio.sleep(2 * TICK)  # a beat that was held up to the very end
    beating.cancel()
    return took, await beating
