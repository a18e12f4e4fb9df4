"""The presets: which pairs they name, what they say of them, and what an unknown name is told."""

import re

import pytest

from baco.errors import ModelNotFoundError
from baco.models.presets import PRESETS, Preset, get_preset, preset_of

HUB_IDS = {
    "llama-3-8b": ("meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct"),
    "llama-3.1-8b": ("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct"),
    "llama-3.2-1b": ("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct"),
    "llama-3.2-3b": ("meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.2-3B-Instruct"),
    "olmo-2-1b": ("allenai/OLMo-2-0425-1B", "allenai/OLMo-2-0425-1B-Instruct"),
    "olmo-2-7b": ("allenai/OLMo-2-1124-7B", "allenai/OLMo-2-1124-7B-Instruct"),
    "olmo-3-7b": ("allenai/Olmo-3-1025-7B", "allenai/Olmo-3-7B-Instruct"),
    "qwen2.5-0.5b": ("Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct"),
    "qwen2.5-1.5b": ("Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct"),
    "qwen2.5-3b": ("Qwen/Qwen2.5-3B", "Qwen/Qwen2.5-3B-Instruct"),
    "qwen2.5-7b": ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
    "qwen3-0.6b": ("Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-0.6B"),
    "qwen3-1.7b": ("Qwen/Qwen3-1.7B-Base", "Qwen/Qwen3-1.7B"),
    "qwen3-4b": ("Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B"),
    "qwen3-8b": ("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B"),
    "qwen3-14b": ("Qwen/Qwen3-14B-Base", "Qwen/Qwen3-14B"),
    "qwen3.5-0.8b": ("Qwen/Qwen3.5-0.8B-Base", "Qwen/Qwen3.5-0.8B"),
    "qwen3.5-2b": ("Qwen/Qwen3.5-2B-Base", "Qwen/Qwen3.5-2B"),
    "qwen3.5-4b": ("Qwen/Qwen3.5-4B-Base", "Qwen/Qwen3.5-4B"),
    "qwen3.5-9b": ("Qwen/Qwen3.5-9B-Base", "Qwen/Qwen3.5-9B"),
    "smollm2-135m": ("HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct"),
    "smollm2-360m": ("HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M-Instruct"),
    "smollm2-1.7b": ("HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    "smollm3-3b": ("HuggingFaceTB/SmolLM3-3B-Base", "HuggingFaceTB/SmolLM3-3B"),
    "gemma-3-270m": ("google/gemma-3-270m", "google/gemma-3-270m-it"),
    "gemma-3-1b": ("google/gemma-3-1b-pt", "google/gemma-3-1b-it"),
    "gemma-3-4b": ("google/gemma-3-4b-pt", "google/gemma-3-4b-it"),
    "gemma-3-12b": ("google/gemma-3-12b-pt", "google/gemma-3-12b-it"),
    "gemma-4-e2b": ("google/gemma-4-E2B", "google/gemma-4-E2B-it"),
    "gemma-4-e4b": ("google/gemma-4-E4B", "google/gemma-4-E4B-it"),
    "gemma-4-12b": ("google/gemma-4-12B", "google/gemma-4-12B-it"),
    "mistral-7b-v0.3": ("mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-Instruct-v0.3"),
    # The instruct models are published in FP8, and in bfloat16 beside it.
    "ministral-3-3b": ("mistralai/Ministral-3-3B-Base-2512", "mistralai/Ministral-3-3B-Instruct-2512-BF16"),
    "ministral-3-8b": ("mistralai/Ministral-3-8B-Base-2512", "mistralai/Ministral-3-8B-Instruct-2512-BF16"),
    "granite-4.0-350m": ("ibm-granite/granite-4.0-350m-base", "ibm-granite/granite-4.0-350m"),
    "granite-4.0-1b": ("ibm-granite/granite-4.0-1b-base", "ibm-granite/granite-4.0-1b"),
    "granite-4.0-micro": ("ibm-granite/granite-4.0-micro-base", "ibm-granite/granite-4.0-micro"),
    "granite-4.0-h-350m": ("ibm-granite/granite-4.0-h-350m-base", "ibm-granite/granite-4.0-h-350m"),
    "granite-4.0-h-1b": ("ibm-granite/granite-4.0-h-1b-base", "ibm-granite/granite-4.0-h-1b"),
    "granite-4.0-h-micro": ("ibm-granite/granite-4.0-h-micro-base", "ibm-granite/granite-4.0-h-micro"),
    "granite-4.1-3b": ("ibm-granite/granite-4.1-3b-base", "ibm-granite/granite-4.1-3b"),
    "lfm2.5-350m": ("LiquidAI/LFM2.5-350M-Base", "LiquidAI/LFM2.5-350M"),
    "lfm2.5-1.2b": ("LiquidAI/LFM2.5-1.2B-Base", "LiquidAI/LFM2.5-1.2B-Instruct"),
    "lfm2.5-2.6b": ("LiquidAI/LFM2.5-2.6B-Base", "LiquidAI/LFM2.5-2.6B"),
    "falcon-h1-0.5b": ("tiiuae/Falcon-H1-0.5B-Base", "tiiuae/Falcon-H1-0.5B-Instruct"),
    "falcon-h1-1.5b": ("tiiuae/Falcon-H1-1.5B-Base", "tiiuae/Falcon-H1-1.5B-Instruct"),
    "falcon-h1-3b": ("tiiuae/Falcon-H1-3B-Base", "tiiuae/Falcon-H1-3B-Instruct"),
    "falcon-h1-7b": ("tiiuae/Falcon-H1-7B-Base", "tiiuae/Falcon-H1-7B-Instruct"),
    "apertus-8b": ("swiss-ai/Apertus-8B-2509", "swiss-ai/Apertus-8B-Instruct-2509"),
    "ernie-4.5-0.3b": ("baidu/ERNIE-4.5-0.3B-Base-PT", "baidu/ERNIE-4.5-0.3B-PT"),
}
"""As the makers' hub pages write them: upper and lower case matter there."""
EMBEDDINGS = {
    "llama-3.2-1b": 128_256 * 2048,
    "qwen3-0.6b": 151_936 * 1024,
    "gemma-3-1b": 262_144 * 1152,
    # And 35 layers' tables of 256.
    "gemma-4-e2b": 262_144 * (1536 + 35 * 256),
    "smollm2-135m": 49_152 * 576,
    "mistral-7b-v0.3": 32_768 * 4096,
}
"""Vocabulary times width."""
ROUNDED = {
    "llama-3.2-1b": 0.25,
    "qwen3.5": 0.17,
    "ministral-3": 0.30,
    "granite-4.0": 0.65,
    "granite-4.1": 0.15,
    "ernie": 0.25,
    "smollm3": 0.05,
    "olmo-2-1b": 0.5,
}
"""By how much a family's names fall short: towers for images, or a maker who rounds down."""
EFFECTIVE = ("gemma-4-e2b", "gemma-4-e4b")
"""Their names do not count the tables of layers."""


def test_every_preset_names_the_two_models_of_its_family() -> None:
    assert {name: (preset.base, preset.aligned) for name, preset in PRESETS.items()} == HUB_IDS


@pytest.mark.parametrize("name", sorted(HUB_IDS.keys() - set(EFFECTIVE)))
def test_the_stated_size_agrees_with_the_size_in_the_name(name: str) -> None:
    size = re.search(r"-(\d+(?:\.\d+)?)([bm])\b", name)
    advertised = 3.0 if size is None else float(size[1]) * (1.0 if size[2] == "b" else 1e-3)  # IBM's micro is 3B
    # Makers round: OLMo-2-7B has 7.3 billion parameters, Qwen2.5-7B 7.6.
    tolerance = next((value for family, value in ROUNDED.items() if name.startswith(family)), 0.1)
    assert get_preset(name).parameters == pytest.approx(advertised, rel=tolerance)


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_the_embeddings_are_vocabulary_times_width(name: str) -> None:
    assert get_preset(name).embedding * 1e9 == pytest.approx(EMBEDDINGS[name], rel=0.02)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_quantised_pair_takes_less_but_never_less_than_its_embeddings(preset: Preset) -> None:
    plain, int8, int4 = preset.memory(), preset.memory("int8"), preset.memory("int4")
    assert plain == pytest.approx(4e9 * preset.parameters)
    assert plain > int8 > int4 > 4e9 * preset.embedding
    assert int8 < preset.peak("int8") < plain == preset.peak()


def test_the_sizes_of_llama_3_1_8b_by_hand() -> None:
    preset = get_preset("llama-3.1-8b")
    # Two models; 525 of the 8,030 million parameters stay in two bytes.
    assert preset.memory("int8") / 1e9 == pytest.approx(2 * (8.03 - 0.525) + 2 * 2 * 0.525)
    # One model with one byte a parameter, and the other still with two.
    assert preset.peak("int8") / 1e9 == pytest.approx(8.03 * 2 + (8.03 - 0.525) + 2 * 0.525)


def test_the_presets_behind_a_licence_wall_say_so() -> None:
    gated = {name for name, preset in PRESETS.items() if preset.gated}
    assert gated == {name for name in HUB_IDS if name.startswith(("llama-", "gemma-3-"))}


def test_presets_of_a_family_stand_together() -> None:
    families = [preset.family for preset in PRESETS.values()]
    starts = [family for family, before in zip(families, [None, *families], strict=False) if family != before]
    assert len(starts) == len(set(families))


def test_what_is_not_checked_are_things_that_a_preset_says() -> None:
    said = {"parameters", "context", "license", "calls", "thinks", "sampling"}
    assert all(preset.unchecked <= said for preset in PRESETS.values())


def test_two_hub_ids_are_their_preset_and_others_none() -> None:
    assert preset_of("Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B") is get_preset("qwen3-4b")
    assert preset_of("Qwen/Qwen3-4B-Base", "Qwen/Qwen3-4B-Instruct-2507") is None
    assert preset_of("Qwen/Qwen3-4B-Base", None) is None


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
