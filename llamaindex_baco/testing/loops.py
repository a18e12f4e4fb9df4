"""`LoopTests` and `TogetherTests`: calls on an event loop, left calls, calls at the same time.

Knows durations, only in relation to the call's own; knows answers only to tell them apart.
"""

import asyncio
import contextlib
import math
import threading
import time
from itertools import pairwise

import pytest
from llama_index.core.llms.llm import LLM

from llamaindex_baco.testing.calls import ASYNC, METHODS, SYNC, aask, argument, ask, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

TICK = 0.002
ENOUGH = 40 * TICK
"""A shorter call says nothing about who held up the loop."""
TRIES = 3
"""A busy machine may hold up anyone once; a call that holds up the loop, or goes on when it is left, does so each time. And of two calls at
the same time one may be held up until the other has ended."""


class LoopTests(Hooks):
    """Waiting, leaving and failing."""

    @pytest.mark.parametrize("method", ASYNC)
    async def test_the_event_loop_runs_on(self, make_llm: MakeLLM, method: str) -> None:
        """Else one answer freezes the whole server: LlamaIndex's default async methods call the sync ones on the loop."""
        llm = self.long(make_llm)
        for _ in range(TRIES):
            stall, duration = await _longest_stall(llm, method, self.question)
            _long_enough(duration)
            if stall < 0.5 * duration:
                return
        pytest.fail(f"the loop stood still for most of the call: at last {stall:.3f} s of {duration:.3f} s")

    @pytest.mark.parametrize("method", ASYNC)
    async def test_a_call_that_is_given_up_stops(self, make_llm: MakeLLM, method: str) -> None:
        """Else `wait_for` waits for the whole answer, and a user who left still occupies the model."""
        llm = self.long(make_llm)
        for _ in range(TRIES):
            duration, end = await self._whole(llm, method)
            if await _give_up(llm, method, self.question, duration / 4) < 0.75 * duration:
                return await asyncio.to_thread(self._assert_stopped, llm, duration, end)
        pytest.fail("it was given up after a quarter of its time, and went on")

    @pytest.mark.parametrize("method", ["astream_chat", "astream_complete"])
    async def test_an_async_stream_that_is_closed_stops(self, make_llm: MakeLLM, method: str) -> None:
        """Else the model writes on for nobody, and the next call waits for it."""
        llm = self.long(make_llm)
        duration, end = await self._whole(llm, method)
        stream = await getattr(llm, method)(argument(method, self.question))
        await anext(stream)
        await stream.aclose()
        await asyncio.to_thread(self._assert_stopped, llm, duration, end)

    @pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
    def test_a_stream_that_is_closed_stops(self, make_llm: MakeLLM, method: str) -> None:
        """Else the model writes on for nobody, and the next call waits for it."""
        llm = self.long(make_llm)
        before, start = self.steps(llm), time.perf_counter()
        ask(llm, method, self.question)
        duration, end = time.perf_counter() - start, _next_end(before, self.steps(llm))
        stream = getattr(llm, method)(argument(method, self.question))
        next(stream)
        stream.close()
        self._assert_stopped(llm, duration, end)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_failure_while_decoding_reaches_the_caller(self, make_llm: MakeLLM, method: str) -> None:
        """Else the caller of a stream waits forever: the thread that decodes has died, and nobody says so."""
        llm = self.steady(make_llm)
        with self.breaking(llm), pytest.raises(Exception, match="the model is broken"):
            ask(llm, method, self.question)
        assert ask(llm, method, self.question), "it answers again once the model is whole"

    async def _whole(self, llm: LLM, method: str) -> tuple[float, int | None]:
        """How long a call takes that nobody leaves, and the step at which the next one like it would end."""
        before, start = self.steps(llm), time.perf_counter()
        await aask(llm, method, self.question)
        duration = time.perf_counter() - start
        _long_enough(duration)
        return duration, _next_end(before, self.steps(llm))

    def _assert_stopped(self, llm: LLM, duration: float, end: int | None) -> None:
        """Look on for a while, in relation to a whole call, after some grace."""
        for _ in range(TRIES):
            time.sleep(duration / 10)
            steps, busy = self.steps(llm), time.process_time()
            time.sleep(duration * 0.3)
            if steps is None or end is None:
                assert time.process_time() - busy < duration * 0.15, "the processor is still busy"
                return
            if self.steps(llm) == steps:
                assert steps < end, "it decoded to the end"
                return
        pytest.fail("it decodes on")


class TogetherTests(Hooks):
    """Calls from several threads and tasks."""

    @pytest.mark.parametrize("method", SYNC)
    def test_two_threads_get_their_own_answers(self, make_llm: MakeLLM, method: str) -> None:
        """Else one user reads another one's answer: web servers call an LLM from a pool of threads."""
        llm = self.steady(make_llm)
        expected = [text_of(ask(llm, method, question)[-1]) for question in self.questions[:2]]
        found: dict[int, str] = {}
        ready = threading.Barrier(2)

        def run(index: int) -> None:
            ready.wait()
            found[index] = text_of(ask(llm, method, self.questions[index])[-1])

        for _ in range(TRIES):
            threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert [found.pop(index, None) for index in range(2)] == expected

    @pytest.mark.parametrize("method", ASYNC)
    async def test_tasks_that_are_gathered_get_their_own_answers(self, make_llm: MakeLLM, method: str) -> None:
        """Else what extractors and evaluators do in parallel is wrong, or written by one call into another one's stream."""
        llm = self.steady(make_llm)
        expected = [text_of((await aask(llm, method, question))[-1]) for question in self.questions]
        assert len(set(expected)) > 1, "give `questions` with different answers"
        answers = await asyncio.gather(*(aask(llm, method, question) for question in self.questions))
        assert [text_of(chunks[-1]) for chunks in answers] == expected


def _next_end(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else 2 * after - before


def _long_enough(duration: float) -> None:
    if duration < ENOUGH:
        pytest.skip(f"a call takes {duration:.3f} s, too short to tell: give `long_settings` a larger max_tokens")


async def _give_up(llm: LLM, method: str, question: str, seconds: float) -> float:
    """How long a call takes that is given up after some seconds; infinitely long if it answers all the same."""
    start = time.perf_counter()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(aask(llm, method, question), seconds)
        return math.inf
    return time.perf_counter() - start


async def _longest_stall(llm: LLM, method: str, question: str) -> tuple[float, float]:
    """How long the loop stood still at most during a call, and how long the call took."""
    call, times = asyncio.create_task(aask(llm, method, question)), [time.perf_counter()]
    while not call.done():
        await asyncio.wait([call], timeout=TICK)
        times.append(time.perf_counter())
    await call
    return max(later - earlier for earlier, later in pairwise(times)), times[-1] - times[0]
