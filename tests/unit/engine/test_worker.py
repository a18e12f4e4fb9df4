"""The queue and its worker: requests of threads and tasks share passes, wait their turn, and leave nothing behind."""

import asyncio
import gc
import random
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from baco import Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.engine.request_queue import RequestQueue
from baco.engine.requests import Request
from baco.engine.worker import KEEP_ALIVE
from baco.errors import QueueFullError
from baco.forward.slot_cache import SlotCache
from baco.models.info import PairInfo
from tests.support.gate import Gate, Pass, fresh, settle, wait_until

PROMPTS = ["What do you want to see there?", "Nobody", "Tell me a long story of the old captain and the sea", "Why?"]
ROUTERS = [Router("p", threshold=0.5), Router("aligned"), Router("rand", threshold=0.5, word_boundary=False), Router("base")]


def asked(number: int, **settings: Any) -> tuple[str, SamplingParams, Router]:
    """One of 16 different requests."""
    params = SamplingParams(**({"max_tokens": 2 + number % 9, "seed": number % 16} | settings))
    return PROMPTS[number % 4], params, ROUTERS[number // 4 % 4]


def request(engine: Engine, number: int, **settings: Any) -> Request:
    prompt, params, router = asked(number, **settings)
    return engine._requests([prompt], params, router, "transcript")[0]


def told(result: GenerationResult) -> list[tuple[list[int], list[bool], str]]:
    return [(candidate.token_ids, candidate.from_base, candidate.finish_reason) for candidate in result.candidates]


def test_requests_of_threads_and_tasks_share_their_passes(engine: Engine, gate: Gate, passes: list[Pass]) -> None:
    numbers = range(12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "permits", threading.Semaphore(1_000_000))
        alone = [engine.generate(*asked(number)) for number in numbers]
    one_by_one = len(passes)
    passes.clear()
    gate.requests.clear()
    found: dict[int, GenerationResult] = {}

    def in_thread(number: int) -> None:
        found[number] = engine.generate(*asked(number))

    async def in_task(number: int) -> None:
        found[number] = await engine.agenerate(*asked(number))

    async def all_tasks() -> None:
        await asyncio.gather(*(in_task(number) for number in numbers[6:]))

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in numbers[:6]]
    threads.append(threading.Thread(target=asyncio.run, args=(all_tasks(),)))
    for thread in threads:
        thread.start()
    wait_until(lambda: len(gate.requests) == len(numbers))
    gate.open()
    for thread in threads:
        thread.join()
    assert [told(found[number]) for number in numbers] == [told(result) for result in alone]
    assert len(passes) < one_by_one / 3


async def test_64_tasks_get_what_each_would_get_alone(engine: Engine, random_pair: ModelPair) -> None:
    other = Engine(fresh(random_pair))
    alone = [await other.agenerate(*asked(number, n=1 + number % 2, max_tokens=1 + number % 20, seed=number)) for number in range(64)]
    together = await asyncio.gather(
        *(engine.agenerate(*asked(number, n=1 + number % 2, max_tokens=1 + number % 20, seed=number)) for number in range(64))
    )
    assert [told(result) for result in together] == [told(result) for result in alone]


async def disturbed(engine: Engine, number: int, chance: random.Random) -> GenerationResult | None:
    """A request that is left alone, comes late, is read in part, or is cancelled."""
    kind = number % 4
    if kind == 0:
        return await engine.agenerate(*asked(number))
    if kind == 1:
        result = await engine.agenerate(*asked(number, deadline=chance.uniform(1e-6, 0.5)))
        return result if all(candidate.finish_reason != "cancelled" for candidate in result.candidates) else None
    if kind == 2:
        stream: Any = engine.astream(*asked(number, n=3))
        for _ in range(chance.randint(1, 4)):
            await anext(stream, None)
        await stream.aclose()
        return None
    task = asyncio.create_task(engine.agenerate(*asked(number)))
    await asyncio.sleep(chance.uniform(0, 0.5))
    return None if task.cancel() else await task


def test_unloading_ends_an_idle_worker_at_once_and_the_pair_goes_on_if_asked(
    random_pair: ModelPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KEEP_ALIVE, "cpu", 60.0)
    pair = fresh(random_pair)
    engine, queue = Engine(pair), RequestQueue.of(pair)
    expected = told(engine.generate(*asked(1)))
    assert queue.worker is not None
    pair.unload()
    wait_until(lambda: queue.worker is None)
    assert told(engine.generate(*asked(1))) == expected
    assert queue.worker is not None
    pair.unload()
    wait_until(lambda: queue.worker is None)


LEAVES_LATE = """
import time
from baco import Engine, ModelPair, SamplingParams
from baco.decoding.decode import Decoder
from baco.engine.request_queue import RequestQueue
from baco.engine.worker import KEEP_ALIVE

KEEP_ALIVE["cpu"] = 0.0
release = Decoder.release

def slowly(self):
    time.sleep(0.5)
    release(self)
    print("gave its memory back", flush=True)

Decoder.release = slowly
engine = Engine(ModelPair.from_pretrained(device="cpu"))
engine.generate("Hello", SamplingParams(max_tokens=2))
while RequestQueue.of(engine.pair).worker is not None:
    time.sleep(0.001)
"""


@pytest.mark.slow
def test_an_interpreter_that_ends_waits_for_a_worker_that_has_left_its_queue() -> None:
    """Torch does not survive that its threads are ended under it: the process would abort."""
    done = subprocess.run([sys.executable, "-c", LEAVES_LATE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "gave its memory back\n"), done.stderr


@pytest.mark.slow
def test_1000_requests_of_which_most_are_cut_short_leave_nothing_running(
    engine: Engine, random_pair: ModelPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches: list[weakref.ref[SlotCache]] = []
    new = SlotCache.__init__

    def recorded(self: SlotCache, *args: Any) -> None:
        new(self, *args)
        caches.append(weakref.ref(self))

    monkeypatch.setattr(SlotCache, "__init__", recorded)
    monkeypatch.setitem(KEEP_ALIVE, "cpu", 0.01)
    expected = {number: told(engine.generate(*asked(number))) for number in range(144)}
    before, pair, chance = set(threading.enumerate()), fresh(random_pair), random.Random(3)
    busy, queue = Engine(pair, max_waiting=10_000), RequestQueue.of(pair)

    async def all_at_once() -> list[GenerationResult | None]:
        return await asyncio.gather(*(disturbed(busy, number, chance) for number in range(1000)))

    results = asyncio.run(all_at_once())
    whole = {number: result for number, result in enumerate(results) if result is not None}
    assert len(whole) >= 250
    # Every 144 requests, prompt, router, length and seed are the same again.
    assert all(told(result) == expected[number % 144] for number, result in whole.items())
    wait_until(lambda: queue.worker is None)
    wait_until(lambda: set(threading.enumerate()) <= before)
    assert not queue.waiting
    assert caches
    gc.collect()
    assert sum(cache.bytes for ref in caches if (cache := ref()) is not None) == 0


def test_a_full_queue_refuses_with_counts_and_the_refused_request_costs_nothing(engine: Engine, random_pair: ModelPair, gate: Gate) -> None:
    pair = fresh(random_pair)
    small = Engine(pair, max_batch_size=1, max_waiting=3)
    small._submit([request(small, 0)])
    wait_until(lambda: gate.arrived == 1)
    small._submit([request(small, number) for number in (1, 2, 3)])
    for refused in (
        lambda: small.generate(*asked(4)),
        lambda: next(small.stream(*asked(4))),
        lambda: asyncio.run(small.agenerate(*asked(4))),
    ):
        with pytest.raises(QueueFullError, match=r"3 answers .*max_waiting=3") as error:
            refused()
        assert (error.value.waiting, error.value.max_waiting) == (3, 3)
    assert len(RequestQueue.of(pair).waiting) == 3
    assert len(gate.requests) == 4
    gate.open()
    settle(gate.requests)
    assert told(small.generate(*asked(4))) == told(engine.generate(*asked(4)))
    assert [told(one.result()) for one in gate.requests[:4]] == [told(engine.generate(*asked(number))) for number in range(4)]


def test_a_deadline_counts_in_the_queue_as_well(random_pair: ModelPair, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    small, offset = Engine(fresh(random_pair), max_batch_size=1), [0.0]
    monkeypatch.setattr("baco.engine.requests.time", SimpleNamespace(monotonic=lambda: time.monotonic() + offset[0]))
    monkeypatch.setattr(PairInfo, "end_ids", lambda info, which: {info.vocab_size})
    long, late = request(small, 0, max_tokens=30), request(small, 1, deadline=5_000)
    small._submit([long, late])
    gate.permit(2)
    assert not late.done.done()
    offset[0] = 10_000
    gate.permit(1)
    assert not long.done.done()
    settle([late])
    assert told(late.result()) == [([], [], "cancelled")]
    assert (late.result().passes.base, late.result().passes.aligned) == (0, 0)
    gate.open()
    settle([long])
    assert len(long.result().candidates[0].token_ids) == 30


def test_a_cancelled_request_leaves_the_queue_before_its_turn(random_pair: ModelPair, gate: Gate) -> None:
    small = Engine(fresh(random_pair), max_batch_size=1)
    first, second = request(small, 0, max_tokens=20), request(small, 1)
    small._submit([first, second])
    gate.permit(1)
    second.cancel()
    gate.permit(1)
    assert second.done.done() and not first.done.done()
    assert told(second.result()) == [([], [], "cancelled")]


def test_engines_of_one_pair_share_one_worker_whatever_their_batch_sizes(random_pair: ModelPair, gate: Gate, passes: list[Pass]) -> None:
    pair = fresh(random_pair)
    large, small = Engine(pair, max_batch_size=8), Engine(pair, max_batch_size=2)
    large._submit([request(large, number, max_tokens=12) for number in range(4)])
    wait_until(lambda: gate.arrived == 1)
    small._submit([request(small, number, max_tokens=12) for number in range(4)])
    gate.open()
    settle(gate.requests)
    assert len({one.thread for one in passes}) == 1
    assert max(one.rows for one in passes) == 4, "the small engine's rows never run beside more than one other"
    small.generate_batch(PROMPTS, SamplingParams(max_tokens=4), Router("base"))
    assert passes[-1].rows <= 2


async def test_model_code_never_runs_in_the_event_loops_thread(engine: Engine, passes: list[Pass]) -> None:
    prompt, params, router = asked(0)
    await engine.agenerate(prompt, params, router)
    await engine.agenerate_batch([prompt, "Nobody"], params, router)
    assert [event async for event in engine.astream(prompt, params, router)]
    assert passes and threading.get_ident() not in {one.thread for one in passes}


@pytest.mark.parametrize("speculates", [True, False])
def test_a_long_prompt_is_prefilled_in_chunks_between_which_a_running_answer_goes_on(
    random_pair: ModelPair, gate: Gate, passes: list[Pass], monkeypatch: pytest.MonkeyPatch, speculates: bool
) -> None:
    monkeypatch.setattr("baco.decoding.decode.CHUNK", 16)
    monkeypatch.setattr(PairInfo, "end_ids", lambda info, which: {info.vocab_size})
    pair = fresh(random_pair)
    engine, turns = Engine(pair), RequestQueue.of(pair).turns
    written: list[tuple[int, Any]] = []
    monkeypatch.setattr(turns, "adapts", False)
    monkeypatch.setattr(turns, "speculates", speculates)
    running = request(engine, 0, max_tokens=60)
    running.on_event = lambda event: written.extend((len(passes), token) for token in event.tokens)
    long = engine._requests(["sea " * 90], SamplingParams(max_tokens=2, seed=1), Router("p", threshold=0.5), "transcript")[0]
    engine._submit([running])
    gate.permit(6)
    engine._submit([long])
    gate.open()
    settle([running, long])
    reading = [
        number
        for number, one in enumerate(passes, 1)
        for segment in one.segments
        if segment.slot == 1 and segment.start < len(long.prompt.token_ids["base" if one.model is pair.base else "aligned"])
    ]
    assert len(reading) >= 8, "it takes many chunks"
    assert max(segment.end - segment.start for one in passes for segment in one.segments if segment.slot == 1) <= 32
    meanwhile = [number for number, _ in written if reading[0] <= number < reading[-1]]
    assert len(meanwhile) >= len(reading) // 4, "lockstep would write a token in every two passes"


def test_leaving_a_stream_whose_loop_closes_disturbs_nobody(
    engine: Engine, random_pair: ModelPair, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    busy = Engine(fresh(random_pair))
    other = request(busy, 1, max_tokens=12)

    async def leave() -> None:
        stream: Any = busy.astream(*asked(0, n=3, max_tokens=20))
        reading = asyncio.create_task(anext(stream))
        await asyncio.to_thread(wait_until, lambda: gate.arrived == 1)
        busy._submit([other])
        await asyncio.to_thread(gate.permit, 3)
        await reading
        await stream.aclose()

    asyncio.run(leave())
    gate.open()
    settle([other])
    settle(gate.requests)
    assert caplog.records == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "requests", [])
        assert told(other.result()) == told(engine.generate(*asked(1, max_tokens=12)))
