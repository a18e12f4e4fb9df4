"""Packed attention, against torch's own attention over each row alone; and that the model is untouched outside of a pass."""

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoModelForCausalLM, PreTrainedModel

from baco.forward.attention import attend, packed_attention
from baco.forward.cuda import without_cudnn_sdpa
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import LONG_SEGMENT, PackedPass, Reach, Segment
from tests.support.gate import PATIENCE

SLOTS, CAPACITY, WIDTH = 9, 90, 8
SIZE = 5
REACHES = (Reach(), Reach("sliding", SIZE), Reach("chunked", SIZE))
CPU = torch.device("cpu")


@pytest.fixture(params=["sdpa", "eager"])
def model(request: pytest.FixtureRequest, pair_folders: Callable[[str], tuple[Path, Path]]) -> Iterator[PreTrainedModel]:
    """A model that is set to each of transformers' two ways to compute attention on a CPU."""
    yield AutoModelForCausalLM.from_pretrained(pair_folders("llama")[1], attn_implementation=request.param).eval()


def random_segments(chance: random.Random) -> list[Segment]:
    """Segments of some slots at random positions: short ones and long ones."""
    segments = []
    for slot in sorted(chance.sample(range(SLOTS), chance.randint(1, SLOTS))):
        count = chance.choice([1, 1, 1, 2, 3, LONG_SEGMENT, LONG_SEGMENT + 1, 40])
        segments.append(Segment(slot=slot, start=chance.randint(0, CAPACITY - count), token_ids=[0] * count))
    return segments


def alone(segment: Segment, query: Tensor, key: Tensor, value: Tensor, kind: str, scaling: float | None) -> Tensor:
    """Attention of one row's tokens [Hq, n, D] over its own keys, token by token."""
    groups = query.shape[0] // key.shape[0]
    outputs = []
    for index, position in enumerate(range(segment.start, segment.end)):
        first = {"full": 0, "sliding": max(0, position - SIZE + 1), "chunked": position - position % SIZE}[kind]
        keys, values = (t[:, first : position + 1].repeat_interleave(groups, 0) for t in (key, value))
        outputs.append(scaled_dot_product_attention(query[:, index : index + 1], keys, values, scale=scaling))
    return torch.cat(outputs, 1)


@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (6, 1)], ids=lambda heads: f"{heads[0]}-over-{heads[1]}")
@pytest.mark.parametrize("reach", range(len(REACHES)), ids=[reach.kind for reach in REACHES])
@pytest.mark.parametrize("seed", range(4))
def test_each_token_sees_its_own_row_up_to_itself(model: PreTrainedModel, heads: tuple[int, int], reach: int, seed: int) -> None:
    chance, (queries, keys) = random.Random(seed), heads
    segments = random_segments(chance)
    count = sum(len(segment.token_ids) for segment in segments)
    make = torch.Generator().manual_seed(seed)
    query = torch.randn(1, queries, count, WIDTH, generator=make)
    key, value = torch.randn(2, SLOTS, keys, CAPACITY, WIDTH, generator=make)
    module: Any = SimpleNamespace(num_key_value_groups=queries // keys, training=False)
    scaling = chance.choice([WIDTH**-0.5, 0.2])
    mark = torch.zeros(1, 1, 1, 1 + reach)
    with packed_attention(model, PackedPass(segments, CPU, REACHES, CAPACITY)):
        output, _ = attend(module, query, key, value, mark, scaling=scaling)
    pieces = query[0].split([len(segment.token_ids) for segment in segments], dim=1)
    expected = [
        alone(segment, piece, key[segment.slot], value[segment.slot], REACHES[reach].kind, scaling)
        for segment, piece in zip(segments, pieces, strict=True)
    ]
    torch.testing.assert_close(output[0].transpose(0, 1), torch.cat(expected, 1), atol=1e-5, rtol=1e-4)


def test_what_is_after_a_token_or_in_another_slot_is_never_seen(model: PreTrainedModel) -> None:
    segments = [Segment(slot=1, start=4, token_ids=[0] * 3), Segment(slot=3, start=0, token_ids=[0])]
    query, key = torch.randn(1, 4, 4, WIDTH), torch.randn(SLOTS, 2, CAPACITY, WIDTH)
    spoiled = torch.full_like(key, 1e4)
    spoiled[1, :, :7], spoiled[3, :, :1] = key[1, :, :7], key[3, :, :1]
    module: Any = SimpleNamespace(num_key_value_groups=2, training=False)
    with packed_attention(model, PackedPass(segments, CPU, REACHES, CAPACITY)):
        clean, other = (attend(module, query, keys, keys, torch.zeros(1, 1, 1, 1), scaling=0.3)[0] for keys in (key, spoiled))
    torch.testing.assert_close(clean, other)


def test_with_either_attention_a_packed_pass_gives_the_logits_of_each_row(model: PreTrainedModel) -> None:
    runner, rows = ModelRunner(ModelPass(model, model.config.vocab_size, 0)), [[5, 6, 7], list(range(20, 60))]
    logits = runner.prepare([Segment(slot=slot, start=0, token_ids=row) for slot, row in enumerate(rows)], [2, 42], slots=2).run()
    with torch.inference_mode():
        expected = torch.stack([model(torch.tensor([row])).logits[0, -1] for row in rows])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def written(model: PreTrainedModel) -> list[int]:
    ids = torch.tensor([[5, 6, 7, 8]])
    mask = torch.ones_like(ids)
    return model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=8)[0].tolist()  # type: ignore[no-any-return, operator]


def test_the_model_is_as_it_was_after_a_pass_and_after_one_that_fails(model: PreTrainedModel) -> None:
    before, generated = model.config._attn_implementation, written(model)
    runner = ModelRunner(ModelPass(model, model.config.vocab_size, 0))
    runner.prepare([Segment(slot=0, start=0, token_ids=[5, 6])], [1]).run()
    assert (model.config._attn_implementation, written(model)) == (before, generated)
    with (
        pytest.raises(ZeroDivisionError),
        packed_attention(model, PackedPass([Segment(slot=0, start=0, token_ids=[5])], CPU, REACHES, CAPACITY)),
    ):
        raise ZeroDivisionError
    assert (model.config._attn_implementation, written(model)) == (before, generated)


def test_another_thread_can_use_the_model_while_a_pass_is_running(model: PreTrainedModel) -> None:
    found: list[object] = []
    expected = written(model)

    def use() -> None:
        try:
            found.append(written(model))
        except BaseException as error:
            found.append(error)

    with packed_attention(model, PackedPass([Segment(slot=0, start=0, token_ids=[5])], CPU, REACHES, CAPACITY)):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert found == [expected]


def test_two_threads_that_run_packed_passes_of_one_model_leave_it_as_it_was(model: PreTrainedModel) -> None:
    inside, leave = threading.Event(), threading.Event()
    before = model.config._attn_implementation
    layout = PackedPass([Segment(slot=0, start=0, token_ids=[5])], CPU, REACHES, CAPACITY)

    def read() -> None:
        with packed_attention(model, layout):
            inside.set()
            leave.wait(PATIENCE)

    second = threading.Thread(target=read)
    with packed_attention(model, layout):
        second.start()
        inside.wait(0.2)  # as the passes exclude each other, it may well stand outside
    leave.set()
    second.join()
    assert model.config._attn_implementation == before


def test_a_pass_without_wanted_logits_fills_the_cache_all_the_same(model: PreTrainedModel) -> None:
    runner, row = ModelRunner(ModelPass(model, model.config.vocab_size, 0)), list(range(20, 60))
    assert runner.prepare([Segment(slot=0, start=0, token_ids=row[:25])], []).run().shape == (0, model.config.vocab_size)
    logits = runner.prepare([Segment(slot=0, start=25, token_ids=row[25:])], [14]).run()
    with torch.inference_mode():
        expected = model(torch.tensor([row])).logits[0, -1:]
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_cudnn_is_left_out_only_where_shapes_vary() -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    for setting in (True, False):
        torch.backends.cuda.enable_cudnn_sdp(setting)
        with pytest.raises(ZeroDivisionError), without_cudnn_sdpa():
            assert not torch.backends.cuda.cudnn_sdp_enabled()
            raise ZeroDivisionError
        assert torch.backends.cuda.cudnn_sdp_enabled() is setting
    torch.backends.cuda.enable_cudnn_sdp(before)
