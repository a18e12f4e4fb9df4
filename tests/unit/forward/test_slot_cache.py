"""The KV cache under packed passes: rows of any lengths, computed in any chunks. Truth: the model without a cache."""

import random
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.forward.slot_cache import FIRST_CAPACITY, SlotCache
from baco.models.layer_kinds import LayerKind
from baco.models.loading import embedding_rows
from baco.models.pair import ModelPair


def runner_of(pair: ModelPair) -> ModelRunner:
    return ModelRunner(ModelPass(pair.aligned, pair.vocab_size, replacement_id=0))


@pytest.fixture
def model(random_pair: ModelPair) -> PreTrainedModel:
    return random_pair.aligned


@pytest.fixture
def runner(random_pair: ModelPair) -> ModelRunner:
    return runner_of(random_pair)


def tokens(count: int, seed: int = 0) -> list[int]:
    return random.Random(seed).choices(range(5, 300), k=count)


def run(runner: ModelRunner, *segments: Segment) -> dict[int, Tensor]:
    """Compute rows in one pass; return the logits [n, V] after the tokens of each row, by slot."""
    logits = runner.prepare(segments, range(sum(len(one.token_ids) for one in segments)), segments[-1].slot + 1).run()
    return dict(zip((one.slot for one in segments), logits.split([len(one.token_ids) for one in segments]), strict=True))


def assert_logits(model: PreTrainedModel, row: list[int], logits: Tensor) -> None:
    """Compare logits [n, V] with those after the last n tokens of a row that is computed whole and alone."""
    with torch.inference_mode():
        whole = model(torch.tensor([row]), use_cache=False).logits[0]
    torch.testing.assert_close(logits, whole[-len(logits) :], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("arch", ["llama", "gemma3", "gpt2"])
@pytest.mark.parametrize("seed", range(3))
def test_rows_in_any_chunks_and_any_company_equal_each_row_alone(arch: str, seed: int, get_pair: Callable[[str], ModelPair]) -> None:
    pair, chance = get_pair(arch), random.Random(seed)
    runner = runner_of(pair)
    rows = [tokens(chance.randint(1, 60), seed=10 * seed + slot) for slot in range(5)]
    read = [0] * len(rows)
    while any(done < len(row) for done, row in zip(read, rows, strict=True)):
        segments = []
        for slot, row in enumerate(rows):
            count = chance.choice([0, 1, 2, 5, 16, 17, 40])
            if piece := row[read[slot] : read[slot] + count]:
                segments.append(Segment(slot=slot, start=read[slot], token_ids=piece))
        if segments:
            found = run(runner, *segments)
            for one in segments:
                read[one.slot] = one.end
                assert_logits(pair.aligned, rows[one.slot][: one.end], found[one.slot])


def test_a_row_that_is_rolled_back_goes_on_as_if_nothing_had_been_computed_after_it(model: PreTrainedModel, runner: ModelRunner) -> None:
    first, second = tokens(6, seed=1), tokens(9, seed=2)
    run(runner, Segment(slot=0, start=0, token_ids=first), Segment(slot=1, start=0, token_ids=second))
    for wrong in range(3):
        run(runner, Segment(slot=0, start=6 + wrong, token_ids=[30]), Segment(slot=1, start=9 + wrong, token_ids=[31]))
    found = run(runner, Segment(slot=0, start=4, token_ids=[40, 41]), Segment(slot=1, start=10, token_ids=[42]))
    assert_logits(model, [*first[:4], 40, 41], found[0])
    assert_logits(model, [*second, 31, 42], found[1])


def test_a_copied_slot_goes_its_own_way(model: PreTrainedModel, runner: ModelRunner) -> None:
    row = tokens(9)
    run(runner, Segment(slot=0, start=0, token_ids=row))
    runner.cache.reserve(4, 0)
    runner.cache.copy_slot(0, 3, 7)
    found = run(runner, Segment(slot=0, start=9, token_ids=[50]), Segment(slot=3, start=7, token_ids=[51, 52]))
    assert_logits(model, [*row, 50], found[0])
    assert_logits(model, [*row[:7], 51, 52], found[3])


@pytest.mark.parametrize("arch", ["llama", "gemma3", "gpt2"])
def test_chunks_that_are_taken_out_can_be_put_together_in_a_new_cache(arch: str, get_pair: Callable[[str], ModelPair]) -> None:
    pair, row = get_pair(arch), tokens(30)
    runner = runner_of(pair)
    run(runner, Segment(slot=0, start=0, token_ids=[7]), Segment(slot=1, start=0, token_ids=row))
    run(runner, Segment(slot=0, start=0, token_ids=[*row[:20], 50, 51]))
    pieces = [(runner.cache.take(1, 0, 15), 12), (runner.cache.take(1, 12, 21), 8), (runner.cache.take(0, 20, 22), 1)]
    run(runner, Segment(slot=0, start=0, token_ids=tokens(30, seed=5)))  # what was taken is a copy
    run(runner, Segment(slot=1, start=0, token_ids=tokens(30, seed=6)))
    other = runner_of(pair)
    other.cache.reserve(3, 21)
    for count, text in enumerate([row[:12], row[:20], [*row[:20], 50]], 1):
        other.cache.put(2, pieces[:count])
        assert_logits(pair.aligned, [*text, 60, 61], run(other, Segment(slot=2, start=len(text), token_ids=[60, 61]))[2])


def test_layers_may_have_other_shapes_than_their_neighbours() -> None:
    shapes = [((2, 3), (2, 5)), ((1, 4), (1, 4))]  # heads and width of keys and of values
    full, new = SlotCache([LayerKind()] * 2, torch.device("cpu")), SlotCache([LayerKind()] * 2, torch.device("cpu"))
    full.places = torch.arange(5)
    states = [[torch.randn(1, heads, 5, width) for heads, width in layer] for layer in shapes]
    for layer, (keys, values) in zip(full.key_value_layers, states, strict=True):
        layer.update(keys, values)
    kept = full.take(0, 1, 4)
    assert kept.values.nbytes == 4 * 3 * (2 * 3 + 2 * 5 + 4 + 4)
    new.put(0, [(kept, 3)])
    for layer, (keys, values) in zip(new.key_value_layers, states, strict=True):
        assert layer.keys is not None and layer.values is not None
        assert torch.equal(layer.keys[0, :3], keys[0, :, 1:4].transpose(0, 1))
        assert torch.equal(layer.values[0, :3], values[0, :, 1:4].transpose(0, 1))


def test_the_cache_grows_and_shrinks_without_a_trace(model: PreTrainedModel, runner: ModelRunner) -> None:
    long, short = tokens(FIRST_CAPACITY - 2), tokens(5, seed=1)
    run(runner, Segment(slot=0, start=0, token_ids=long))
    run(runner, Segment(slot=1, start=0, token_ids=short))
    for token in range(60, 66):
        long, short = [*long, token], [*short, token]
        found = run(
            runner, Segment(slot=0, start=len(long) - 1, token_ids=[token]), Segment(slot=1, start=len(short) - 1, token_ids=[token])
        )
        assert_logits(model, long, found[0])
        assert_logits(model, short, found[1])
    run(runner, Segment(slot=40, start=0, token_ids=short))
    many = runner.cache.bytes
    runner.cache.shrink(2)
    assert runner.cache.bytes < many / 10
    assert_logits(model, [*long, 70], run(runner, Segment(slot=0, start=len(long), token_ids=[70]))[0])
    assert_logits(model, [*short, 71], run(runner, Segment(slot=1, start=len(short), token_ids=[71]))[1])


def test_the_cache_knows_its_memory_and_gives_it_back(model: PreTrainedModel, runner: ModelRunner) -> None:
    assert runner.cache.bytes == 0
    run(runner, Segment(slot=2, start=0, token_ids=[5, 6]))
    config = model.config
    width = config.num_key_value_heads * config.hidden_size // config.num_attention_heads
    slots, stride = runner.cache.slots, runner.cache.stride
    assert slots >= 3 and stride >= 3
    assert runner.cache.bytes == 2 * config.num_hidden_layers * slots * stride * width * 4, "keys and values, float32"
    runner.cache.release()
    assert runner.cache.bytes == 0
    assert_logits(model, [8, 9], run(runner, Segment(slot=1, start=0, token_ids=[8, 9]))[1])


def test_nothing_is_lost_when_room_is_made_for_what_fits_already(runner: ModelRunner) -> None:
    run(runner, Segment(slot=1, start=0, token_ids=tokens(9)))
    before, held = runner.cache.bytes, runner.cache.take(1, 0, 9)
    runner.cache.reserve(1, 5)
    assert runner.cache.bytes == before
    assert torch.equal(held.values, runner.cache.take(1, 0, 9).values)


def test_room_that_is_made_holds_nothing_that_could_spoil_a_pass(runner: ModelRunner) -> None:
    run(runner, Segment(slot=1, start=0, token_ids=tokens(9)))
    spoilt = [torch.full_like(tensor, torch.nan).repeat(3, 3, 1, 1) for tensor in runner.cache.tensors for _ in range(2)]
    del spoilt  # whose memory is likely taken next
    runner.cache.reserve(runner.cache.slots + 2, 2 * runner.cache.capacity)
    assert all(bool(tensor.isfinite().all()) for tensor in runner.cache.tensors)


@pytest.mark.parametrize("fits", range(4))
def test_a_cache_that_found_no_memory_to_grow_is_as_it_was(
    model: PreTrainedModel, runner: ModelRunner, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    row, allocate, calls = tokens(200), torch.Tensor.new_empty, []

    def scarce(self: Tensor, *shape: int) -> Tensor:
        calls.append(shape)
        if len(calls) == fits + 1:
            raise torch.OutOfMemoryError("out of memory")
        return allocate(self, shape)

    run(runner, Segment(slot=1, start=0, token_ids=row[:20]))
    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "new_empty", scarce)
        with pytest.raises(torch.OutOfMemoryError):
            run(runner, Segment(slot=1, start=20, token_ids=row[20:]))
    assert len(calls) >= fits + 1
    assert_logits(model, row[:40], run(runner, Segment(slot=1, start=20, token_ids=row[20:40]))[1])
    assert_logits(model, row, run(runner, Segment(slot=1, start=40, token_ids=row[40:]))[1])


def test_only_the_logits_that_are_wanted_come_back(model: PreTrainedModel, runner: ModelRunner) -> None:
    row = tokens(8)
    logits = runner.prepare([Segment(slot=0, start=0, token_ids=row)], [2, 7]).run()
    assert_logits(model, row[:3], logits[:1])
    assert_logits(model, row, logits[1:])


def test_prepared_passes_keep_what_each_was_prepared_with(model: PreTrainedModel, runner: ModelRunner) -> None:
    rows = [tokens(8, seed=1), tokens(5, seed=2)]
    runner.cache.reserve(2, 8)
    passes = [runner.prepare([Segment(slot=slot, start=0, token_ids=row)], [len(row) - 1]) for slot, row in enumerate(rows)]
    for row, prepared in reversed(list(zip(rows, passes, strict=True))):
        assert_logits(model, row, prepared.run())


def test_a_pass_is_refused_once_its_cache_was_reallocated(runner: ModelRunner) -> None:
    prepared = runner.prepare([Segment(slot=0, start=0, token_ids=tokens(8))], [7])
    runner.cache.reserve(1, 2 * runner.cache.capacity)
    with pytest.raises(AssertionError, match="reallocated"):
        prepared.run()


def test_an_empty_cache_has_nothing_to_copy(random_pair: ModelPair) -> None:
    cache = SlotCache([LayerKind()] * 2, random_pair.device)
    cache.reserve(4, 300)
    cache.copy_slot(0, 3, 5)
    assert cache.bytes == 0


def test_a_token_that_the_model_lacks_is_replaced(random_pair: ModelPair) -> None:
    model = random_pair.base
    rows = embedding_rows(model)
    runner = ModelRunner(ModelPass(model, rows + 3, replacement_id=2))
    logits = run(runner, Segment(slot=0, start=0, token_ids=[5, rows + 1, 7]))[0]
    assert_logits(model, [5, 2, 7], logits[:, :rows])
    assert torch.isneginf(logits[:, rows:]).all()
