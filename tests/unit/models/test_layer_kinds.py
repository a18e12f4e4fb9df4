"""Which layers are known, and that a model with others is refused before its weights are read."""

from pathlib import Path

import pytest
from transformers import DeepseekV4Config, Lfm2Config, LlamaConfig, NemotronHConfig

from baco import ModelPair, UnsupportedModelError
from baco.models.layer_kinds import LayerKind, layer_kinds
from tests.support.tokenizers import byte_level_bpe

ATTENTION, STATE, NOTHING = LayerKind(), LayerKind(has_attention=False, has_state=True), LayerKind(has_attention=False)


def test_the_kinds_are_those_that_transformers_names() -> None:
    assert layer_kinds(LlamaConfig(num_hidden_layers=2)) == [ATTENTION] * 2
    assert layer_kinds(Lfm2Config(num_hidden_layers=3, layer_types=["conv", "full_attention", "conv"])) == [STATE, ATTENTION, STATE]
    blocks = ["linear_attention", "mlp", "full_attention"]
    assert layer_kinds(NemotronHConfig(layers_block_type=blocks)) == [STATE, NOTHING, ATTENTION]


def test_a_model_with_another_kind_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    DeepseekV4Config().save_pretrained(tmp_path)
    byte_level_bpe().save_pretrained(tmp_path)
    with pytest.raises(UnsupportedModelError, match=r"deepseek_v4 has layers of kind '\w+'.*choose another pair"):
        ModelPair.from_pretrained(base=str(tmp_path), aligned=str(tmp_path))
