"""The short trial of architectures that the tests do not know: what runs, and what is refused before anything is decoded."""

import pytest
import torch
from transformers import AutoModelForCausalLM, BloomConfig, CodeGenConfig, PreTrainedConfig, PreTrainedModel, StableLmConfig

from baco import Engine, ModelPair, Router, SamplingParams, UnsupportedModelError
from baco.forward import trial
from baco.forward.model_pass import ModelPass
from tests.support.gate import Pass
from tests.support.pairs import ARCHITECTURES, MODERN, RECURRENT
from tests.support.tokenizers import byte_level_bpe

TOKENIZER = byte_level_bpe()
IDS = {"vocab_size": len(TOKENIZER), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}


def pair_of(config: PreTrainedConfig) -> ModelPair:
    models: list[PreTrainedModel] = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        models.append(AutoModelForCausalLM.from_config(config).eval().requires_grad_(False))
    base, aligned = models
    return ModelPair.from_models(base, aligned, TOKENIZER)


def test_the_known_types_are_those_of_the_pairs_that_the_tests_compare() -> None:
    configs = [make(**IDS) for make in (ARCHITECTURES | MODERN | RECURRENT).values()]
    assert {config.model_type for config in configs} == trial.COMPARED


def test_an_unknown_type_that_runs_is_tried_once(monkeypatch: pytest.MonkeyPatch, passes: list[Pass]) -> None:
    pair = pair_of(
        StableLmConfig(**IDS, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4)
    )
    Engine(pair)
    assert len(passes) == 4, "two for each model"
    Engine(pair)
    assert len(passes) == 4
    assert Engine(pair).generate("a fish", SamplingParams(max_tokens=4, seed=1), Router("p", threshold=0.5)).candidates


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (BloomConfig(**IDS, hidden_size=32, n_layer=2, n_head=4), "BloomForCausalLM does not run in baco's passes"),
        (CodeGenConfig(**IDS, n_embd=32, n_layer=2, n_head=4, rotary_dim=4), "CodeGenForCausalLM gives other logits in baco's passes than"),
    ],
    ids=["bloom", "codegen"],
)
def test_a_type_that_does_not_run_is_refused_with_its_name_and_what_to_do(config: PreTrainedConfig, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=rf"{reason}.*choose another pair"):
        Engine(pair_of(config))


def test_running_out_of_memory_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def scarce(*args: object, **kwargs: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    pair = pair_of(
        StableLmConfig(**IDS, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4)
    )
    with monkeypatch.context() as patch:
        patch.setattr(ModelPass, "logits", scarce)
        with pytest.raises(torch.OutOfMemoryError):
            Engine(pair)
    Engine(pair)
