"""States under packed passes: rows of any lengths, in any pieces, with drafts. Truth: the model without a cache."""

import copy
import random
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from baco import ModelPair
from baco.forward.mixers import ByRow, mixers
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from tests.support.marks import slow_but
from tests.support.pairs import RECURRENT

GetPair = Callable[[str], ModelPair]
ARCHITECTURES = slow_but(["qwen3_5", "lfm2", "falcon_h1", "nemotron_h", "jamba"], RECURRENT)
TOLERANCE = 0.02
"""Of logits that range over about 40; a wrong state changes them by far more."""


def runner_of(pair: ModelPair) -> ModelRunner:
    return ModelRunner(ModelPass(pair.aligned, pair.vocab_size, replacement_id=0))


def run(runner: ModelRunner, *segments: Segment) -> list[Tensor]:
    """The logits of each segment, of which the cache takes note."""
    counts = [len(segment.token_ids) for segment in segments]
    logits = runner.prepare(segments, range(sum(counts)), segments[-1].slot + 1).run().clone()
    for segment in segments:
        runner.cache.computed(segment)
    return list(logits.split(counts))


def alone(pair: ModelPair, row: list[int]) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = pair.aligned(torch.tensor([row]), use_cache=False).logits[0]
    return logits


def tokens(count: int, seed: int = 0) -> list[int]:
    return [random.Random(seed * 1000 + index).randrange(3, 400) for index in range(count)]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_rows_in_any_pieces_with_wrong_drafts_have_the_logits_of_each_row_alone(arch: str, get_pair: GetPair) -> None:
    pair, chance = get_pair(arch), random.Random(arch)
    runner, rows = runner_of(pair), [tokens(chance.randint(1, 24), seed=slot) for slot in range(6)]
    expected, done = [alone(pair, row) for row in rows], [0] * len(rows)
    while any(count < len(row) for count, row in zip(done, rows, strict=True)):
        segments = []
        for slot, row in enumerate(rows):
            if done[slot] < len(row) and chance.random() < 0.8:
                piece = row[done[slot] : done[slot] + chance.randint(1, 7)]
                drafts = tokens(chance.randint(0, 3), seed=99 + chance.randint(0, 99))
                segments.append(Segment(slot=slot, start=done[slot], token_ids=[*piece, *drafts], num_drafts=len(drafts)))
        if not segments:
            continue
        for segment, logits in zip(segments, run(runner, *segments), strict=True):
            final = len(segment.token_ids) - segment.num_drafts
            start = done[segment.slot]
            torch.testing.assert_close(logits[:final], expected[segment.slot][start : start + final], atol=TOLERANCE, rtol=TOLERANCE)
            done[segment.slot] += final


@pytest.mark.parametrize("arch", ["qwen3_5", "lfm2", "falcon_h1"])
def test_right_drafts_have_the_logits_that_they_would_have_as_final_tokens(arch: str, get_pair: GetPair) -> None:
    pair, row = get_pair(arch), tokens(20)
    runner = runner_of(pair)
    run(runner, Segment(slot=0, start=0, token_ids=row[:9]))
    (logits,) = run(runner, Segment(slot=0, start=9, token_ids=row[9:16], num_drafts=5))
    torch.testing.assert_close(logits, alone(pair, row)[9:16], atol=TOLERANCE, rtol=TOLERANCE)


@torch.inference_mode()
@pytest.mark.parametrize("arch", ["qwen3_5", "falcon_h1", "mamba2"])
def test_a_slot_that_is_copied_or_kept_goes_on_where_its_states_stand_and_nowhere_else(arch: str, get_pair: GetPair) -> None:
    pair, row = get_pair(arch), tokens(24)
    runner, expected = runner_of(pair), alone(pair, row)
    cache = runner.cache
    cache.reserve(4, 0)
    run(runner, Segment(slot=0, start=0, token_ids=row[:12]))
    assert (cache.resume(0, 12), cache.resume(0, 11)) == (12, 0)
    assert cache.copy_slot(0, 1, 15) == 12, "no further than it has come"
    assert cache.copy_slot(0, 2, 11) == 0, "its states know the twelfth token too"
    kept, states = cache.take(0, 0, 12), cache.take_states(0, 12)
    cache.release()
    cache.reserve(4, 24)
    cache.put(3, [(kept, 12)], states)
    (logits,) = run(runner, Segment(slot=3, start=12, token_ids=row[12:]))
    torch.testing.assert_close(logits, expected[12:], atol=TOLERANCE, rtol=TOLERANCE)


def test_a_pass_from_where_the_states_do_not_stand_is_refused(get_pair: GetPair) -> None:
    runner = runner_of(get_pair("qwen3_5"))
    run(runner, Segment(slot=0, start=0, token_ids=tokens(6)))
    with pytest.raises(AssertionError, match="stand at 6, not at 5"):
        run(runner, Segment(slot=0, start=5, token_ids=[7]))
    assert runner.cache.resume(0, 6) == 0, "after a pass that fails nobody knows where they stand"


@pytest.mark.parametrize("arch", ["qwen3_5", "falcon_h1"])
def test_the_cache_grows_shrinks_and_frees_its_states(arch: str, get_pair: GetPair) -> None:
    pair, rows = get_pair(arch), [tokens(10, seed=1), tokens(10, seed=2)]
    runner = runner_of(pair)
    run(runner, Segment(slot=0, start=0, token_ids=rows[0][:5]), Segment(slot=1, start=0, token_ids=rows[1][:5]))
    size = runner.cache.bytes
    runner.cache.reserve(40, 300)
    assert runner.cache.bytes > 4 * size
    runner.cache.shrink(1)
    (logits,) = run(runner, Segment(slot=0, start=5, token_ids=rows[0][5:]))
    torch.testing.assert_close(logits, alone(pair, rows[0])[5:], atol=TOLERANCE, rtol=TOLERANCE)
    runner.release()
    assert runner.cache.bytes == 0


def test_another_thread_and_a_copy_use_the_model_as_ever_while_a_pass_runs(get_pair: GetPair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, row = get_pair("qwen3_5"), tokens(12)
    expected, runner = alone(pair, row), runner_of(pair)
    found: list[Tensor] = []
    call = ByRow.__call__

    def beside(self: ByRow, *args: object, **kwargs: object) -> object:
        if not found and threading.current_thread() is threading.main_thread():
            found.append(torch.empty(0))
            other = threading.Thread(target=lambda: found.append(alone(pair, row)))
            other.start()
            other.join()
        return call(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ByRow, "__call__", beside)
    (logits,) = run(runner, Segment(slot=0, start=0, token_ids=row))
    torch.testing.assert_close(found[1], expected)
    torch.testing.assert_close(logits, expected, atol=TOLERANCE, rtol=TOLERANCE)
    copied = copy.deepcopy(pair.aligned)
    assert [vars(mixer)["forward"].mixer for mixer in mixers(copied)] == mixers(copied)
