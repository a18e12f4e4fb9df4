"""Cached prefixes: which one is found, which one is evicted, and what an engine saves by them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baco import Engine, ModelPair, Router, SamplingParams
from baco.engine.request_queue import RequestQueue
from baco.forward.prefix_cache import SHORTEST_PREFIX, Prefix, PrefixCache
from baco.forward.slot_cache import KeptTokens
from baco.vocab.token_ids import common_length
from tests.support.gate import Pass, fresh

BYTES_PER_TOKEN = 16
"""Two int64, which say whose token it is."""

SYSTEM = "You are the old captain of a small island in the north, and you answer in a few words. " * 2


def keep(cache: PrefixCache, token_ids: list[int]) -> None:
    """Cache a text, with the position and the token itself in place of its keys and values."""
    read = torch.tensor(list(enumerate(token_ids)))
    cache.keep(token_ids, lambda start: KeptTokens(read[start:].clone(), (torch.Size([1, 2]),)))


def told(found: Prefix) -> list[list[int]]:
    return [token for kept, count in found.parts for token in kept.values[:count].tolist()]


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


@given(held=st.lists(texts.filter(lambda text: len(text) >= SHORTEST_PREFIX), max_size=12), wanted=texts)
def test_the_longest_cached_prefix_is_found_and_is_that_text(held: list[list[int]], wanted: list[int]) -> None:
    cache = PrefixCache(10**6)
    for text in held:
        keep(cache, text)
    longest = max((naive_common(wanted, text) for text in held), default=0)
    found = cache.find(wanted)
    assert found.length == (longest if longest >= SHORTEST_PREFIX else 0)
    assert told(found) == [list(pair) for pair in enumerate(wanted[: found.length])]
    assert all(cache.covers(text) for text in held)


@given(held=st.lists(texts.filter(lambda text: len(text) >= SHORTEST_PREFIX), max_size=12))
def test_no_token_is_cached_twice_after_the_shortest_prefix(held: list[list[int]]) -> None:
    cache = PrefixCache(10**6)
    for text in held:
        keep(cache, text)
    firsts = {tuple(text[:SHORTEST_PREFIX]) for text in held}
    longer = {tuple(text[:end]) for text in held for end in range(SHORTEST_PREFIX + 1, len(text) + 1)}
    assert cache.bytes == (SHORTEST_PREFIX * len(firsts) + len(longer)) * BYTES_PER_TOKEN


@given(
    steps=st.lists(st.tuples(texts.filter(lambda text: len(text) >= SHORTEST_PREFIX), st.booleans()), max_size=30), room=st.integers(20, 90)
)
def test_with_any_budget_what_is_found_is_right_and_what_was_kept_last_is_there(steps: list[tuple[list[int], bool]], room: int) -> None:
    cache = PrefixCache(room * BYTES_PER_TOKEN)
    held: list[list[int]] = []
    for text, adds in steps:
        if adds:
            keep(cache, text)
            held.append(text)
            assert cache.bytes <= cache.budget
        found = cache.find(text)
        assert told(found) == [list(pair) for pair in enumerate(text[: found.length])]
        assert found.length <= max((naive_common(text, other) for other in held), default=0)
    for text in [text for text, adds in steps[-1:] if adds and 2 * len(text) <= room]:
        assert cache.covers(text)


def test_of_a_conversation_and_its_branches_the_least_recently_used_end_goes_first() -> None:
    stem, size = run(0, 40), BYTES_PER_TOKEN
    ends = [[*stem, *run(100 * number, 10)] for number in (1, 2, 3)]
    cache = PrefixCache(60 * size)
    keep(cache, stem)
    keep(cache, ends[0])
    keep(cache, ends[1])
    assert cache.bytes == 60 * size
    assert cache.covers(ends[0])  # used again
    keep(cache, ends[2])
    assert [cache.find(end).length for end in ends] == [50, 40, 50]
    assert cache.bytes == 60 * size
    keep(cache, run(500, 45))
    assert [cache.find(end).length for end in ends] == [0, 0, 0], "a beginning goes behind all of its ends"
    assert cache.bytes == 45 * size


@given(steps=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40), room=st.integers(1, 5))
def test_the_budget_is_kept_and_the_least_recently_used_goes_first(steps: list[tuple[int, bool]], room: int) -> None:
    size = SHORTEST_PREFIX * BYTES_PER_TOKEN
    cache = PrefixCache(room * size + size // 2)
    recent: list[Any] = []
    for number, adds in steps:
        text = run(100 * number, SHORTEST_PREFIX)
        if adds:
            keep(cache, text)
            # Who keeps what is there uses it.
            recent = [*[other for other in recent if other != number], number][-room:]
        else:
            assert (cache.find(text).last is not None) == (number in recent)
            if number in recent:
                recent.remove(number)
                recent.append(number)
        assert cache.bytes == len(recent) * size <= cache.budget
    for number in range(10):
        assert cache.covers(run(100 * number, SHORTEST_PREFIX)) == (number in recent)


def test_what_is_larger_than_the_budget_is_not_cached_and_evicts_nothing() -> None:
    cache = PrefixCache(40 * BYTES_PER_TOKEN)
    keep(cache, run(0, 20))
    keep(cache, run(200, 20))
    keep(cache, run(100, 41))
    keep(cache, run(0, 41))  # half of which is cached
    assert cache.bytes == 40 * BYTES_PER_TOKEN
    assert cache.covers(run(0, 20)) and cache.covers(run(200, 20))
    assert not cache.covers(run(100, 41)) and not cache.covers(run(0, 41))
    cache.clear()
    assert (cache.bytes, cache.find(run(0, 20))) == (0, Prefix())


def test_a_text_is_covered_only_as_a_whole() -> None:
    cache = PrefixCache(10**6)
    keep(cache, run(0, 20))
    assert cache.covers(run(0, 18)) and not cache.covers([*run(0, 18), 99])
    assert not cache.covers(run(0, 3)), "too short to be held"


def asking(question: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]


@pytest.mark.parametrize("router", [Router("p", threshold=0.5), Router("judge", judge=lambda prefix: "base"), Router("aligned")])
def test_a_request_that_begins_like_another_computes_only_the_rest(random_pair: ModelPair, router: Router, passes: list[Pass]) -> None:
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
        starts = [segment.start for one in passes if one.model is random_pair.model(which) for segment in one.segments]
        assert 0 < SHORTEST_PREFIX < common <= min(starts)


@pytest.mark.parametrize("arch", ["llama", "gemma3"])
def test_conversations_that_branch_compute_only_what_is_new_and_answer_as_without_a_cache(
    arch: str, get_pair: Callable[[str], ModelPair], passes: list[Pass]
) -> None:
    pair, params = get_pair(arch), SamplingParams(max_tokens=6, seed=3)
    router = Router("judge", judge=lambda prefix: "base" if len(prefix.text) % 2 else "aligned")  # both models compute everything
    engine = Engine(fresh(pair))

    def ask(chat: list[dict[str, Any]]) -> list[dict[str, Any]]:
        cold = Engine(fresh(pair)).generate(chat, params, router)
        passes.clear()
        warm = engine.generate(chat, params, router)
        assert warm.candidates == cold.candidates
        for which, prompt in warm.prompt_token_ids.items():
            starts = [segment.start for one in passes if one.model is pair.model(which) for segment in one.segments]
            common = max((naive_common(prompt, other) for other in read[which]), default=0)
            assert min(starts) >= min(common, len(prompt) - 1)
            read[which].append(prompt)
        return [*chat, {"role": "assistant", "content": "Aye."}]

    read: dict[str, list[list[int]]] = {"base": [], "aligned": []}
    first = ask(asking("Who are you?"))
    second = ask([*first, {"role": "user", "content": "And your ship?"}])
    for last in ("Where is it?", "Where was it?", "Is it old?"):
        ask([*second, {"role": "user", "content": last}])
    ask([*first, {"role": "user", "content": "And your crew?"}])


def test_the_same_prompt_again_computes_its_last_token_alone(random_pair: ModelPair, passes: list[Pass]) -> None:
    engine, params = Engine(fresh(random_pair)), SamplingParams(max_tokens=1, seed=3)
    first = engine.generate(asking("Who?"), params, Router("base"))
    assert sum(one.tokens for one in passes) == len(first.prompt_token_ids["base"])
    passes.clear()
    assert engine.generate(asking("Who?"), params, Router("base")).candidates == first.candidates
    assert [one.tokens for one in passes] == [1]


def test_without_a_budget_everything_is_computed_again(random_pair: ModelPair, passes: list[Pass]) -> None:
    pair = fresh(random_pair)
    for cache in RequestQueue.of(pair).prefixes.values():
        cache.budget = 0
    engine, params = Engine(pair), SamplingParams(max_tokens=1, seed=3)
    results = [engine.generate(asking("Who?"), params, Router("base")) for _ in range(2)]
    assert sum(one.tokens for one in passes) == 2 * len(results[0].prompt_token_ids["base"])
    assert results[0].candidates == results[1].candidates


def test_usage_says_how_much_of_the_prompt_was_cached(get_pair: Callable[[str], ModelPair]) -> None:
    engine = Engine(fresh(get_pair("llama")))
    prompt, other = "Tell me of a rabbit that lives by the sea, and of nothing else.", "Who are you?"
    params, router = SamplingParams(max_tokens=4, seed=1), Router("p", threshold=0.5)
    first, again = (engine.generate(prompt, params, router).usage for _ in range(2))
    assert first.cached_tokens == 0
    assert again.cached_tokens == again.prompt_tokens - 1, "the last token is read for what comes next"
    assert again == first, "answers do not depend on it, and neither does a comparison"
    assert engine.generate(other, params, router).usage.cached_tokens < again.cached_tokens


@given(held=st.lists(st.tuples(texts.filter(lambda text: len(text) >= SHORTEST_PREFIX), st.booleans()), max_size=12), wanted=texts)
def test_of_a_model_with_states_the_longest_prefix_whose_states_are_cached_is_found(
    held: list[tuple[list[int], bool]], wanted: list[int]
) -> None:
    cache = PrefixCache(10**6)
    for text, stands in held:
        states = ({("recurrent_states", 0): torch.tensor([len(text), text[-1]])},) if stands else ()
        read = torch.tensor(list(enumerate(text)))
        cache.keep(text, lambda start, read=read: KeptTokens(read[start:].clone(), (torch.Size([1, 2]),)), states)  # type: ignore[misc]
    whole = [len(text) for text, stands in held if stands and wanted[: len(text)] == text]
    found = cache.find(wanted, with_states=True)
    assert found.length == max(whole, default=0)
    assert told(found) == [list(pair) for pair in enumerate(wanted[: found.length])]
    if found.length:
        assert found.states[0]["recurrent_states", 0].tolist() == [found.length, wanted[found.length - 1]]
    distinct = {tuple(text) for text, stands in held if stands}
    assert cache.bytes == sum(node.nbytes for node in cache._nodes.values()) >= 16 * len(distinct)
