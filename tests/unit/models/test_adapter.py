"""Pairs of a base and a LoRA adapter of it: as right as peft's own merged model, at the memory of one model."""

import copy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer

from baco import Engine, Router, SamplingParams
from baco.errors import ChatTemplateError
from baco.models.adapter import LoraLinear
from baco.models.layers.linear import WeightOnlyLinear
from baco.text.prompts import build_prompt
from tests.support.lora_adapters import ATTENTION, error, load_adapted_pair, logits, merged, save_adapter, wide_base
from tests.support.oracle import Oracle
from tests.system.test_equivalence import NEAR_TIE

Folders = Callable[[str], tuple[Path, Path]]
MLP = ["gate_proj", "up_proj", "down_proj"]
LORA: dict[str, dict[str, Any]] = {
    "plain": {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]},
    "all linears": {"r": 8, "lora_alpha": 8, "target_modules": "all-linear", "lora_dropout": 0.1},
    "rslora": {"r": 16, "lora_alpha": 4, "use_rslora": True, "target_modules": MLP},
    "alpha and rank patterns": {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ATTENTION,
        "alpha_pattern": {"q_proj": 32},
        "rank_pattern": {"k_proj": 2},
    },
    "head and embedding of its own": {"r": 4, "target_modules": ATTENTION, "modules_to_save": ["lm_head", "embed_tokens"]},
    "on the head": {"r": 4, "target_modules": [*MLP, "lm_head"]},
}


@pytest.mark.parametrize("kind", LORA)
def test_the_aligned_model_is_what_peft_merges_and_the_base_stays_itself(kind: str, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter", LoraConfig(task_type="CAUSAL_LM", **LORA[kind]))
    pair = load_adapted_pair(base, adapter)
    untouched = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    assert error(logits(pair.aligned), logits(merged(base, adapter))) < 1e-5
    assert torch.equal(logits(pair.base), logits(untouched))
    assert error(logits(pair.aligned), logits(pair.base)) > 0.01, "an adapter that changes nothing would show nothing"
    assert not any(isinstance(module, LoraLinear) for module in pair.base.modules())


@pytest.mark.parametrize("arch", ["qwen2", "gpt2", "gpt_neox"])
def test_tied_heads_and_other_linear_classes_take_adapters_too(arch: str, pair_folders: Folders, tmp_path: Path) -> None:
    base = pair_folders(arch)[0]
    targets = {"qwen2": ATTENTION, "gpt2": ["c_attn", "c_fc"], "gpt_neox": ["query_key_value"]}[arch]
    config = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=targets, fan_in_fan_out=arch == "gpt2")
    adapter = save_adapter(base, tmp_path / "adapter", config)
    pair = load_adapted_pair(base, adapter)
    assert error(logits(pair.aligned), logits(merged(base, adapter))) < 1e-5
    shared = {id(weight) for weight in pair.base.parameters()}
    own = [name for name, weight in pair.aligned.named_parameters() if id(weight) not in shared]
    assert own and all(name.endswith((".a", ".b")) for name in own)


@pytest.mark.parametrize(("dtype", "quantization"), [("bfloat16", None), ("float32", "int8"), ("bfloat16", "int8"), ("float32", "int4")])
def test_packed_and_quantised_layers_lie_under_the_adapter_and_are_shared(
    dtype: str, quantization: str | None, base: Path, adapter: Path
) -> None:
    pair = load_adapted_pair(base, adapter, dtype=dtype, quantization=quantization)
    forms = {id(module) for module in pair.base.modules() if isinstance(module, WeightOnlyLinear)}
    assert forms == {id(module) for module in pair.aligned.modules() if isinstance(module, WeightOnlyLinear)}
    # The truth: the low-rank change added by hand to the weights that the base's layers stand for.
    truth: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    truth.requires_grad_(False).load_state_dict({name: value.float() for name, value in pair.base.state_dict().items()})
    alone = logits(truth)
    for name, module in pair.aligned.named_modules():
        if isinstance(module, LoraLinear):
            assert module.a.dtype == module.b.dtype == pair.dtype
            plain: Any = truth.get_submodule(name)
            plain.weight += 16 / 4 * (module.b.detach().float() @ module.a.detach().float())
    assert error(logits(pair.aligned), logits(truth)) < (1e-5 if dtype == "float32" else 0.05)
    assert error(logits(pair.base), alone) < (1e-5 if dtype == "float32" else 0.05)


def test_a_pair_takes_little_more_than_its_base_alone(tmp_path: Path, base: Path) -> None:
    folder = wide_base(tmp_path / "base", base, hidden_size=256)
    adapter = save_adapter(folder, tmp_path / "adapter", LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear"))
    alone = sum(tensor.numel() * 4 for tensor in AutoModelForCausalLM.from_pretrained(folder).state_dict().values())
    memory = load_adapted_pair(folder, adapter).memory()
    assert alone < memory["total"] <= 1.15 * alone
    assert memory["aligned"] == memory["total"] > memory["base"]


TAKES = """
import sys
import peft
from baco import ModelPair

def kilobytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))

ModelPair.from_pretrained(device="cpu")  # everything imported, every kernel run
before = kilobytes("VmRSS:")
pair = ModelPair.from_pretrained(base=sys.argv[1], device="cpu", dtype="float32", **{sys.argv[2]: sys.argv[3]})
print(pair.memory()["base"] // 1024, kilobytes("VmRSS:") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_grows_by_one_model_for_an_adapter_and_by_two_for_two_models(tmp_path: Path, base: Path) -> None:
    folder = wide_base(tmp_path / "base", base, hidden_size=640)
    adapter = save_adapter(folder, tmp_path / "adapter", LoraConfig(task_type="CAUSAL_LM", r=8, target_modules=ATTENTION))
    growth = []
    for argument, source in (("aligned_adapter", adapter), ("aligned", wide_base(tmp_path / "other", base, hidden_size=640, seed=1))):
        command = [sys.executable, "-c", TAKES, str(folder), argument, str(source)]
        model, grown = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-2:])
        growth.append(grown / model)
    assert 0.9 < growth[0] < 1.4 and 1.7 < growth[1] < 2.4


def test_the_adapters_own_tokenizer_speaks_where_it_has_one(base: Path, adapter: Path, pair_folders: Folders) -> None:
    without = load_adapted_pair(base, adapter)
    with pytest.raises(ChatTemplateError):
        build_prompt(without.info, "hello", models=["aligned"], base_prompt="transcript", max_model_len=200)
    without.unload()
    AutoTokenizer.from_pretrained(pair_folders("llama")[1]).save_pretrained(adapter)
    pair = load_adapted_pair(base, adapter)
    assert pair.tokenizer.chat_template and not pair.base_tokenizer.chat_template
    assert build_prompt(pair.info, "hello", models=["aligned"], base_prompt="transcript", max_model_len=200).token_ids["aligned"]


def test_an_answer_may_also_end_with_the_adapters_end_token(base: Path, adapter: Path, pair_folders: Folders) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pair_folders("llama")[1])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.save_pretrained(adapter)
    pair = load_adapted_pair(base, adapter)
    assert pair.end_ids("base") == {tokenizer.convert_tokens_to_ids("</s>")}
    assert pair.end_ids("aligned") == set(tokenizer.convert_tokens_to_ids(["</s>", "<|im_end|>"]))


def test_transformers_generate_runs_on_the_aligned_model(base: Path, adapter: Path) -> None:
    ids = torch.arange(3, 20)[None]
    settings: dict[str, Any] = {"max_new_tokens": 8, "do_sample": False, "attention_mask": torch.ones_like(ids)}
    models: list[Any] = [load_adapted_pair(base, adapter).aligned, merged(base, adapter)]
    answers = [model.generate(ids, **settings).tolist() for model in models]
    assert answers[0] == answers[1]


def test_the_pair_is_loaded_once_and_named_after_both(base: Path, adapter: Path) -> None:
    pair = load_adapted_pair(base, adapter)
    assert load_adapted_pair(base, adapter) is pair
    assert pair.name == f"{base}+{adapter}"
    assert pair.config is not None and (pair.config.aligned, pair.config.aligned_adapter) == (None, str(adapter))


def test_a_copy_of_the_aligned_model_gives_the_same(base: Path, adapter: Path) -> None:
    aligned = load_adapted_pair(base, adapter, dtype="bfloat16").aligned
    assert torch.equal(logits(copy.deepcopy(aligned)), logits(aligned))


def test_the_adapter_folder_may_go_once_it_is_loaded(base: Path, adapter: Path) -> None:
    pair = load_adapted_pair(base, adapter)
    before = logits(pair.aligned)
    shutil.rmtree(adapter)
    assert torch.equal(logits(pair.aligned), before)


def test_the_engine_writes_with_an_adapter_what_the_reference_writes_with_the_merged_model(pair_folders: Folders, tmp_path: Path) -> None:
    base = wide_base(tmp_path / "base", pair_folders("llama")[1], hidden_size=32)
    adapter = save_adapter(base, tmp_path / "adapter", LoraConfig(**LORA["plain"]))
    merged(base, adapter).save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "merged")
    engine, oracle, agreed = Engine(load_adapted_pair(base, adapter)), Oracle(base, tmp_path / "merged"), 0
    for seed in range(8):
        params, router = SamplingParams(max_tokens=12, seed=seed), Router("p", threshold=0.3)
        result = engine.generate("Tell me a story", params, router)
        expected = oracle.decode(dict(result.prompt_token_ids), router, params, seed=seed, sample_index=0)
        if expected.margin >= NEAR_TIE:
            agreed += 1
            assert (result.candidates[0].token_ids, result.candidates[0].from_base) == (expected.token_ids, expected.from_base)
    assert agreed >= 6
