"""Drafts from what an answer repeats: where they come from, how long they are, and that they never change an answer."""

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from baco.decoding.drafting import FIRST_DRAFT, LONGEST_DRAFT, NGRAM, PAUSE, PromptLookup
from baco.decoding.sequence import SequenceState
from tests.unit.decoding.test_sequence import Driver, Toy, lockstep, new_sequence, toys


def answer(committed: list[int], drafts: Sequence[int] = ()) -> SequenceState:
    """A row with committed tokens and draft tokens."""
    sequence = new_sequence("speculative", max_tokens=500)
    sequence.token_ids = [*committed, *drafts]
    sequence.num_committed = len(committed)
    return sequence


def settle(lookup: PromptLookup, sequence: SequenceState, kept: int, instead: int = 99) -> None:
    """Commit the first `kept` tokens of the open draft, and another token after them; draft again."""
    del sequence.token_ids[sequence.num_committed + kept :]
    sequence.token_ids.append(instead)
    sequence.num_committed = len(sequence.token_ids)
    lookup.extend(sequence)


def drafted(sequence: SequenceState) -> list[int]:
    return sequence.token_ids[sequence.num_committed :]


def test_a_text_that_repeats_its_prompt_is_drafted_from_there() -> None:
    sequence = answer([1, 2, 3])
    PromptLookup([9, 1, 2, 3, 4, 5, 6, 7, 8, 9]).extend(sequence)
    assert drafted(sequence) == [4, 5, 6, 7, 8, 9][:FIRST_DRAFT]


def test_a_text_that_repeats_itself_is_drafted_from_the_last_place() -> None:
    lookup, sequence = PromptLookup([1, 2, 3, 40, 41, 42, 43]), answer([1, 2, 3, 50, 51, 52, 53, 54, 1, 2, 3])
    lookup.extend(sequence)
    assert drafted(sequence) == [50, 51, 52, 53, 54][:FIRST_DRAFT]


def test_fewer_tokens_in_common_than_an_n_gram_draft_nothing() -> None:
    lookup, sequence = PromptLookup([8, *range(1, NGRAM), 4, 5, 6]), answer([7, *range(1, NGRAM)])
    lookup.extend(sequence)
    assert drafted(sequence) == [] and lookup.open_tokens == 0


def test_one_draft_token_is_continued_and_two_are_not() -> None:
    prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    one, two = answer([1, 2], [3]), answer([1], [2, 3])
    for sequence in (one, two):
        PromptLookup(prompt).extend(sequence)
    assert drafted(one) == [3, 4, 5, 6, 7][: 1 + FIRST_DRAFT]
    assert drafted(two) == [2, 3]


def test_an_open_draft_is_not_drafted_again() -> None:
    lookup, sequence = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9]), answer([1, 2, 3])
    lookup.extend(sequence)
    before = list(sequence.token_ids)
    lookup.extend(sequence)
    assert sequence.token_ids == before and lookup.open_tokens == FIRST_DRAFT


def test_drafts_that_are_kept_grow_to_the_longest() -> None:
    prompt = list(range(100, 200))
    lookup, sequence = PromptLookup(prompt), answer(prompt[:3])
    lookup.extend(sequence)
    lengths: list[int] = []
    while len(lengths) < 6:
        lengths.append(lookup.open_tokens)
        settle(lookup, sequence, kept=lengths[-1], instead=prompt[sequence.num_committed + lengths[-1]])
    assert lengths[0] == FIRST_DRAFT < lengths[1] and lengths == sorted(lengths) and lengths[-1] == LONGEST_DRAFT


def test_a_draft_of_which_little_was_kept_makes_the_next_one_shorter() -> None:
    lookup, sequence = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9]), answer([1, 2, 3])
    lookup.extend(sequence)
    settle(lookup, sequence, kept=1)
    sequence.token_ids += [1, 2, 3]
    sequence.num_committed += 3
    lookup.extend(sequence)
    assert 0 < lookup.open_tokens < FIRST_DRAFT


def test_a_draft_of_which_nothing_was_kept_makes_a_pause() -> None:
    lookup, sequence = PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9]), answer([1, 2, 3])
    lookup.extend(sequence)
    settle(lookup, sequence, kept=0)
    wrong_at = sequence.num_committed
    while True:
        sequence.token_ids += [1, 2, 3]
        sequence.num_committed += 3
        lookup.extend(sequence)
        if lookup.open_tokens:
            break
        assert sequence.num_committed < wrong_at + 2 * PAUSE
    assert sequence.num_committed >= wrong_at + PAUSE


@given(toy=toys(), order=st.integers(), echo=st.integers(0, 40))
@settings(max_examples=150)
def test_drafts_never_change_an_answer(toy: Toy, order: int, echo: int) -> None:
    expected = lockstep(toy, "speculative", 60)
    # A prompt that holds the beginning of the answer is where drafts are likely to be right.
    lookup = PromptLookup([num_committed.token_id for num_committed in expected[:echo]])
    driver = Driver(toy, new_sequence("speculative", 60), random.Random(order), lookup=lookup, drafts=0.05)
    assert driver.run() == expected


def test_a_text_that_repeats_takes_fewer_passes_with_drafts() -> None:
    passes = {True: 0, False: 0}
    for seed in range(30):
        toy = Toy(seed, vocabulary=60, agreement=0.5, memory=1)  # each token follows from the last one, so answers run in circles
        for drafts in passes:
            sequence = new_sequence("speculative", 120)
            lookup = PromptLookup([]) if drafts else None
            driver = Driver(toy, sequence, random.Random(seed), lookup=lookup, evicts=0, drafts=0)
            while not sequence.ended:
                driver.disturb()
                driver.run_pass(sequence.needs(), num_draft_tokens=lookup.open_tokens + 1 if lookup else 1)
                driver.resolve()
            passes[drafts] += driver.passes
            assert driver.answer == lockstep(toy, "speculative", 120)
    assert passes[True] < 0.7 * passes[False]
