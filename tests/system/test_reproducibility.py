"""A seed names an answer: the same alone, among others, streamed or not; and nothing is ever silently identical."""

from collections import defaultdict
from dataclasses import replace

import pytest

from baco import Engine, GenerationResult, Router, SamplingParams, Token
from baco.results import Passes
from tests.support.marks import slow_but

PROMPT = "Write a short poem about the captain and the sea."
OTHERS = [f"{'Tell me more about it. ' * (i % 5)}What is the story of the {i} fish?" for i in range(16)]
ROUTERS = [
    Router("p-punc", threshold=0.6),
    Router("h-fc", threshold=1.0, probe="aligned"),
    Router("rand", threshold=0.5, word_boundary=False),
    Router("nudging", threshold=0.5),
    Router("base"),
    Router("aligned"),
]
PARAMS = SamplingParams(n=3, max_tokens=16, temperature=0.9, top_p=0.95, repetition_penalty=1.1, seed=42)

routers = pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.name)


def answer(result: GenerationResult) -> GenerationResult:
    """All of a result but what it cost: what was read before is not read again, and others share the passes."""
    return replace(result, passes=Passes(base=0, aligned=0))


@routers
def test_the_same_request_gives_the_same_answers_again(engine: Engine, router: Router) -> None:
    assert answer(engine.generate(PROMPT, PARAMS, router)) == answer(engine.generate(PROMPT, PARAMS, router))


@routers
@pytest.mark.parametrize("place", slow_but([7], [0, 7, 16]))
def test_a_request_among_16_others_gives_what_it_gives_alone(engine: Engine, router: Router, place: int) -> None:
    alone = engine.generate(PROMPT, PARAMS, router)
    together = engine.generate_batch([*OTHERS[:place], PROMPT, *OTHERS[place:]], PARAMS, router)
    assert together[place].candidates == alone.candidates


@routers
@pytest.mark.parametrize("max_batch_size", slow_but([2], [1, 2, 5]))
def test_the_batch_size_changes_no_answer(engine: Engine, router: Router, max_batch_size: int) -> None:
    small = Engine(engine.pair, max_batch_size=max_batch_size)
    found = small.generate_batch([PROMPT, OTHERS[3]], PARAMS, router)
    assert [r.candidates for r in found] == [r.candidates for r in engine.generate_batch([PROMPT, OTHERS[3]], PARAMS, router)]


@routers
def test_a_streamed_request_gives_what_it_gives_at_once(engine: Engine, router: Router) -> None:
    at_once = engine.generate(PROMPT, PARAMS, router)
    tokens: dict[int, list[Token]] = defaultdict(list)
    reasons = {}
    events = list(engine.stream(PROMPT, PARAMS, router))
    for event in events:
        tokens[event.index] += event.tokens
        if event.finish_reason is not None:
            reasons[event.index] = event.finish_reason
    for candidate in at_once.candidates:
        assert tuple(tokens[candidate.index]) == candidate.tokens
        assert reasons[candidate.index] == candidate.finish_reason
    assert events[-1].result is not None and answer(events[-1].result) == answer(at_once)
    assert all(event.result is None for event in events[:-1])


@routers
def test_equal_prompts_in_one_batch_share_a_seed_and_so_their_answers(engine: Engine, router: Router) -> None:
    found = engine.generate_batch([PROMPT, OTHERS[0], PROMPT, PROMPT], PARAMS, router)
    assert answer(found[0]) == answer(found[2]) == answer(found[3])
    assert found[0].candidates != found[1].candidates


@routers
def test_eight_samples_of_one_seed_differ_from_each_other(engine: Engine, router: Router) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=8, max_tokens=16, seed=7), router)
    assert len({tuple(candidate.token_ids) for candidate in result.candidates}) == 8
    assert [candidate.index for candidate in result.candidates] == list(range(8))


def test_the_first_samples_do_not_depend_on_how_many_there_are(engine: Engine) -> None:
    many = engine.generate(PROMPT, SamplingParams(n=8, max_tokens=12, seed=7), ROUTERS[0])
    few = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=12, seed=7), ROUTERS[0])
    assert many.candidates[:2] == few.candidates


def test_a_longer_answer_begins_like_the_shorter_one(engine: Engine) -> None:
    short = engine.generate(PROMPT, SamplingParams(max_tokens=5, seed=7), ROUTERS[0]).candidates[0]
    long = engine.generate(PROMPT, SamplingParams(max_tokens=16, seed=7), ROUTERS[0]).candidates[0]
    assert long.token_ids[:5] == short.token_ids and long.from_base[:5] == short.from_base


def test_other_seeds_give_other_answers(engine: Engine) -> None:
    answers = {tuple(engine.generate(PROMPT, SamplingParams(max_tokens=16, seed=seed)).candidates[0].token_ids) for seed in range(8)}
    assert len(answers) == 8


@routers
def test_the_seed_in_the_result_of_an_unseeded_request_reproduces_it(engine: Engine, router: Router) -> None:
    unseeded = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=16), router)
    assert answer(engine.generate(PROMPT, SamplingParams(n=2, max_tokens=16, seed=unseeded.seed), router)) == answer(unseeded)


def test_unseeded_requests_differ_also_within_one_batch(engine: Engine) -> None:
    params = SamplingParams(max_tokens=16)
    results = [*engine.generate_batch([PROMPT] * 3, params), engine.generate(PROMPT, params)]
    assert len({result.seed for result in results}) == 4
    assert len({tuple(result.candidates[0].token_ids) for result in results}) == 4


def test_greedy_answers_need_no_seed(engine: Engine) -> None:
    params = SamplingParams(max_tokens=12, temperature=0)
    assert engine.generate(PROMPT, params, ROUTERS[0]).candidates == engine.generate(PROMPT, params, ROUTERS[0]).candidates
