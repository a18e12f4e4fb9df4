"""The slot cache: rows of their own lengths, rollback, reordering. Truth: the model without a cache."""

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from baco.loading import embedding_rows
from baco.model_runner import ModelRunner
from baco.pair import ModelPair


def expected(model: PreTrainedModel, rows: list[list[int]]) -> Tensor:
    """Next-token logits [B, V] of each row, recomputed whole and alone."""
    with torch.inference_mode():
        return torch.stack([model(torch.tensor([row])).logits[0, -1] for row in rows])


@pytest.fixture
def model(random_pair: ModelPair) -> PreTrainedModel:
    return random_pair.aligned


@pytest.fixture
def runner(random_pair: ModelPair) -> ModelRunner:
    return ModelRunner(random_pair.aligned, random_pair.vocab_size, replacement_id=0)


def test_ragged_prefill_and_steps_equal_each_row_alone(model: PreTrainedModel, runner: ModelRunner) -> None:
    rows = [[5], [9, 8, 7, 6, 5, 4, 3], [11, 12, 13]]
    torch.testing.assert_close(runner.prefill(rows), expected(model, rows), atol=1e-4, rtol=1e-4)
    for token in (20, 21, 22):
        rows = [[*row, token + index] for index, row in enumerate(rows)]
        logits = runner.step(torch.tensor([row[-1] for row in rows]))
        torch.testing.assert_close(logits, expected(model, rows), atol=1e-4, rtol=1e-4)


def test_rolled_back_rows_continue_as_if_nothing_had_been_fed(model: PreTrainedModel, runner: ModelRunner) -> None:
    rows = [[5, 6], [9, 8, 7, 6, 5]]
    runner.prefill(rows)
    for wrong in (30, 31, 32):
        runner.step(torch.tensor([wrong, wrong]))
    runner.cache.roll_back(0, 3)
    runner.cache.roll_back(1, 1)
    rows = [[*rows[0], 40], [*rows[1], 30, 31, 41]]
    torch.testing.assert_close(runner.step(torch.tensor([40, 41])), expected(model, rows), atol=1e-4, rtol=1e-4)


def test_selected_rows_may_repeat_and_go_separate_ways(model: PreTrainedModel, runner: ModelRunner) -> None:
    runner.prefill([[5, 6], [9, 8, 7]])
    runner.cache.select([1, 1, 0])
    rows = [[9, 8, 7, 50], [9, 8, 7, 51], [5, 6, 52]]
    torch.testing.assert_close(runner.step(torch.tensor([50, 51, 52])), expected(model, rows), atol=1e-4, rtol=1e-4)


def test_the_cache_grows_past_its_first_capacity(model: PreTrainedModel, runner: ModelRunner) -> None:
    row = [int(token) for token in torch.randint(5, 300, (126,), generator=torch.Generator().manual_seed(0))]
    runner.prefill([row])
    for token in range(60, 66):
        row = [*row, token]
        logits = runner.step(torch.tensor([token]))
    torch.testing.assert_close(logits, expected(model, [row]), atol=1e-4, rtol=1e-4)


def test_a_row_cannot_forget_more_than_it_holds(runner: ModelRunner) -> None:
    runner.prefill([[5, 6]])
    with pytest.raises(AssertionError):
        runner.cache.roll_back(0, 3)


def test_a_token_that_the_model_lacks_is_read_as_its_replacement(random_pair: ModelPair) -> None:
    model = random_pair.base
    rows = embedding_rows(model)
    runner = ModelRunner(model, rows + 3, replacement_id=2)
    logits = runner.prefill([[5, rows + 1, 7]])
    torch.testing.assert_close(logits[:, :rows], expected(model, [[5, 2, 7]]), atol=1e-4, rtol=1e-4)
    assert torch.isneginf(logits[:, rows:]).all()
