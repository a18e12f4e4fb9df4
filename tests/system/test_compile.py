"""Compiled passes: the reference's answers, two programs for each model whatever is decoded, and what cannot be compiled."""

import random
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from baco import Engine, ModelPair, Router, SamplingParams
from baco.errors import ConfigError
from baco.forward.cuda import CudaGraphs
from tests.support.gate import Rehearsal, record_compiled_passes
from tests.support.oracle import Oracle
from tests.system.test_speculation import run_crowds


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trace passes and run what was traced, but do not spend minutes on turning it into machine code."""
    monkeypatch.setattr("baco.forward.compiling.BACKEND", "eager")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Rows, tokens and window of every compiled pass, as it comes."""
    return record_compiled_passes(monkeypatch)


def compiled(pair: ModelPair) -> Engine:
    """An engine over a pair whose programs are made already, one for passes of one row and one for several: no request waits for them."""
    engine = Engine(replace(pair, compile=True))
    for n in (1, 3):
        engine.generate("A bird", SamplingParams(n=n, max_tokens=4, seed=1), Router("rand", threshold=0.5))
    return engine


def programs() -> int:
    """How many programs torch has made in this process."""
    return int(counters["stats"]["unique_graphs"])


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["llama", "gemma3"])
@pytest.mark.usefixtures("traced")
def test_random_requests_are_each_answered_as_by_the_reference_and_each_model_has_two_programs(
    arch: str,
    get_pair: Callable[[str], ModelPair],
    get_oracle: Callable[[str], Oracle],
    calls: list[tuple[int, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = programs()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*cannot be compiled.*")
        tally = run_crowds(compiled(get_pair(arch)), get_oracle(arch), random.Random(f"compiled {arch}"), monkeypatch, 4)
    assert tally.whole >= 25 and tally.near_ties <= 1
    assert len(calls) > 60 and len(set(calls)) > 20, "passes of many shapes"
    assert programs() - before <= 4, "no shape has a program of its own"


@pytest.mark.slow
@pytest.mark.usefixtures("traced")
def test_what_is_recorded_can_be_compiled(
    get_pair: Callable[[str], ModelPair], get_oracle: Callable[[str], Oracle], calls: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CudaGraphs, "on", Rehearsal.on)
    engine, before = compiled(get_pair("llama")), Rehearsal.replays
    tally = run_crowds(engine, get_oracle("llama"), random.Random("both"), monkeypatch, 3, lambda batch: True)
    assert tally.whole >= 20 and tally.near_ties <= 1
    assert Rehearsal.replays > before + 100 and calls


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="needs a C++ compiler")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_machine_code_gives_the_logits_of_the_model(get_pair: Callable[[str], ModelPair], calls: list[tuple[int, ...]]) -> None:
    plain = get_pair("llama")
    params, router = SamplingParams(n=1, max_tokens=24, seed=5, logprobs=0), Router("p-punc")
    expected, found = (Engine(pair).generate("A bird", params, router) for pair in (plain, replace(plain, compile=True)))
    assert len(calls) > 20
    assert found.candidates[0].token_ids == expected.candidates[0].token_ids
    assert found.passes == expected.passes
    for mine, theirs in zip(found.candidates[0].tokens, expected.candidates[0].tokens, strict=True):
        assert mine.logprob.logprob == pytest.approx(theirs.logprob.logprob, abs=1e-4)


@pytest.mark.usefixtures("traced")
def test_a_model_that_cannot_be_compiled_is_warned_of_once_and_writes_the_same(
    get_pair: Callable[[str], ModelPair], calls: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = get_pair("llama")
    params = SamplingParams(max_tokens=12, seed=1)
    expected = Engine(plain).generate("A bird", params)
    forward = type(plain.base).forward

    def breaks(self: Any, *args: Any, **kwargs: Any) -> Any:
        torch._dynamo.graph_break()
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(plain.base), "forward", breaks)
    pair = replace(plain, compile=True)
    with pytest.warns(UserWarning, match="passes of LlamaForCausalLM cannot be compiled, so they run slower") as caught:
        assert Engine(pair).generate("A bird", params).candidates == expected.candidates
    assert len(caught) == 2, "one for each model"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Engine(pair).generate("A bird", params).candidates == expected.candidates
    assert len(calls) == 2, "one trial each"


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_only_true_and_false_say_whether_to_compile(value: Any, get_pair: Callable[[str], ModelPair]) -> None:
    with pytest.raises(ConfigError, match="`compile` must be True or False"):
        ModelPair.from_pretrained(compile=value)
    pair = get_pair("llama")
    with pytest.raises(ConfigError, match="`compile` must be True or False"):
        ModelPair.from_models(pair.base, pair.aligned, pair.tokenizer, compile=value)
