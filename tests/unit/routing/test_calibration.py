"""Diversity: a target share of base tokens, reached by a measured threshold."""

from pathlib import Path

import pytest

import baco.routing.calibration as calibration
from baco.config import SamplingParams
from baco.engine import Engine
from baco.errors import ConfigError
from baco.models.pair import ModelPair
from baco.routing import Router
from baco.routing.calibration import CalibrationMap, map_key, measure_map


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(calibration, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path


def test_a_share_between_two_points_is_interpolated() -> None:
    table = CalibrationMap((0.0, 0.5, 1.0), (0.0, 0.2, 0.6))
    assert table.threshold(0.1, "p") == pytest.approx(0.25)
    assert table.threshold(0.4, "p") == pytest.approx(0.75)
    assert table.threshold(0.0, "p") == pytest.approx(0.0)
    assert table.threshold(0.6, "p") == pytest.approx(1.0)


def test_a_share_out_of_reach_names_what_the_router_reaches() -> None:
    with pytest.raises(ConfigError, match=r"router 'p-punc' reaches shares of 0.00 to 0.60"):
        CalibrationMap((0.0, 1.0), (0.0, 0.6)).threshold(0.8, "p-punc")


@pytest.mark.parametrize(("name", "share"), [("p", lambda t: t**3), ("h", lambda t: max(0.0, 1 - t / 2) ** 2)])
def test_a_measured_map_inverts_the_share_of_a_known_router(name, share) -> None:  # type: ignore[no-untyped-def]
    table = measure_map(Router(name), 500, lambda grid: [share(t) for t in grid], "test")
    for target in (0.1, 0.3, 0.6, 0.9):
        assert share(table.threshold(target, name)) == pytest.approx(target, abs=0.03)


def test_sampling_noise_cannot_make_the_map_fall() -> None:
    noisy = {0.0: 0.0, 0.25: 0.3, 0.5: 0.25, 0.75: 0.5, 1.0: 0.9}
    table = calibration._monotone(noisy, increasing=True)
    assert list(table.shares) == [0.0, 0.3, 0.3, 0.5, 0.9]


@pytest.mark.slow
def test_the_target_share_is_reached_on_other_prompts(random_pair: ModelPair, cache: Path) -> None:
    engine = Engine(random_pair, max_batch_size=64)
    prompts = ["What do you want to see there?", "The food was not bad.", "A good story", "one answer", "Nobody wanted to go"]
    for router in (Router("rand", diversity=0.35), Router("p", diversity=0.35)):
        usages = [r.usage for r in engine.generate_batch(prompts, SamplingParams(n=6, max_tokens=40, seed=5), router)]
        share = sum(u.base_tokens for u in usages) / sum(u.completion_tokens for u in usages)
        assert share == pytest.approx(0.35, abs=0.1), router.name


def test_a_map_is_measured_once_and_then_read(random_pair: ModelPair, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "GRID", 3)
    monkeypatch.setattr(calibration, "REFINEMENTS", 0)
    engine = Engine(random_pair, max_batch_size=64)
    first = engine.resolve(Router("rand", diversity=0.5))
    assert first.diversity is None and first.threshold is not None

    def measured_again(*args: object) -> None:
        raise AssertionError("the map was measured again")

    monkeypatch.setattr(calibration, "measure_map", measured_again)
    assert engine.resolve(Router("rand", diversity=0.5)) == first
    with pytest.raises(AssertionError, match="measured again"):
        engine.resolve(Router("rand", diversity=0.5, word_boundary=False))


def test_the_key_names_everything_that_the_share_depends_on() -> None:
    keys = {
        map_key(router, base_prompt)
        for router in (Router("p"), Router("h"), Router("p", probe="aligned"), Router("p", word_boundary=False))
        for base_prompt in ("transcript", "template")
    }
    assert len(keys) == 8
