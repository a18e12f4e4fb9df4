"""`ScoredSequence` in the decoder: rows that are scored, beside rows that are written. Truth: transformers, and rows that run alone."""

from collections.abc import Callable, Sequence

import pytest
import torch

from baco import Engine, ModelPair
from baco.decoding.row import Row
from baco.decoding.scored import ScoredSequence
from baco.results import Model
from tests.support.gate import fresh
from tests.unit.decoding.test_decode import BEGINNING, MODELS, decoder_of, rows_of

TEXT = f"{BEGINNING}Tell me a tale."


def scored_row(pair: ModelPair, token_ids: list[int], models: Sequence[Model]) -> Row:
    """A row that was evicted, and whose tokens are then to be scored."""
    (row,) = rows_of(pair, [TEXT])
    row.sequence = ScoredSequence.of(row.sequence, token_ids, models)
    return row


def plain_logprobs(pair: ModelPair, row: Row, token_ids: list[int], which: Model) -> list[float]:
    prompt = row.sequence.prompts[which]
    logprobs = pair.model(which)(torch.tensor([[*prompt, *token_ids]])).logits[0].float().log_softmax(-1)
    return [float(logprobs[len(prompt) - 1 + place, token_id]) for place, token_id in enumerate(token_ids)]


@torch.inference_mode()
@pytest.mark.parametrize("models", [("aligned",), ("base",), MODELS])
@pytest.mark.parametrize("first", [True, False])
def test_a_row_never_waits_for_a_prompt_that_a_scored_row_does_not_compute(
    get_pair: Callable[[str], ModelPair], models: Sequence[Model], first: bool
) -> None:
    pair = fresh(get_pair("llama"))
    decoder, token_ids = decoder_of(pair), [7, 99, 31, 7, 250, 8]
    scored, (written,) = scored_row(pair, token_ids, models), rows_of(pair, [TEXT])
    for row in (scored, written) if first else (written, scored):
        decoder.add(row)
    running = {scored, written}
    while running:
        ended = [row for row, _ in decoder.step() if row.sequence.ended]
        decoder.remove(ended)
        running.difference_update(ended)
    assert isinstance(scored.sequence, ScoredSequence) and list(scored.sequence.logprobs) == list(models)
    for which, logprobs in scored.sequence.logprobs.items():
        assert logprobs == pytest.approx(plain_logprobs(pair, scored, token_ids, which), abs=1e-4)
    assert (scored.sequence.token_ids, scored.sequence.proposed) == (token_ids, 0)
    (alone,) = Engine(pair).generate_batch([TEXT], written.params, written.router)
    assert written.sequence.token_ids[: written.sequence.num_committed] == alone.candidates[0].token_ids


@torch.inference_mode()
def test_a_row_goes_on_once_what_it_waits_for_is_only_scored(get_pair: Callable[[str], ModelPair]) -> None:
    pair = fresh(get_pair("llama"))
    decoder = decoder_of(pair)
    donor, waiting = rows_of(pair, [TEXT, TEXT])
    for row in (donor, waiting):
        decoder.add(row)
    donor.sequence = ScoredSequence.of(donor.sequence, [7, 99], ("aligned",))
    while not waiting.sequence.ended:
        decoder.remove([row for row, _ in decoder.step() if row.sequence.ended and row is donor])
    (alone,) = Engine(pair).generate_batch([TEXT], waiting.params, waiting.router)
    assert waiting.sequence.token_ids[: waiting.sequence.num_committed] == alone.candidates[0].token_ids


def test_a_scored_row_that_is_evicted_begins_anew(get_pair: Callable[[str], ModelPair]) -> None:
    row = scored_row(get_pair("llama"), [7, 99, 31], ("aligned",))
    row.sequence.num_computed_tokens["aligned"] = 10
    row.sequence.evict()
    assert isinstance(row.sequence, ScoredSequence)
    assert (row.sequence.num_computed_tokens["aligned"], row.sequence.logprobs, row.sequence.token_ids) == (0, {"aligned": []}, [7, 99, 31])
