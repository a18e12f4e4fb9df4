"""Prefixes that were read before: which one is found, which one goes, and what an engine saves by them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baco import Engine, ModelPair, Router, SamplingParams
from baco.prefix_cache import SHORTEST_PREFIX, Prefix, PrefixCache, common_length
from baco.scheduler import Scheduler
from tests.gate import Pass, fresh

BYTES_PER_TOKEN = 16
"""One layer of keys and values, one head of width 2, float32."""

SYSTEM = "You are the old captain of a small island in the north, and you answer in a few words. " * 2


def prefix(*token_ids: int) -> Prefix:
    layer = torch.zeros(1, len(token_ids), 2), torch.zeros(1, len(token_ids), 2)
    return Prefix(token_ids, [layer])


def naive_common(a: Sequence[int], b: Sequence[int]) -> int:
    count = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        count += 1
    return count


def run(start: int, length: int) -> list[int]:
    return list(range(start, start + length))


texts = st.builds(
    lambda stem, kept, tail: stem[:kept] + tail,
    st.sampled_from([[0, 1] * 20, [0, 1, 2] * 12, [5] * 40]),
    st.integers(0, 40),
    st.lists(st.integers(0, 2), max_size=20),
)


@given(a=texts, b=texts)
def test_the_common_beginning_is_what_a_loop_finds(a: list[int], b: list[int]) -> None:
    assert common_length(a, b) == common_length(b, a) == naive_common(a, b)
    assert common_length(tuple(a), tuple(a)) == len(a)


@given(held=st.lists(texts.filter(len), max_size=8), wanted=texts)
def test_the_longest_held_beginning_is_found_if_it_is_worth_copying(held: list[list[int]], wanted: list[int]) -> None:
    cache = PrefixCache(10**6)
    for text in held:
        cache.add(prefix(*text))
    longest = max((naive_common(wanted, text) for text in held), default=0)
    length, holder = cache.find(wanted)
    if longest < SHORTEST_PREFIX:
        assert (length, holder) == (0, None)
    else:
        assert length == longest
        assert holder is not None and naive_common(wanted, holder.token_ids) == longest


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40), room=st.integers(1, 5))
@settings(deadline=None)
def test_the_budget_is_kept_and_the_least_recently_used_goes_first(steps: list[tuple[int, bool]], room: int) -> None:
    size = SHORTEST_PREFIX * BYTES_PER_TOKEN
    cache = PrefixCache(room * size + size // 2)
    recent: list[Any] = []
    for number, adds in steps:
        text = run(100 * number, SHORTEST_PREFIX)
        if adds:
            cache.add(prefix(*text))
            if number not in recent:
                recent = [*recent, number][-room:]
        else:
            assert (cache.find(text)[1] is not None) == (number in recent)
            if number in recent:
                recent.remove(number)
                recent.append(number)
        assert cache.bytes == len(recent) * size <= cache.budget
    for number in range(10):
        assert cache.covers(run(100 * number, SHORTEST_PREFIX)) == (number in recent)


def test_what_is_larger_than_the_budget_is_not_held_and_drives_nothing_out() -> None:
    cache = PrefixCache(30 * BYTES_PER_TOKEN)
    cache.add(prefix(*run(0, 20)))
    cache.add(prefix(*run(100, 31)))
    assert cache.bytes == 20 * BYTES_PER_TOKEN
    assert cache.covers(run(0, 20)) and not cache.covers(run(100, 31))


def test_a_text_is_covered_only_as_a_whole() -> None:
    cache = PrefixCache(10**6)
    cache.add(prefix(*run(0, 20)))
    assert cache.covers(run(0, 18)) and not cache.covers([*run(0, 18), 99])


def asking(question: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]


@pytest.mark.parametrize("router", [Router("p", threshold=0.5), Router("judge", judge=lambda prefix: "base"), Router("aligned")])
def test_a_request_that_begins_like_an_earlier_one_reads_only_the_rest(random_pair: ModelPair, router: Router, passes: list[Pass]) -> None:
    params = SamplingParams(n=2, max_tokens=8, seed=3)
    questions = ["What is the name of it?", "Where does the old ship go?"]
    cold = [Engine(fresh(random_pair)).generate(asking(question), params, router) for question in questions]
    engine = Engine(fresh(random_pair))
    assert engine.generate(asking(questions[0]), params, router).candidates == cold[0].candidates
    passes.clear()
    warm = engine.generate(asking(questions[1]), params, router)
    assert warm.candidates == cold[1].candidates
    for which, prompt in warm.prompt_token_ids.items():
        common = naive_common(cold[0].prompt_token_ids[which], prompt)
        starts = [feed.start for one in passes if one.model is random_pair.model(which) for feed in one.feeds]
        assert 0 < SHORTEST_PREFIX < common <= min(starts)


def test_the_same_prompt_again_reads_its_last_token_alone(random_pair: ModelPair, passes: list[Pass]) -> None:
    engine, params = Engine(fresh(random_pair)), SamplingParams(max_tokens=1, seed=3)
    first = engine.generate(asking("Who?"), params, Router("base"))
    assert sum(one.tokens for one in passes) == len(first.prompt_token_ids["base"])
    passes.clear()
    assert engine.generate(asking("Who?"), params, Router("base")).candidates == first.candidates
    assert [one.tokens for one in passes] == [1]


def test_without_a_budget_everything_is_read_again(random_pair: ModelPair, passes: list[Pass]) -> None:
    pair = fresh(random_pair)
    for cache in Scheduler.of(pair).prefixes.values():
        cache.budget = 0
    engine, params = Engine(pair), SamplingParams(max_tokens=1, seed=3)
    results = [engine.generate(asking("Who?"), params, Router("base")) for _ in range(2)]
    assert sum(one.tokens for one in passes) == 2 * len(results[0].prompt_token_ids["base"])
    assert results[0].candidates == results[1].candidates


def test_usage_says_how_much_of_the_prompt_had_been_read(get_pair: Callable[[str], ModelPair]) -> None:
    engine = Engine(fresh(get_pair("llama")))
    prompt, other = "Tell me of a rabbit that lives by the sea, and of nothing else.", "Who are you?"
    params, router = SamplingParams(max_tokens=4, seed=1), Router("p", threshold=0.5)
    first, again = (engine.generate(prompt, params, router).usage for _ in range(2))
    assert first.cached_tokens == 0
    assert again.cached_tokens == again.prompt_tokens - 1, "the last token is read for what comes next"
    assert again == first, "answers do not depend on it, and neither does a comparison"
    assert engine.generate(other, params, router).usage.cached_tokens < again.cached_tokens
