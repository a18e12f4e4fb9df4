"""Models in their form for inference: packed, quantised, and with what both have in common held once."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from baco import ModelPair
from baco.errors import MissingExtraError
from baco.models.layers.convert import share_equal_tensors
from baco.models.layers.linear import PackedLinear, WeightOnlyLinear, can_pack
from baco.models.layers.quantized import Int4Linear, Int8Linear
from baco.models.loading import load_model, logit_columns
from tests.support.lora_adapters import error, logits

Folders = Callable[[str], tuple[Path, Path]]


def linears(model: torch.nn.Module, form: type[torch.nn.Module]) -> list[str]:
    return [name for name, module in model.named_modules() if type(module) is form]


@pytest.fixture
def packs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModelPair]]:
    """Load pairs as on a processor that gains by packing; they are loaded anew, and forgotten afterwards."""
    pairs: list[ModelPair] = []

    def load(**arguments: str) -> ModelPair:
        ModelPair.from_pretrained(**arguments).unload()
        monkeypatch.setattr("baco.models.layers.linear.packing_pays", lambda dtype: True)
        pairs.append(ModelPair.from_pretrained(**arguments))
        return pairs[-1]

    yield load
    for pair in pairs:
        pair.unload()


@pytest.mark.skipif(not can_pack(torch.bfloat16), reason="needs oneDNN on an x86 processor")
@pytest.mark.parametrize("arch", ["llama", "qwen2", "phi3", "gpt2", "gpt_neox"])
def test_packed_models_say_what_transformers_say(arch: str, pair_folders: Folders, packs: Callable[..., ModelPair]) -> None:
    folders = pair_folders(arch)
    pair = packs(base=str(folders[0]), aligned=str(folders[1]), device="cpu", dtype="bfloat16")
    for model, folder in ((pair.base, folders[0]), (pair.aligned, folders[1])):
        plain: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        exact = logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
        assert linears(model, PackedLinear) and error(logits(model), exact) < 2 * error(logits(plain), exact) + 1e-3
        assert logit_columns(model) == plain.get_output_embeddings().weight.shape[0]
        assert model.get_output_embeddings().weight.shape == plain.get_output_embeddings().weight.shape
        assert (model.dtype, model.device) == (plain.dtype, plain.device)


@pytest.mark.skipif(not can_pack(torch.float32), reason="needs oneDNN on an x86 processor")
def test_a_packed_pair_generates_as_transformers_does_and_takes_no_more_memory(packs: Callable[..., ModelPair]) -> None:
    pair = packs(pair="tiny", device="cpu", dtype="float32")
    assert pair.config is not None
    plain: Any = AutoModelForCausalLM.from_pretrained(pair.config.base, dtype=torch.float32).eval()
    assert len(linears(pair.base, PackedLinear)) == 12 and not linears(plain, PackedLinear)
    ids = torch.arange(5, 60)[None]
    settings: dict[str, Any] = {"max_new_tokens": 20, "do_sample": False, "attention_mask": torch.ones_like(ids), "use_cache": True}
    packed: Any = pair.base
    assert torch.equal(packed.generate(ids, **settings), plain.generate(ids, **settings))
    tensors = [*plain.parameters(), *plain.buffers()]
    assert pair.memory()["base"] == 4 * sum(tensor.numel() for tensor in tensors)


def test_loaded_weights_are_aligned_in_memory_and_equal_those_in_the_file(pair_folders: Folders) -> None:
    base, aligned = (str(folder) for folder in pair_folders("llama"))
    pair = ModelPair.from_pretrained(base=base, aligned=aligned, device="cpu", dtype="float32")
    for model, folder in ((pair.base, base), (pair.aligned, aligned)):
        plain = dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).named_parameters())
        for name, weight in model.named_parameters():
            assert weight.data_ptr() % 64 == 0 and torch.equal(weight, plain[name])


def test_models_that_are_handed_over_stay_as_they_are(pair_folders: Folders, random_pair: ModelPair) -> None:
    model = load_model(str(pair_folders("llama")[0]), torch.device("cpu"), torch.bfloat16)
    before = {name: id(tensor) for name, tensor in model.named_parameters()}
    pair = ModelPair.from_models(model, model, random_pair.tokenizer)
    assert {name: id(tensor) for name, tensor in pair.base.named_parameters()} == before
    assert not any(isinstance(module, WeightOnlyLinear) for module in pair.base.modules())


@pytest.mark.parametrize(("quantization", "form", "bound"), [("int8", Int8Linear, 0.08), ("int4", Int4Linear, 0.6)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("arch", ["llama", "qwen2"])
def test_a_quantised_pair_is_a_pair_of_its_own_that_says_almost_the_same(
    arch: str, dtype: str, quantization: str, form: type[WeightOnlyLinear], bound: float, pair_folders: Folders
) -> None:
    base, aligned = map(str, pair_folders(arch))
    arguments: dict[str, Any] = {"base": base, "aligned": aligned, "device": "cpu", "dtype": dtype}
    plain, pair = ModelPair.from_pretrained(**arguments), ModelPair.from_pretrained(**arguments, quantization=quantization)
    assert pair is not plain and ModelPair.from_pretrained(**arguments, quantization=quantization) is pair
    assert pair.dtype == plain.dtype and pair.vocab_size == plain.vocab_size
    assert len(linears(pair.base, form)) >= 14
    # A head tied to the embedding keeps its weight; norms keep theirs.
    assert (pair.base.get_output_embeddings().weight is pair.base.get_input_embeddings().weight) is (arch == "qwen2")
    exact = logits(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32))
    typical = float(((logits(pair.base) - exact) ** 2).mean().sqrt() / exact.std())
    assert 1e-3 < typical < bound
    stands_for: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    stands_for.load_state_dict({name: value.float() for name, value in pair.base.state_dict().items()})
    assert error(logits(pair.base), logits(stands_for)) < (1e-5 if dtype == "float32" else 0.1)
    assert pair.memory()["total"] < plain.memory()["total"]


def test_quantised_memory_is_the_bytes_of_codes_and_scales(pair_folders: Folders) -> None:
    base, aligned = map(str, pair_folders("llama"))
    pair = ModelPair.from_pretrained(base=base, aligned=aligned, device="cpu", dtype="bfloat16", quantization="int8")
    plain = AutoModelForCausalLM.from_pretrained(base)
    expected = sum(2 * tensor.numel() for tensor in plain.parameters()) + sum(4 * tensor.numel() for tensor in plain.buffers())
    for module in plain.modules():
        if isinstance(module, torch.nn.Linear):
            expected += 2 * module.out_features - module.weight.numel()
    assert pair.memory()["base"] == expected


@pytest.mark.parametrize("quantization", [None, "int8", "int4"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_tensors_that_both_models_have_are_held_once(dtype: str, quantization: str | None, pair_folders: Folders, tmp_path: Path) -> None:
    base, aligned = pair_folders("llama")
    changed: Any = AutoModelForCausalLM.from_pretrained(base)
    changed.model.layers[1].mlp.up_proj.weight.data[0, 0] += 1
    changed.save_pretrained(tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((aligned / file).read_bytes())
    arguments: dict[str, Any] = {"base": str(base), "device": "cpu", "dtype": dtype, "quantization": quantization}
    pair = ModelPair.from_pretrained(aligned=str(tmp_path), **arguments)
    memory = pair.memory()
    layers = (pair.model(which).get_submodule("model.layers.1.mlp.up_proj") for which in ("base", "aligned"))
    names = {name for module in layers for name, _ in (*module.named_parameters(), *module.named_buffers())}
    ours, theirs = ({**dict(model.named_parameters()), **dict(model.named_buffers())} for model in (pair.base, pair.aligned))
    apart = {name for name in ours if ours[name] is not theirs[name]}
    assert apart and apart <= {f"model.layers.1.mlp.up_proj.{name}" for name in names}
    assert memory["base"] < memory["total"] < 1.1 * memory["base"] and memory["aligned"] == memory["base"]
    assert error(logits(pair.aligned), logits(pair.base)) > 1e-6
    own = ModelPair.from_pretrained(aligned=str(aligned), **arguments)
    assert own.memory()["total"] > 1.9 * memory["base"], "a pair whose weights differ shares next to nothing"


def test_zeros_of_either_sign_are_told_apart() -> None:
    kept, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    kept.weight.data.zero_()
    other.weight.data.zero_().neg_()
    other.bias.data.copy_(kept.bias.data)
    share_equal_tensors(kept, other)
    assert other.bias is kept.bias and other.weight is not kept.weight


@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_on_cuda_a_missing_bitsandbytes_is_named(quantization: str, pair_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baco.models.loading.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"`bitsandbytes`.*pip install 'baco\[quant\]'"):
        load_model(str(pair_folders("llama")[0]), torch.device("cuda"), torch.float16, quantization)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("quantization", ["int8", "int4"])
def test_on_cuda_bitsandbytes_quantises(quantization: str, pair_folders: Folders) -> None:
    pytest.importorskip("bitsandbytes")
    base, aligned = map(str, pair_folders("llama"))
    plain = ModelPair.from_pretrained(base=base, aligned=aligned, device="cuda")
    pair = ModelPair.from_pretrained(base=base, aligned=aligned, device="cuda", quantization=quantization)
    assert pair.memory()["total"] < plain.memory()["total"] and pair.vocab_size == plain.vocab_size
