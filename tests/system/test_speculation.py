"""Random requests of all kinds at once, in one worker, against the reference decoder: exact, whatever else happens in the batch."""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from baco import Candidate, Engine, ModelPair, Router, SamplingParams, StreamEvent
from baco.engine.request_queue import RequestQueue
from baco.engine.requests import Request
from baco.forward.cuda import CudaGraphs
from baco.routing.registry import BUILT_IN, KINDS, get_kind
from tests.support.gate import Rehearsal, settle
from tests.support.marks import slow_but
from tests.support.oracle import Oracle
from tests.support.pairs import ARCHITECTURES
from tests.system.test_equivalence import NEAR_TIE, ROUTERS, WORDS, judge_by_length

BATCHES = 6
REQUESTS = 8
STEMS = [" ".join(WORDS[:count]) for count in (0, 3, 9)]
"""Prompts begin alike, so that rows share prefixes."""


def random_router(chance: random.Random, plain: bool = False) -> Router:
    name = chance.choice([name for name, kind in KINDS.items() if kind.rule in BUILT_IN] if plain else list(ROUTERS))
    if name in ("base", "aligned"):
        return Router(name)
    settings: dict[str, Any] = {"judge": judge_by_length} if name == "judge" else {}
    if (bounds := get_kind(name).threshold_range) is not None:
        settings["threshold"] = chance.uniform(bounds[0], min(bounds[1], 3.0))
    probe: Any = chance.choice(["base", "base", "base" if plain else "aligned"])
    return Router(name, probe=probe, word_boundary=chance.random() < 0.5, **settings)


def random_params(chance: random.Random, plain: bool = False) -> SamplingParams:
    return SamplingParams(
        n=chance.choice([1, 1, 2, 3]),
        max_tokens=chance.randint(1, 11),
        seed=chance.getrandbits(60),
        temperature=chance.choice([0, 0.5, 0.9, 1.0, 1.5]),
        top_k=chance.choice([0, 0, 12]),
        top_p=chance.choice([1.0, 1.0, 0.85]),
        min_p=chance.choice([0.0, 0.0, 0.04]),
        repetition_penalty=chance.choice([1.0, 1.0, 1.0 if plain else 1.3]),
    )


def random_prompt(chance: random.Random) -> str:
    words = chance.choices(WORDS[:6], k=chance.randint(1, 12)) * chance.choice([1, 1, 2])
    return f"{chance.choice(STEMS)} {' '.join(words)}"


class Crowd:
    """Requests of one batch. Some come when others have begun to write, and some are cancelled once they have.

    Plain ones have routes that are a function of the base alone and no penalties: all that CUDA records.
    """

    def __init__(self, engine: Engine, chance: random.Random, plain: bool = False) -> None:
        small = Engine(engine.pair, max_batch_size=chance.choice([2, 5, 32]))
        prompts = [random_prompt(chance) for _ in range(REQUESTS)]
        self.engine = small
        self.requests = [small._requests([p], random_params(chance, plain), random_router(chance, plain), "transcript")[0] for p in prompts]
        self.cancel_after = [chance.randint(1, 8) if chance.random() < 0.2 else None for _ in prompts]
        self.later = chance.randint(0, REQUESTS // 2)
        self.come_after = chance.randint(1, 10)
        self.written = [0] * REQUESTS
        for number, request in enumerate(self.requests):
            request.on_event = lambda event, number=number: self._note(number, event)  # type: ignore[misc]

    def run(self) -> None:
        begins = REQUESTS - self.later
        self.engine._submit(self.requests[:begins])
        settle(self.requests[:begins])
        if self.later and sum(self.written[:begins]) < self.come_after:
            self.engine._submit(self.requests[begins:])
        settle(self.requests)

    def _note(self, number: int, event: StreamEvent) -> None:
        """Runs in the worker, between two steps."""
        before, begins = sum(self.written), REQUESTS - self.later
        self.written[number] += len(event.tokens)
        limit = self.cancel_after[number]
        if limit is not None and self.written[number] >= limit:
            self.requests[number].cancel()
        if self.later and number < begins and before < self.come_after <= sum(self.written):
            self.engine._submit(self.requests[begins:])


def agrees(oracle: Oracle, request: Request, candidate: Candidate) -> bool:
    """Assert that a candidate is the reference's answer, or the beginning of it; False for a near-tie, which proves nothing."""
    prompts = dict(request.prompt.token_ids)
    expected = oracle.decode(prompts, request.router, request.params, seed=request.seed, sample_index=candidate.index)
    if expected.margin < NEAR_TIE:
        return False
    found = (candidate.token_ids, candidate.from_base, candidate.finish_reason)
    if candidate.finish_reason == "cancelled":
        assert request.cancelled
        length = len(candidate.token_ids)
        assert found[:2] == (expected.token_ids[:length], expected.from_base[:length])
    else:
        assert found == (expected.token_ids, expected.from_base, expected.finish_reason), (request.router, request.params, expected.margin)
    return True


@dataclass
class Tally:
    """What came of some crowds' answers."""

    whole: int = 0
    cut: int = 0
    near_ties: int = 0
    proposed: int = 0
    accepted: int = 0


def run_crowds(
    engine: Engine,
    oracle: Oracle,
    chance: random.Random,
    monkeypatch: pytest.MonkeyPatch,
    batches: int = BATCHES,
    plain: Callable[[int], bool] = lambda batch: False,
) -> Tally:
    """Run crowds one after another, each under turns of its own, and compare every answer with the reference's."""
    turns = RequestQueue.of(engine.pair).turns
    monkeypatch.setattr(turns, "adapts", False)
    tally = Tally()
    for batch in range(batches):
        monkeypatch.setattr(turns, "speculates", batch % 3 != 2)
        monkeypatch.setattr("baco.decoding.decode.CHUNK", chance.choice([8, 40, 512]))
        crowd = Crowd(engine, chance, plain(batch))
        crowd.run()
        for request in crowd.requests:
            result = request.result()
            assert all(candidate.finish_reason != "cancelled" for candidate in result.candidates) or request.cancelled
            for candidate in result.candidates:
                tally.near_ties += not agrees(oracle, request, candidate)
                tally.cut += candidate.finish_reason == "cancelled"
                tally.whole += candidate.finish_reason != "cancelled"
            tally.proposed += result.passes.proposed
            tally.accepted += result.passes.accepted
    return tally


@pytest.mark.parametrize("arch", slow_but(["gemma3"], ARCHITECTURES))
def test_random_requests_at_once_are_each_answered_as_by_the_reference(
    arch: str, get_engine: Callable[[str], Engine], get_oracle: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = run_crowds(get_engine(arch), get_oracle(arch), random.Random(arch), monkeypatch)
    assert tally.whole >= 56 and tally.cut >= 1, "504 whole answers over all architectures"
    assert tally.near_ties <= 1, "too many near-ties were ignored"
    assert 0 < tally.accepted < tally.proposed


@pytest.mark.parametrize("arch", slow_but(["llama"], ["llama", "gemma3", "gpt2"]))
def test_padded_passes_of_a_few_shapes_write_the_same(
    arch: str, get_pair: Callable[[str], ModelPair], get_oracle: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CudaGraphs, "on", Rehearsal.on)
    before = Rehearsal.replays
    pair = replace(get_pair(arch))  # a pair of its own, with a worker of its own
    tally = run_crowds(Engine(pair), get_oracle(arch), random.Random(f"padded {arch}"), monkeypatch, 5, lambda batch: batch > 0)
    assert tally.whole >= 40 and tally.near_ties <= 1
    assert Rehearsal.replays > before + 200, "passes, and what they decide"


def test_a_lockstep_policy_writes_the_same_with_more_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(ModelPair.from_pretrained(device="cpu", dtype="float32"))
    turns = RequestQueue.of(engine.pair).turns
    monkeypatch.setattr(turns, "adapts", False)
    found = []
    for speculates in (True, False):
        monkeypatch.setattr(turns, "speculates", speculates)
        found.append([engine.generate("Name a pet rabbit.", SamplingParams(max_tokens=24, seed=seed)) for seed in range(6)])
    assert [result.candidates for result in found[0]] == [result.candidates for result in found[1]]
    ahead, lockstep = (sum(r.passes.base + r.passes.aligned for r in results) for results in found)
    tokens = sum(result.usage.completion_tokens for result in found[0])
    assert ahead < 0.8 * lockstep
    assert lockstep <= 2 * tokens


def test_streams_of_many_threads_each_show_what_the_reference_writes(engine: Engine, get_oracle: Callable[[str], Oracle]) -> None:
    chance = random.Random(1)
    asked = [(random_prompt(chance), random_params(chance), random_router(chance)) for _ in range(12)]
    shown: dict[int, list[StreamEvent]] = {}

    def read(number: int) -> None:
        shown[number] = list(engine.stream(*asked[number]))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    agreed = 0
    for number, (_, params, router) in enumerate(asked):
        result = shown[number][-1].result
        assert result is not None
        for candidate in result.candidates:
            mine = [event for event in shown[number] if event.index == candidate.index]
            expected = get_oracle("llama").decode(
                dict(result.prompt_token_ids), router, params, seed=result.seed, sample_index=candidate.index
            )
            if expected.margin >= NEAR_TIE:
                assert [token_id for event in mine for token_id in event.token_ids] == expected.token_ids
                assert [owner for event in mine for owner in event.from_base] == expected.from_base
                assert mine[-1].finish_reason == expected.finish_reason
                agreed += 1
    assert agreed > 15
