"""Pairs: where they come from, what is checked before any weight is read, and the process-wide registry."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from baco.errors import ConfigError, ModelNotFoundError, PairError
from baco.models.loading import resolve_dtype
from baco.models.pair import ModelPair
from baco.models.presets import PRESETS
from baco.models.resolve import resolve

Folders = Callable[[str], tuple[Path, Path]]


def test_a_pair_is_loaded_once(pair_folders: Folders) -> None:
    base, aligned = map(str, pair_folders("llama"))
    first = ModelPair.from_pretrained(base=base, aligned=aligned, dtype="float32")
    assert ModelPair.from_pretrained(f"{base}|{aligned}", dtype="float32") is first
    assert ModelPair.from_pretrained(base=base, aligned=aligned, dtype="bfloat16") is not first


def test_an_unloaded_pair_is_loaded_anew(pair_folders: Folders) -> None:
    base, aligned = map(str, pair_folders("qwen2"))
    first = ModelPair.from_pretrained(base=base, aligned=aligned)
    first.unload()
    assert ModelPair.from_pretrained(base=base, aligned=aligned) is not first


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_resolves_to_its_models(name: str) -> None:
    resolved, config = resolve(name, None, None)
    assert (resolved, config.base, config.aligned) == (name, PRESETS[name].base, PRESETS[name].aligned)


def test_no_argument_is_the_embedded_pair() -> None:
    name, config = resolve(None, None, None)
    assert name == "tiny"
    assert Path(config.base).name == "base" and Path(config.aligned).name == "aligned"


@pytest.mark.parametrize(
    ("arguments", "error", "reason"),
    [
        ({"pair": "qwen2.5-0.5"}, ModelNotFoundError, "did you mean 'qwen2.5-0.5b'"),
        ({"base": "x/y"}, ConfigError, "both `base` and `aligned`"),
        ({"pair": "tiny", "base": "x/y", "aligned": "x/z"}, ConfigError, "not both"),
        ({"base": "./nowhere", "aligned": "./nowhere"}, ModelNotFoundError, "no model folder './nowhere'"),
        ({"base": "qwen2.5-0.5b", "aligned": "x/y"}, ModelNotFoundError, "is a preset"),
        ({"device": "tpu"}, ConfigError, "device"),
        ({"dtype": "int3"}, ConfigError, "dtype"),
        ({"quantization": "int3"}, ConfigError, "`quantization` must be None, 'int8' or 'int4', but is 'int3'"),
        ({"quantization": 8}, ConfigError, "quantization"),
    ],
)
def test_what_cannot_be_loaded_is_named(arguments: dict[str, str], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        ModelPair.from_pretrained(**arguments)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_named(pair_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    base, aligned = map(str, pair_folders("llama"))
    with pytest.raises(ConfigError, match=r"torch finds only: .*cpu"):
        ModelPair.from_pretrained(base=base, aligned=aligned, device="cuda")


def test_a_hub_model_that_cannot_be_fetched_says_what_to_do() -> None:
    with pytest.raises(ModelNotFoundError, match="hf auth login"):
        ModelPair.from_pretrained(base="no-such-org/no-such-model", aligned="no-such-org/no-such-model-chat")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no config\.json"):
        ModelPair.from_pretrained(base=str(tmp_path), aligned=str(tmp_path))


def test_models_in_memory_make_a_pair(random_pair: ModelPair) -> None:
    pair = ModelPair.from_models(random_pair.base, random_pair.aligned, random_pair.tokenizer, random_pair.base_tokenizer)
    assert pair.name == "in-memory" and pair.context_window == 256
    assert pair.vocab_size == random_pair.vocab_size


def test_the_window_is_the_smaller_of_the_two(random_pair: ModelPair, pair_folders: Folders) -> None:
    longer = ModelPair.from_pretrained(base=str(pair_folders("llama")[0]), aligned=str(pair_folders("llama")[1]), dtype="float32").aligned
    longer.config.max_position_embeddings, original = 512, longer.config.max_position_embeddings
    try:
        pair = ModelPair.from_models(random_pair.base, longer, random_pair.tokenizer)
        assert pair.context_window == original
    finally:
        longer.config.max_position_embeddings = original


def test_memory_counts_shared_tensors_once(random_pair: ModelPair) -> None:
    memory = random_pair.memory()
    elements = sum(p.numel() for p in random_pair.base.parameters()) + sum(b.numel() for b in random_pair.base.buffers())
    assert memory["base"] == 4 * elements
    # Every weight differs; the frequencies of the positions are the same.
    same = sum(4 * b.numel() for b in random_pair.base.buffers())
    assert memory["total"] == memory["base"] + memory["aligned"] - same
    twice = ModelPair.from_models(random_pair.base, random_pair.base, random_pair.tokenizer)
    assert twice.memory()["total"] == memory["base"]


def test_end_ids_are_the_generation_configs(random_pair: ModelPair) -> None:
    tokenizer = random_pair.tokenizer
    assert random_pair.end_ids("base") == {tokenizer.convert_tokens_to_ids("</s>")}
    assert random_pair.end_ids("aligned") == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


@pytest.mark.parametrize(("hidden_size", "named"), [(64, "auto"), (4096, "float16"), (64, "bfloat16")])
def test_a_named_dtype_is_used_as_it_is_and_small_models_stay_exact_on_a_cpu(hidden_size: int, named: str) -> None:
    expected = torch.float32 if named == "auto" else getattr(torch, named)
    assert resolve_dtype(named, torch.device("cpu"), hidden_size) == expected


def test_a_tokenizer_without_its_file_is_named(monkeypatch: pytest.MonkeyPatch, pair_folders: Folders) -> None:
    class Slow:
        pass

    monkeypatch.setattr("baco.models.loading.AutoTokenizer.from_pretrained", lambda *args, **kwargs: Slow())
    base, aligned = map(str, pair_folders("qwen3"))
    with pytest.raises(PairError, match="not one of the tokenizers library"):
        ModelPair.from_pretrained(base=base, aligned=aligned)
