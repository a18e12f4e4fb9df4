"""Recorded decisions: a graph is replayed only for batches that take the same branches, and with their own tensors.

`Rehearsal` stands in for CUDA, where a recording keeps every branch that Python took.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import ModelPair, Router
from baco.config import ResolvedSamplingParams
from baco.decoding.decision_graphs import DecisionGraphs, host_and_device
from baco.routing.batch import RoutingBatch
from baco.sampling.sampler import SamplingBatch
from tests.support.gate import Rehearsal

CPU = torch.device("cpu")
ROUTER = Router("p-punc", threshold=0.4)


@dataclass(frozen=True)
class LaterSampling(SamplingBatch):
    """Settings as a later version may have them: one more that the host decides by, one more on the device."""

    sharpens: bool = False
    bias: Tensor | None = None


@dataclass(frozen=True)
class LaterRouting(RoutingBatch):
    """Settings as a later version may have them."""

    patience: int = 0


def sampling_of(*params: ResolvedSamplingParams, seed: int = 0) -> SamplingBatch:
    return SamplingBatch.build(params, [seed] * len(params), list(range(len(params))), CPU)


def later(sampling: SamplingBatch, **settings: Any) -> LaterSampling:
    return LaterSampling(**vars(sampling), **settings)


def routing_of(*routers: Router) -> RoutingBatch:
    return RoutingBatch.build(routers, CPU)


@pytest.fixture
def graphs(random_pair: ModelPair) -> DecisionGraphs:
    return DecisionGraphs(Rehearsal.on(CPU, "decisions"), random_pair.lexicon, random_pair.vocab_size)


def test_a_batch_of_other_seeds_and_numbers_shares_the_recording_and_brings_its_own_tensors(graphs: DecisionGraphs) -> None:
    first = graphs.adopt(sampling_of(ResolvedSamplingParams(temperature=0.5)), routing_of(ROUTER))
    second = graphs.adopt(sampling_of(ResolvedSamplingParams(temperature=0.7), seed=3), routing_of(Router("p-punc", threshold=0.9)))
    assert first is not None and second is first
    assert first.sampling.temperature.tolist() == pytest.approx([0.7])
    assert first.sampling.row_keys.tolist() == sampling_of(ResolvedSamplingParams(), seed=3).row_keys.tolist()
    assert first.routing.thresholds.tolist() == pytest.approx([0.9])


def test_every_setting_of_the_host_that_differs_has_a_recording_of_its_own(graphs: DecisionGraphs) -> None:
    sampling, routing = sampling_of(ResolvedSamplingParams()), routing_of(ROUTER)
    flags = [field.name for field in fields(sampling) if not isinstance(getattr(sampling, field.name), Tensor)]
    assert {"truncates", "draws"} <= set(flags)
    found = [graphs.adopt(sampling, routing)]
    found += [graphs.adopt(replace(sampling, **{name: not getattr(sampling, name)}), routing) for name in flags]
    found += [graphs.adopt(sampling, routing_of(Router("h", threshold=1.0)))]
    found += [graphs.adopt(sampling_of(ResolvedSamplingParams(), ResolvedSamplingParams()), routing_of(ROUTER, ROUTER))]
    assert None not in found and len(set(found)) == len(found) == len(flags) + 3


def test_a_setting_that_is_added_later_is_not_forgotten(graphs: DecisionGraphs) -> None:
    sampling, routing = sampling_of(ResolvedSamplingParams()), routing_of(ROUTER)
    plain = graphs.adopt(later(sampling), routing)
    assert graphs.adopt(later(sampling), routing) is plain
    assert graphs.adopt(later(sampling, sharpens=True), routing) is not plain
    patient = graphs.adopt(later(sampling), LaterRouting(**vars(routing), patience=2))
    assert graphs.adopt(later(sampling), LaterRouting(**vars(routing), patience=3)) is not patient
    biased = graphs.adopt(later(sampling, bias=torch.tensor([0.5])), routing)
    assert biased is not None and biased is not plain
    assert graphs.adopt(later(sampling, bias=torch.tensor([0.25])), routing) is biased
    assert isinstance(biased.sampling, LaterSampling) and biased.sampling.bias is not None and biased.sampling.bias.item() == 0.25


def test_a_setting_that_cannot_be_compared_is_refused() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        host_and_device((1, ["a list"]))


def test_a_rule_of_the_users_own_is_not_recorded(graphs: DecisionGraphs) -> None:
    judge = Router("judge", judge=lambda prefix: "base")
    assert graphs.adopt(sampling_of(ResolvedSamplingParams()), routing_of(judge)) is None
