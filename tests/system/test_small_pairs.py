"""Pairs that share weights or keep them small, by their plain settings: both adapters write what the core writes with the same pair."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig

from baco import ConfigError, Engine, ModelNotFoundError, ModelPair, SamplingParams
from langchain_baco import ChatBaco
from llamaindex_baco import BacoLLM
from tests.support.gate import record_compiled_passes
from tests.support.lora_adapters import ATTENTION, save_adapter, wide_base
from tests.support.marks import slow_but

ON_CPU = {"device": "cpu", "dtype": "float32"}
PROMPT = "Tell me a story of the sea"


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, pair_folders: Callable[[str], tuple[Path, Path]]) -> dict[str, str]:
    """A base model and a LoRA adapter of it."""
    folder = tmp_path_factory.mktemp("adapted")
    base = wide_base(folder / "base", pair_folders("llama")[1], hidden_size=32)
    adapter = save_adapter(base, folder / "adapter", LoraConfig(r=4, target_modules=ATTENTION))
    return {"base": str(base), "aligned_adapter": str(adapter)}


KINDS = ["adapter", "int8", "int4", "adapter in int8", "compiled", "adapter compiled"]


@pytest.fixture(params=slow_but(KINDS[:-1], KINDS))
def small(
    request: pytest.FixtureRequest,
    adapted: dict[str, str],
    pair_folders: Callable[[str], tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Settings of a small pair. What is compiled here is traced, but not turned into machine code, which would take minutes."""
    monkeypatch.setattr("baco.forward.compiling.BACKEND", "eager")
    base, aligned = pair_folders("llama")
    whole = {"base": str(base), "aligned": str(aligned)}
    sources = adapted if "adapter" in request.param else whole
    quantization = request.param[-4:] if "int" in request.param else None
    return {**sources, **ON_CPU, "quantization": quantization, "compile": "compiled" in request.param}


def test_a_small_pair_answers_in_both_frameworks_as_in_the_core(small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pair = ModelPair.from_pretrained(**{**small, "compile": False})
    expected = Engine(pair).generate(PROMPT, SamplingParams(max_tokens=16, seed=4))
    compiled = record_compiled_passes(monkeypatch)
    chat, llm = ChatBaco(**small, max_tokens=16, seed=4), BacoLLM(**small, max_tokens=16, seed=4)
    said = chat.invoke(PROMPT)
    assert said.text == expected.text
    assert said.response_metadata["model_name"] == pair.name
    assert llm.complete(PROMPT).text == expected.text
    assert (llm.pair_name, llm.metadata.context_window) == (pair.name, pair.context_window)
    assert bool(compiled) == small["compile"]


@pytest.mark.parametrize("make", [ChatBaco, BacoLLM])
def test_what_contradicts_itself_is_refused_before_anything_is_loaded(make: Any, adapted: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="`quantization` must be None, 'int8' or 'int4'"):
        make(quantization="int3")
    with pytest.raises(ConfigError, match="not both"):
        make(**adapted, aligned=adapted["base"])
    with pytest.raises(ConfigError, match="`aligned_adapter` needs `base`"):
        make(aligned_adapter=adapted["aligned_adapter"])
    with pytest.raises(ModelNotFoundError):
        make(base=adapted["base"], aligned_adapter="/no/such/adapter")


def test_a_call_may_name_an_adapter_in_place_of_the_whole_model(adapted: dict[str, str]) -> None:
    chat = ChatBaco(base=adapted["base"], aligned=adapted["base"], **ON_CPU, max_tokens=8, seed=1)
    expected = ChatBaco(**adapted, **ON_CPU, max_tokens=8, seed=1).invoke(PROMPT)
    found = chat.invoke(PROMPT, aligned_adapter=adapted["aligned_adapter"])
    assert found.text == expected.text
    assert found.response_metadata["model_name"] == expected.response_metadata["model_name"]
