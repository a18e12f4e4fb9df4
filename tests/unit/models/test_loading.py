"""Models and tokenizers from folders as makers publish them. Truth: transformers' own classes.

The text model inside a model of images and text; Mistral's files beside transformers'; tokenizers in Python alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForImageTextToText,
    Gemma3Config,
    Gemma3TextConfig,
    GenerationConfig,
    Mistral3Config,
    MistralConfig,
    PixtralVisionConfig,
    PreTrainedConfig,
    Qwen3_5Config,
    SiglipVisionConfig,
)
from transformers.integrations.mistral import tokenizer as mistral_format
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from baco import Engine, ModelPair, Router, SamplingParams
from baco.errors import PairError
from baco.models.loading import load_tokenizer
from tests.support.tokenizers import byte_level_bpe

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
IMAGES: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
DELTA = {"linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8}
LAYERS = ["sliding_attention", "full_attention"]

WRAPPED: dict[str, Callable[[int], PreTrainedConfig]] = {
    "mistral3": lambda size: Mistral3Config(
        text_config=MistralConfig(**TEXT, vocab_size=size), vision_config=PixtralVisionConfig(**IMAGES, patch_size=14)
    ),
    "gemma3": lambda size: Gemma3Config(
        text_config=Gemma3TextConfig(**TEXT, vocab_size=size, sliding_window=8, layer_types=LAYERS),
        vision_config=SiglipVisionConfig(**IMAGES, patch_size=14),
        mm_tokens_per_image=4,
    ),
    "qwen3_5": lambda size: Qwen3_5Config(
        text_config={**TEXT, **DELTA, "vocab_size": size, "layer_types": ["linear_attention", "full_attention"]},
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32, "patch_size": 14},
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_text_model_writes_what_the_whole_model_writes_and_takes_less_memory(name: str, tmp_path: Path) -> None:
    tokenizer, folders = byte_level_bpe(), [tmp_path / "base", tmp_path / "aligned"]
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        config = WRAPPED[name](len(tokenizer))
        model: Any = AutoModelForImageTextToText.from_config(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim == 2:
                    weight *= 3
        model.generation_config = GenerationConfig(eos_token_id=1)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    whole: Any = AutoModelForImageTextToText.from_pretrained(folders[1]).eval()
    pair = ModelPair.from_pretrained(base=str(folders[0]), aligned=str(folders[1]), device="cpu", dtype="float32")
    prompts = ["a fish", "the old captain of the small island said that he would like to find out", "x"]
    for result in Engine(pair).generate_batch(prompts, SamplingParams(temperature=0, max_tokens=10), Router("aligned")):
        ids = torch.tensor([result.prompt_token_ids["aligned"]])
        written = whole.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=10)[0, ids.shape[1] :]
        assert result.candidates[0].token_ids == written.tolist()
    assert pair.memory()["aligned"] < sum(weight.nbytes for weight in whole.parameters())


def test_a_folder_with_tekken_json_is_read_from_its_tokenizer_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    byte_level_bpe().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "mistral"}')
    (tmp_path / "tekken.json").write_text("{}")
    # What transformers finds where mistral-common is installed.
    monkeypatch.setitem(TOKENIZER_MAPPING_NAMES, "mistral", "MistralCommonBackend")
    monkeypatch.setattr(mistral_format, "resolve_mistral_format", lambda *_, **__: (True, str(tmp_path / "tekken.json")))
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.get_vocab() == byte_level_bpe().get_vocab()
    assert tokenizer.encode("the sea") == byte_level_bpe().encode("the sea")


def test_a_tokenizer_in_python_alone_is_refused_by_its_class(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "ByT5Tokenizer"}')
    with pytest.raises(PairError, match="is a ByT5Tokenizer, which is not one of the tokenizers library"):
        load_tokenizer(str(tmp_path))
