"""Rows that come and go: their slots, and the KV state in them. Truth: each row prefilled again, alone."""

from collections.abc import Callable, Sequence

import pytest
import torch

from baco import Engine, ModelPair, Router, SamplingParams
from baco.decoding.decode import Decoder
from baco.decoding.row import Row
from baco.decoding.turns import TurnPolicy
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.forward.prefix_cache import PrefixCache
from baco.results import Model
from tests.support.gate import fresh

MODELS: tuple[Model, Model] = ("base", "aligned")
BEGINNING = "You are the old captain of a small island. "


def decoder_of(pair: ModelPair) -> Decoder:
    return Decoder(pair, {which: PrefixCache(2**24) for which in MODELS}, TurnPolicy(), {})


def rows_of(pair: ModelPair, texts: Sequence[str]) -> list[Row]:
    requests = Engine(pair)._requests(texts, SamplingParams(max_tokens=40, seed=3), Router("p", threshold=0.5), "transcript")
    return [answer.row for request in requests for answer in request.answers(pair)]


def assert_slots(pair: ModelPair, decoder: Decoder, rows: Sequence[Row]) -> None:
    """Check that just these rows run, in contiguous slots with the right KV state."""
    assert {slot.row for slot in decoder.slots} == set(rows)
    assert [slot.index for slot in decoder.slots] == list(range(len(rows)))
    for slot in decoder.slots:
        for which, num_computed_tokens in slot.row.sequence.num_computed_tokens.items():
            if num_computed_tokens:
                alone = ModelRunner(ModelPass(pair.model(which), pair.vocab_size, replacement_id=0))
                whole = [Segment(slot=0, start=0, token_ids=slot.row.sequence.slice(which, 0, num_computed_tokens))]
                alone.prepare(whole, []).run()
                held = decoder._runners[which].cache.take(slot.index, 0, num_computed_tokens)
                torch.testing.assert_close(held.values, alone.cache.take(0, 0, num_computed_tokens).values, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("gone", [[0], [5], [0, 5], [1, 2, 4], [5, 4, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5]])
def test_rows_that_leave_together_leave_the_others_as_they_are(gone: list[int], get_pair: Callable[[str], ModelPair]) -> None:
    pair = fresh(get_pair("llama"))
    decoder = decoder_of(pair)
    rows = rows_of(pair, [f"{BEGINNING * (number % 2)}Tell me {number} tales." for number in range(6)])
    for row in rows:
        decoder.add(row)
    for _ in range(6):
        decoder.step()
    decoder.remove([rows[number] for number in gone])
    assert_slots(pair, decoder, [row for number, row in enumerate(rows) if number not in gone])
    if len(gone) < len(rows):
        decoder.step()


@torch.inference_mode()
def test_a_row_takes_the_longest_prefix_that_is_cached_or_running(get_pair: Callable[[str], ModelPair]) -> None:
    pair = fresh(get_pair("llama"))
    decoder = decoder_of(pair)
    first, second, third = rows_of(pair, [BEGINNING + end for end in ("Who?", "Where is it now?", "Where is it then?")])
    decoder.add(first)
    while not all(first.sequence.num_computed_tokens.values()):
        decoder.step()
    decoder.remove([first])
    decoder.add(second)  # reuses the cached prefix of the first
    held = dict(second.sequence.num_computed_tokens)
    assert all(held.values())
    assert_slots(pair, decoder, [second])
    decoder.add(third)  # shares more with the second, which is still prefilling
    assert all(slot.prefix_donors for slot in decoder.slots if slot.row is third)
    assert all(third.passes.reused[which] > held[which] for which in held)
    while not all(third.sequence.num_computed_tokens.values()):
        decoder.step()
    assert_slots(pair, decoder, [second, third])


@torch.inference_mode()
def test_a_row_whose_prefix_donor_leaves_goes_on_alone(get_pair: Callable[[str], ModelPair]) -> None:
    pair = fresh(get_pair("llama"))
    decoder = decoder_of(pair)
    first, second, third = rows_of(pair, [BEGINNING * 3 + end for end in ("Who?", "Where?", "When?")])
    for row in (first, second, third):
        decoder.add(row)
    decoder.remove([first])
    while not all([*second.sequence.num_computed_tokens.values(), *third.sequence.num_computed_tokens.values()]):
        decoder.step()
    assert_slots(pair, decoder, [second, third])
