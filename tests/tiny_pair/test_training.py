"""The training loop of the embedded pair: it learns, and an interrupted run ends as it would have without the interruption."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tinypair import model, training
from tinypair.batching import Encoded, encode_base
from tinypair.corpus import base_document
from tinypair.dialogue import written
from tinypair.source import Source
from tinypair.tokenizer import train_tokenizer
from tinypair.training import Schedule, rate_factor, train

SCHEDULE = Schedule(steps=6, rate=1e-3, tokens=1024, warmup=2, compiled=False)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    source = Source(random.Random(1))
    return train_tokenizer((written(base_document(source)) for _ in range(300)), 600, 1024)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MLP", 64)
    monkeypatch.setattr(model, "LAYERS", 2)
    monkeypatch.setattr(training, "KEEP_EVERY", 2)


def untrained(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(3)
    return model.new_model(tokenizer)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_an_interrupted_run_ends_as_it_would_have(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    drawn, last = 0, 10**9

    def counted(tokenizer: PreTrainedTokenizerFast, source: Source) -> Encoded:
        nonlocal drawn
        drawn += 1
        if drawn > last:
            raise KeyboardInterrupt
        return encode_base(tokenizer, source)

    whole = untrained(tokenizer)
    expected = train(whole, tokenizer, counted, SCHEDULE, 5, tmp_path / "whole.state")
    drawn, last = 0, drawn - 3
    with pytest.raises(KeyboardInterrupt):
        train(untrained(tokenizer), tokenizer, counted, SCHEDULE, 5, tmp_path / "parts.state")
    saved = torch.load(tmp_path / "parts.state", weights_only=True)
    assert 0 < len(saved["state"]["losses"]) < SCHEDULE.steps and not list(tmp_path.glob("*.new"))
    resumed = untrained(tokenizer)
    outcome = train(resumed, tokenizer, encode_base, SCHEDULE, 5, tmp_path / "parts.state")
    assert (outcome.loss, outcome.first_loss, outcome.learned_tokens) == (expected.loss, expected.first_loss, expected.learned_tokens)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert outcome.seconds > saved["state"]["seconds"] > 0


@pytest.mark.usefixtures("small")
def test_the_state_of_a_run_with_other_settings_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    train(untrained(tokenizer), tokenizer, encode_base, Schedule(2, 1e-3, 1024, compiled=False), 5, tmp_path / "base.state")
    with pytest.raises(ValueError, match=r"base\.state is of a run with other settings .*remove it"):
        train(untrained(tokenizer), tokenizer, encode_base, SCHEDULE, 5, tmp_path / "base.state")


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_the_loss_falls(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    outcome = train(untrained(tokenizer), tokenizer, encode_base, Schedule(30, 3e-3, 1024, 2, compiled=False), 5, tmp_path / "base.state")
    assert outcome.loss < 0.8 * outcome.first_loss


def test_the_rate_warms_up_stays_and_falls_to_zero() -> None:
    schedule = Schedule(steps=100, rate=1.0, warmup=10, hold=0.4)
    factors = [rate_factor(step, schedule) for step in range(101)]
    assert factors[0] == 0.1 and factors[9] == 1.0
    assert factors[40] == 1.0 and factors[70] == pytest.approx(0.5) and factors[100] == 0
