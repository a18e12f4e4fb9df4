"""What a maker recommends: the preset's settings, else the generation config's, else the raw distribution's."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import GenerationConfig

from baco import Engine, ModelPair, PairError, Router, SamplingParams, SamplingSettings
from baco.models.presets import PRESETS, get_preset
from baco.models.sampling import recommended_sampling

RAW = SamplingSettings(temperature=1.0, top_p=1.0, top_k=0)
PRESET = replace(get_preset("olmo-2-1b"), temperature=0.4, top_p=None, top_k=None)
PROMPT = "Name a pet rabbit."


def configured(**settings: Any) -> GenerationConfig:
    config = GenerationConfig()
    for name, value in settings.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, RAW),
        (configured(), RAW),
        (configured(do_sample=True, temperature=0.6, top_p=0.9), SamplingSettings(temperature=0.6, top_p=0.9)),
        (configured(temperature=0.7, top_p=0.8, top_k=20), SamplingSettings(temperature=0.7, top_p=0.8, top_k=20)),
        (configured(do_sample=True, top_k=64, top_p=0.95), SamplingSettings(top_p=0.95, top_k=64)),
        (configured(temperature=0.6, top_k=-1), SamplingSettings(temperature=0.6)),
        (configured(temperature=0.6, top_k=0), SamplingSettings(temperature=0.6)),
    ],
)
def test_each_setting_of_a_generation_config_counts_by_itself(config: GenerationConfig | None, expected: SamplingSettings) -> None:
    assert recommended_sampling(config, None) == expected


@pytest.mark.parametrize(
    "greedy",
    [
        {"do_sample": False},
        {"do_sample": False, "temperature": 0.7, "top_p": 0.8},
        {"temperature": 0.0},
        {"temperature": 1e-6, "repetition_penalty": 1.05},
        {"temperature": 0.01, "top_p": 0.001, "top_k": 1},
        {"temperature": 0.1, "top_p": 0.1, "top_k": 50},
        {"temperature": 0.7, "top_k": 1},
    ],
    ids=str,
)
def test_a_maker_who_asks_for_greedy_decoding_recommends_no_way_of_sampling(greedy: dict[str, Any]) -> None:
    assert recommended_sampling(configured(**greedy), None) == RAW


def test_a_preset_wins_over_the_generation_config_in_what_it_sets() -> None:
    config = configured(temperature=0.9, top_k=30)
    assert recommended_sampling(config, PRESET) == SamplingSettings(temperature=0.4, top_k=30)
    assert recommended_sampling(configured(do_sample=False, top_k=30), PRESET) == SamplingSettings(temperature=0.4)


@pytest.mark.parametrize("setting", [{"top_p": 1.5}, {"top_k": 2.5}, {"temperature": "warm"}], ids=str)
def test_a_setting_that_cannot_be_used_is_named(setting: dict[str, Any]) -> None:
    (name,) = setting
    with pytest.raises(PairError, match=f"generation config of the aligned model .*`{name}` must be .*correct the file"):
        recommended_sampling(configured(**setting), None)


@pytest.mark.parametrize("name", PRESETS)
def test_what_a_preset_recommends_can_be_sampled_with_and_is_not_greedy(name: str) -> None:
    settings = recommended_sampling(None, get_preset(name))
    assert not SamplingParams(**settings.as_dict()).is_greedy


@pytest.fixture(scope="module")
def cool(pair_folders: Callable[[str], tuple[Path, Path]], tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A pair whose aligned model's generation config recommends settings, and whose base model's recommends others."""
    copies = []
    for folder, settings in zip(pair_folders("llama"), ({"temperature": 3.0}, {"temperature": 0.5, "top_k": 7}), strict=True):
        copies.append(Path(shutil.copytree(folder, tmp_path_factory.mktemp("cool") / "model")))
        file = copies[-1] / "generation_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"do_sample": True} | settings))
    base, aligned = map(str, copies)
    return Engine(ModelPair.from_pretrained(base=base, aligned=aligned, device="cpu", dtype="float32"))


@pytest.mark.parametrize("router", ["p", "base", "aligned"])
def test_what_a_request_leaves_open_is_the_aligned_makers_and_the_result_says_so(cool: Engine, router: str) -> None:
    left_open = cool.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=4), Router(router))
    given = cool.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=4, temperature=0.5, top_p=1.0, top_k=7), Router(router))
    assert left_open.sampling == given.sampling == SamplingSettings(temperature=0.5, top_p=1.0, top_k=7)
    assert left_open.candidates == given.candidates


def test_what_a_request_sets_wins_also_where_it_is_the_raw_distributions(cool: Engine, engine: Engine) -> None:
    params = SamplingParams(n=3, max_tokens=12, seed=4, temperature=1.0, top_k=0)
    explicit = cool.generate(PROMPT, params, Router("p"))
    assert explicit.sampling == RAW
    # The other pair has the same weights, and makers who say nothing.
    assert explicit.candidates == engine.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=4), Router("p")).candidates
    assert cool.generate(PROMPT, SamplingParams(max_tokens=2, temperature=0), Router("p")).sampling.temperature == 0


def test_the_last_event_of_a_stream_has_the_settings_too(cool: Engine) -> None:
    *_, last = cool.stream(PROMPT, SamplingParams(max_tokens=3, seed=1, top_p=0.9))
    assert last.result is not None
    assert last.result.sampling == SamplingSettings(temperature=0.5, top_p=0.9, top_k=7)


def test_scoring_leaves_the_settings_of_the_answers(cool: Engine) -> None:
    result = cool.generate(PROMPT, SamplingParams(max_tokens=3, seed=1))
    assert cool.score([result])[0].sampling == result.sampling


def test_a_pair_from_memory_has_its_models_settings(cool: Engine) -> None:
    pair = cool.pair
    assert ModelPair.from_models(pair.base, pair.aligned, pair.tokenizer).info.sampling == pair.info.sampling


def test_calibration_is_the_same_whatever_the_maker_recommends(cool: Engine, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baco.routing.calibration.MAX_TOKENS", 6)
    router, grid = Router("p"), [0.2, 0.8]
    assert cool._shares(router, grid, {}) == engine._shares(router, grid, {})


def test_the_embedded_pair_is_sampled_from_the_raw_distribution() -> None:
    pair = ModelPair.from_pretrained(device="cpu", dtype="float32")
    assert pair.info.sampling == RAW
