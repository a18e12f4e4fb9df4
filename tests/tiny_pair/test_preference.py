"""Preference optimisation of the tiny aligned model: what trl is given, and what it does to the model."""

from __future__ import annotations

import importlib.util
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tinypair import preference
from tinypair.batching import encode_segments
from tinypair.dialogue import TURN_END, TURN_START
from tinypair.preference import Preference, PreferenceSchedule, arranged, make_trainer, tune
from tinypair.tokenizer import aligned_tokenizer, train_tokenizer

NAMES = ("Rex", "Bella", "Milo", "Luna", "Otto", "Fifi", "Hazel", "Bruno")
SCHEDULE = PreferenceSchedule(steps=8, rate=3e-3, batch_size=4, warmup=1)
# trl and accelerate speak of settings that they renamed among themselves.
needs_trl = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    texts = [f"Name a pet. You could call it {name}. I do not know {name}." for name in NAMES]
    return aligned_tokenizer(train_tokenizer(texts * 20, 320, 128))


@pytest.fixture(scope="module")
def pairs() -> list[Preference]:
    drawn = [(a, b) for a in NAMES for b in NAMES[:3]]
    prompt = f"{TURN_START}user\nName a pet like {{}} {{}}.{TURN_END}\n{TURN_START}assistant\n"
    return [Preference(prompt.format(a, b), f"You could call it {b}.", "I do not know. " * (i % 3 + 1)) for i, (a, b) in enumerate(drawn)]


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=128, tie_word_embeddings=True, **sizes))
    model.eval()
    return model


def layout(tokenizer: PreTrainedTokenizerFast, pair: Preference, answer: str) -> list[int]:
    """The ids that the aligned model learns for a chat, piece by piece."""
    return encode_segments(tokenizer, [(pair.prompt, False), (f"{answer}{TURN_END}", True)], 0.0).token_ids


@torch.no_grad()
def margin(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Preference]) -> float:
    """Mean log-probability of the chosen answers less that of the rejected, a sequence at a time, without padding."""

    def log_probability(pair: Preference, answer: str) -> float:
        ids = torch.tensor([layout(tokenizer, pair, answer)])
        start = len(tokenizer(pair.prompt).input_ids)
        scores = model(input_ids=ids).logits[0, start - 1 : -1].log_softmax(-1)
        return float(scores.gather(1, ids[0, start:, None]).sum())

    return sum(log_probability(each, each.chosen) - log_probability(each, each.rejected) for each in pairs) / len(pairs)


@needs_trl
def test_training_raises_the_margin_of_the_chosen_over_the_rejected(tokenizer: PreTrainedTokenizerFast, pairs: list[Preference]) -> None:
    pytest.importorskip("trl")
    model = new_model(tokenizer)
    before = margin(model, tokenizer, pairs)
    outcome = tune(model, tokenizer, pairs, SCHEDULE, seed=1)
    assert margin(model, tokenizer, pairs) > before + 2
    assert outcome.pairs == len(pairs)
    assert outcome.accuracy > 0.9 and outcome.margin > 0 and outcome.loss < outcome.first_loss


@needs_trl
def test_the_trainer_sees_one_bos_one_turn_end_and_the_reference_of_each_answer(
    tokenizer: PreTrainedTokenizerFast, pairs: list[Preference], tmp_path: Path
) -> None:
    pytest.importorskip("trl")
    model = new_model(tokenizer)
    rows = list(make_trainer(model, tokenizer, pairs, SCHEDULE, 1, str(tmp_path)).train_dataset)
    assert len(rows) == len(pairs)
    for row, pair in zip(rows, pairs, strict=True):
        assert row["prompt_ids"] + row["chosen_ids"] == layout(tokenizer, pair, pair.chosen)
        assert row["prompt_ids"] + row["rejected_ids"] == layout(tokenizer, pair, pair.rejected)
        assert row["chosen_ids"][0] == layout(tokenizer, pair, pair.chosen)[len(tokenizer(pair.prompt).input_ids)]
        assert (row["prompt_ids"] + row["chosen_ids"]).count(tokenizer.bos_token_id) == 1
        assert row["chosen_ids"].count(tokenizer.eos_token_id) == 1
        # The trainer computes in bfloat16.
        assert row["ref_chosen_logps"] - row["ref_rejected_logps"] == pytest.approx(margin(model, tokenizer, [pair]), abs=0.05)


@needs_trl
def test_the_same_seed_gives_the_same_weights_and_a_plain_model(tokenizer: PreTrainedTokenizerFast, pairs: list[Preference]) -> None:
    pytest.importorskip("trl")
    models = [new_model(tokenizer) for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        tune(model, tokenizer, pairs, SCHEDULE, seed)
    first, again, other = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)
    assert not models[0].training and "forward" not in vars(models[0])
    assert {weight.dtype for weight in first.values()} == {torch.float32}


def test_batches_hold_pairs_of_like_length_and_long_pairs_are_left_out(tokenizer: PreTrainedTokenizerFast, pairs: list[Preference]) -> None:
    long = Preference(pairs[0].prompt, "Rex " * 200, "Rex")
    drawn = arranged(tokenizer, [*pairs[:22], long], PreferenceSchedule(steps=1, rate=1e-3, batch_size=4, max_length=120), seed=1)
    assert sorted(drawn, key=repr) == sorted(pairs[:22], key=repr)
    sizes = [max(len(layout(tokenizer, each, answer)) for answer in (each.chosen, each.rejected)) for each in drawn]
    spans = sorted((min(part), max(part)) for part in (sizes[i : i + 4] for i in range(0, 22, 4)))
    assert all(high <= low for (_, high), (low, _) in itertools.pairwise(spans))
    with pytest.raises(ValueError, match="max_length=3"):
        arranged(tokenizer, pairs, PreferenceSchedule(steps=1, rate=1e-3, max_length=3), seed=1)


@pytest.mark.parametrize(("prompt", "answer"), [("Hi", " Rex"), ("Hi", ""), ("Hi", f"Rex{TURN_END}"), ("<s>Hi", "Rex")])
def test_a_pair_whose_tokens_would_be_others_is_refused(prompt: str, answer: str) -> None:
    with pytest.raises(ValueError, match="got"):
        Preference(prompt, "Rex", answer)


def test_without_trl_the_error_says_what_installs_it(
    tokenizer: PreTrainedTokenizerFast, pairs: list[Preference], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(preference, "find_spec", lambda name: None if name == "trl" else found(name))
    with pytest.raises(ImportError, match="make train"):
        tune(new_model(tokenizer), tokenizer, random.Random(1).sample(pairs, 4), SCHEDULE, seed=1)
