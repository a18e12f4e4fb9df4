"""The keyed noise equals its definition in plain integers, and its streams are uniform and independent of each other."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from baco.noise import gumbel, row_key, step_keys, uniform
from tests.support import noise_reference as reference

SEEDS = [0, 1, 2, 12345, 2**31, 2**32 + 7, 2**63 - 1]
SMALLEST_P = 1e-6
LARGEST_DEVIATION = 5.0
"""Standard deviations of a correlation: a fair stream passes it but for one time in two million."""


def unsigned(key: int) -> int:
    return key % 2**64


def keys(seeds: range = range(1), samples: range = range(1), positions: range = range(1)) -> Tensor:
    """Step keys of all combinations, int64 [seeds * samples * positions]."""
    rows = torch.tensor([row_key(seed, sample) for seed in seeds for sample in samples])
    return step_keys(rows.repeat_interleave(len(positions)), torch.tensor(positions).repeat(len(rows)))


def to_uniform(noise: Tensor) -> Tensor:
    """Undo the Gumbel shape: the distribution function of the standard Gumbel distribution."""
    return torch.exp(-torch.exp(-noise.double()))


def correlation(a: Tensor, b: Tensor) -> float:
    """Correlation in standard deviations of what independent streams would show."""
    coefficient = float(np.corrcoef(a.flatten().numpy(), b.flatten().numpy())[0, 1])
    return coefficient * math.sqrt(a.numel())


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_equal_the_definition_bit_for_bit(seed: int) -> None:
    for sample in (0, 1, 7, 1000):
        row = reference.row_key(seed, sample)
        assert unsigned(row_key(seed, sample)) == row
        positions = torch.tensor([0, 1, 2, 500, 2**20])
        found = step_keys(torch.tensor([row_key(seed, sample)] * 5), positions)
        assert [unsigned(key) for key in found.tolist()] == [reference.step_key(row, position) for position in positions.tolist()]


def test_uniforms_equal_the_definition_bit_for_bit() -> None:
    some = keys(range(20), range(3), range(5))
    assert uniform(some).tolist() == [reference.uniform(unsigned(key)) for key in some.tolist()]


def test_gumbels_equal_the_definition() -> None:
    some = torch.cat([keys(range(6), range(2), range(3)), torch.tensor([0, -1, 2**31, 2**32, -(2**31), -(2**63), 2**63 - 1])])
    expected = np.stack([reference.gumbel(unsigned(key), 700) for key in some.tolist()])
    np.testing.assert_allclose(gumbel(some, 700).numpy(), expected, rtol=1e-6, atol=1e-6)


def test_noise_of_a_token_does_not_depend_on_the_vocabulary_or_on_other_rows() -> None:
    some = keys(range(4))
    assert torch.equal(gumbel(some, 1000)[:, :300], gumbel(some, 300))
    assert torch.equal(gumbel(some, 300)[2:3], gumbel(some[2:3], 300))


def test_keys_are_not_changed_by_drawing() -> None:
    some = keys(range(4))
    before = some.clone()
    gumbel(some, 10), uniform(some)
    assert torch.equal(some, before)


def test_no_two_steps_share_a_key() -> None:
    some = keys(range(30), range(30), range(100))
    assert len(set(some.tolist())) == len(some)


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("over tokens", to_uniform(gumbel(keys(range(1)), 200_000))),
        ("over positions", to_uniform(gumbel(keys(positions=range(20_000)), 3))),
        ("over samples", to_uniform(gumbel(keys(samples=range(20_000)), 3))),
        ("over seeds", to_uniform(gumbel(keys(seeds=range(20_000)), 3))),
        ("of the route over positions", uniform(keys(positions=range(50_000)))),
        ("of the route over samples", uniform(keys(samples=range(50_000)))),
        ("of the route over seeds", uniform(keys(seeds=range(50_000)))),
    ],
)
def test_noise_is_uniform(name: str, noise: Tensor) -> None:
    assert stats.kstest(noise.flatten().numpy(), "uniform").pvalue > SMALLEST_P
    counts = np.histogram(noise.numpy(), bins=64, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > SMALLEST_P


@pytest.mark.parametrize("axis", ["seeds", "samples", "positions"])
@pytest.mark.parametrize("distance", [1, 2, 16, 256])
def test_neighbouring_streams_are_independent(axis: str, distance: int) -> None:
    here, there = keys(**{axis: range(400)}), keys(**{axis: range(distance, 400 + distance)})
    assert abs(correlation(to_uniform(gumbel(here, 500)), to_uniform(gumbel(there, 500)))) < LARGEST_DEVIATION
    assert abs(correlation(uniform(here), uniform(there))) < LARGEST_DEVIATION


@pytest.mark.parametrize("distance", [1, 2, 16, 256])
def test_neighbouring_tokens_are_independent(distance: int) -> None:
    noise = to_uniform(gumbel(keys(positions=range(400)), 800))
    assert abs(correlation(noise[:, distance:], noise[:, :-distance])) < LARGEST_DEVIATION


def test_the_route_is_independent_of_the_token_noise() -> None:
    some = keys(range(50), range(4), range(200))
    assert abs(correlation(uniform(some)[:, None].repeat(1, 8), to_uniform(gumbel(some, 8)))) < LARGEST_DEVIATION * 8**0.5


def test_noise_is_finite_and_reaches_into_the_tail_that_decides_rare_tokens() -> None:
    noise = gumbel(keys(range(100)), 100_000)
    assert bool(noise.isfinite().all())
    # The largest of 10 million Gumbels is about ln(10 million) = 16.1, give or take 1.3.
    assert 13 < float(noise.max()) < 22.5
    assert float(noise.min()) < -2.5
