"""The presets: which pairs they name, and what an unknown name is told."""

import re

import pytest

from baco.errors import ModelNotFoundError
from baco.models.presets import PRESETS, get_preset

HUB_IDS = {
    "llama-3-8b": ("meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct"),
    "olmo-2-7b": ("allenai/OLMo-2-1124-7B", "allenai/OLMo-2-1124-7B-Instruct"),
    "qwen2.5-0.5b": ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct"),
    "qwen2.5-1.5b": ("Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct"),
    "qwen2.5-3b": ("Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B-Instruct"),
    "qwen2.5-7b": ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
    "qwen3-0.6b": ("Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-0.6B"),
    "qwen3-1.7b": ("Qwen/Qwen3-1.7B-Base", "Qwen/Qwen3-1.7B"),
    "qwen3-4b": ("Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B"),
    "qwen3-8b": ("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B"),
    "smollm2-135m": ("HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct"),
    "smollm2-360m": ("HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M-Instruct"),
    "smollm2-1.7b": ("HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    "gemma-3-1b": ("google/gemma-3-1b-pt", "google/gemma-3-1b-it"),
    "gemma-3-4b": ("google/gemma-3-4b-pt", "google/gemma-3-4b-it"),
    "mistral-7b-v0.3": ("mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-Instruct-v0.3"),
}
"""As the makers' hub pages write them: upper and lower case matter there."""


def test_every_preset_names_the_two_models_of_its_family() -> None:
    assert {name: (preset.base, preset.aligned) for name, preset in PRESETS.items()} == HUB_IDS


@pytest.mark.parametrize("name", sorted(HUB_IDS))
def test_the_stated_size_agrees_with_the_size_in_the_name(name: str) -> None:
    size = re.search(r"-(\d+(?:\.\d+)?)([bm])\b", name)
    assert size is not None
    advertised = float(size[1]) * (1.0 if size[2] == "b" else 1e-3)
    # Makers round: OLMo-2-7B has 7.3 billion parameters, Qwen2.5-7B 7.6.
    assert get_preset(name).parameters == pytest.approx(advertised, rel=0.1)


def test_the_presets_behind_a_licence_wall_say_so() -> None:
    assert {name for name, preset in PRESETS.items() if preset.gated} == {"llama-3-8b", "gemma-3-1b", "gemma-3-4b"}


@pytest.mark.parametrize(
    ("given", "meant"), [("qwen2.5-0.5", "qwen2.5-0.5b"), ("Llama-3-8B", "llama-3-8b"), ("smollm-135m", "smollm2-135m")]
)
def test_an_unknown_name_is_told_the_nearest_and_how_to_load_any_other_pair(given: str, meant: str) -> None:
    with pytest.raises(ModelNotFoundError) as error:
        get_preset(given)
    message = str(error.value)
    assert repr(given) in message
    assert f"did you mean {meant!r}?" in message
    assert "ModelPair.from_pretrained(base=…, aligned=…)" in message


def test_a_name_that_is_near_nothing_gets_the_list_and_no_guess() -> None:
    with pytest.raises(ModelNotFoundError) as error:
        get_preset("zzzz")
    assert "did you mean" not in str(error.value)
    assert all(name in str(error.value) for name in HUB_IDS)
