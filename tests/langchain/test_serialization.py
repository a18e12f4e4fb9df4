"""What leaves the process: LangChain's own form, cache keys, tokens that stay secret; and what is known before anything is loaded."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.load import dumpd, dumps, load
from langchain_core.runnables import RunnableSequence
from pydantic import SecretStr

from baco import ConfigError, ModelPair
from baco.models import loading
from baco.models.capabilities import capabilities
from baco.models.resolve import resolve
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT
from tests.support.gate import PATIENCE
from tests.support.tokenizers import QWEN_TEMPLATE

TELLING: dict[str, Any] = {
    "router": "h",
    "threshold": 1.5,
    "temperature": 0.0,
    "max_tokens": 9,
    "word_boundary": False,
    "seed": 0,
    "logprobs": 0,
    "stop": ["\n"],
    "max_retries": 0,
}
"""Among them values that count as false, which are no defaults."""


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_langchains_form_brings_a_model_back_with_every_setting() -> None:
    model = ChatBaco(**TELLING)
    written = json.loads(dumps(model))
    assert written["id"] == ["langchain_baco", "chat_models", "ChatBaco"]
    back = load(written, allowed_objects=[ChatBaco], valid_namespaces=["langchain_baco"])
    assert isinstance(back, ChatBaco)
    assert {name: getattr(back, name) for name in TELLING} == TELLING
    assert back == model and dumpd(back) == dumpd(model)


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_a_bound_model_comes_back_too() -> None:
    bound = ChatBaco(max_tokens=9).bind(seed=4)
    written = json.loads(dumps(bound))
    back = load(written, allowed_objects=[ChatBaco, type(bound)], valid_namespaces=["langchain_baco"])
    assert back.kwargs == {"seed": 4} and back.bound == ChatBaco(max_tokens=9)


def test_a_token_is_never_written_printed_or_part_of_a_cache_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_from_env")
    assert ChatBaco().hf_token == SecretStr("hf_from_env")
    model = ChatBaco(**{"api_key": "hf_very_secret"})
    assert model.hf_token == SecretStr("hf_very_secret")
    seen = [dumps(model), repr(model), str(model), repr(model._settings({})), model._get_llm_string(), str(model._identifying_params)]
    assert not any("very_secret" in text for text in seen)
    assert dumpd(model)["kwargs"]["hf_token"] == {"lc": 1, "type": "secret", "id": ["HF_TOKEN"]}


def test_a_token_is_what_the_hub_is_shown_and_makes_no_other_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair_folders: Callable[[str], tuple[Path, Path]]
) -> None:
    shown: list[Any] = []
    options = loading.hub_options

    def recorded(local: bool) -> dict[str, Any]:
        shown.append(options(local))
        return options(local)

    monkeypatch.setattr(loading, "hub_options", recorded)
    # A pair that no other test has loaded.
    base, aligned = (shutil.copytree(folder, tmp_path / folder.name) for folder in pair_folders("llama"))
    sources = {"base": str(base), "aligned": str(aligned), "device": "cpu", "dtype": "float32"}
    pair = ModelPair.from_pretrained(**sources, token="hf_shown")
    assert {one["token"] for one in shown} == {"hf_shown"} and len(shown) >= 6
    assert ModelPair.from_pretrained(**sources) is pair
    assert "hf_shown" not in repr(pair.config)
    pair.unload()


def test_a_cache_key_has_every_setting_in_force_also_one_assigned_later(model: ChatBaco) -> None:
    copied = model.model_copy()
    keys = {copied._get_llm_string()}
    changes: dict[str, Any] = {"temperature": 0.5, "router": "h", "threshold": 0.2, "max_tokens": 7, "dtype": "bfloat16", "seed": 3}
    for name, value in changes.items():
        setattr(copied, name, value)
        keys.add(copied._get_llm_string())
    keys.add(copied._get_llm_string(stop=["."]))
    keys.add(copied._get_llm_string(tools=[{"type": "function"}]))
    keys.add(copied.model_copy(update={"base": None, "aligned": None})._get_llm_string())
    assert len(keys) == 1 + len(changes) + 3


def test_a_cache_key_changes_with_the_files_of_the_pair(pair_folders: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    base, aligned = pair_folders("llama")
    copy = Path(shutil.copytree(aligned, tmp_path / "aligned"))
    model = ChatBaco(base=str(base), aligned=str(copy))
    before = model._get_llm_string()
    assert model._get_llm_string() == before
    (copy / "chat_template.jinja").write_text(QWEN_TEMPLATE)
    assert model._get_llm_string() != before


def test_a_chain_with_it_can_be_written() -> None:
    chain: RunnableSequence[Any, Any] = RunnableSequence(ChatBaco(max_tokens=9), ChatBaco(max_tokens=8))
    assert [step["id"][-1] for step in (dumpd(chain)["kwargs"]["first"], dumpd(chain)["kwargs"]["last"])] == ["ChatBaco"] * 2


def test_the_profile_is_that_of_the_models_configurations(model: ChatBaco, pair_folders: Callable[[str], tuple[Path, Path]]) -> None:
    profile = model.profile
    assert profile is not None
    pair = model._settings({}).engine().pair
    assert profile["max_input_tokens"] == pair.context_window - 1
    assert profile["structured_output"] and profile["tool_call_streaming"] and not profile["image_inputs"]
    assert profile["tool_calling"] == ("tools" in str(pair.tokenizer.chat_template))
    assert ChatBaco(profile={"max_input_tokens": 5}).profile == {"max_input_tokens": 5}


def test_tools_and_thoughts_are_seen_in_the_template_before_anything_is_loaded(
    pair_folders: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    base, aligned = pair_folders("llama")
    copy = Path(shutil.copytree(aligned, tmp_path / "aligned"))
    (copy / "chat_template.jinja").write_text(QWEN_TEMPLATE + "{# <think></think> #}")
    profile = ChatBaco(base=str(base), aligned=str(copy)).profile
    assert profile is not None and profile["tool_calling"] and profile["tool_choice"] and profile["reasoning_output"]


def test_a_pair_that_is_not_on_this_machine_promises_no_window() -> None:
    profile = ChatBaco(model="qwen2.5-0.5b").profile
    assert profile is not None and "max_input_tokens" not in profile and "tool_calling" not in profile
    assert capabilities(resolve("qwen2.5-0.5b", None, None)[1]).context_window is None


@pytest.mark.slow
def test_the_constructor_neither_loads_nor_asks_a_hub() -> None:
    script = (
        "import socket; socket.socket.connect = None\n"
        "from langchain_baco import ChatBaco; from baco.models.pair import _registry\n"
        "ChatBaco(); ChatBaco(model='qwen2.5-0.5b'); ChatBaco(base='a/b', aligned='a/c'); assert not _registry"
    )
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"logprobs": True}, 0), ({"logprobs": True, "top_logprobs": 2}, 2), ({"top_logprobs": 3}, 3), ({"logprobs": 2}, 2)],
)
def test_openais_two_settings_for_logprobs_are_ours_in_one(model: ChatBaco, seed: int, settings: dict[str, Any], expected: int) -> None:
    content = model.invoke(PROMPT, seed=seed, **settings).response_metadata["logprobs"]["content"]
    assert {len(token["top_logprobs"]) for token in content} == {expected}
    assert "logprobs" not in model.invoke(PROMPT, seed=seed, logprobs=False).response_metadata


def test_settings_for_logprobs_that_contradict_each_other_are_refused(model: ChatBaco) -> None:
    for settings in ({"logprobs": False, "top_logprobs": 2}, {"logprobs": 1, "top_logprobs": 2}, {"top_logprobs": 21}):
        with pytest.raises(ConfigError, match="logprobs"):
            model.invoke(PROMPT, **settings)
    assert model.model_copy(update={"top_logprobs": 2})._settings({"logprobs": 1}).call.params.logprobs == 1
