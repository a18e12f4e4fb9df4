"""Decoding on a GPU: recorded passes against the reference decoder and against the same passes operation by operation. Needs CUDA."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

from baco import Engine, ModelPair, Router, SamplingParams
from baco.forward.cuda import CudaGraphs
from tests.support.oracle import Oracle
from tests.support.pairs import ARCHITECTURES
from tests.system.test_speculation import run_crowds

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")

Folders = Callable[[str], tuple[Path, Path]]


def engine_on_cuda(folders: tuple[Path, Path], dtype: str = "float32") -> Engine:
    base, aligned = folders
    return Engine(ModelPair.from_pretrained(base=str(base), aligned=str(aligned), device="cuda", dtype=dtype))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_random_requests_on_cuda_are_each_answered_as_by_the_reference(
    arch: str, pair_folders: Folders, get_oracle: Callable[[str], Oracle], monkeypatch: pytest.MonkeyPatch
) -> None:
    replays = 0
    replay = CudaGraphs.replay

    def counted(self: CudaGraphs, key: object) -> torch.Tensor:
        nonlocal replays
        replays += 1
        return replay(self, key)  # type: ignore[arg-type]

    monkeypatch.setattr(CudaGraphs, "replay", counted)
    engine = engine_on_cuda(pair_folders(arch))
    tally = run_crowds(engine, get_oracle(arch), random.Random(f"cuda {arch}"), monkeypatch, 8, lambda batch: batch > 3)
    assert tally.whole >= 70 and tally.near_ties <= 2
    assert 0 < tally.accepted < tally.proposed
    assert replays > 300
    engine.pair.unload()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_recorded_passes_write_what_passes_operation_by_operation_write(
    dtype: str, pair_folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bfloat16 both take the same padded shapes, so that even there every bit agrees."""
    params = SamplingParams(n=4, max_tokens=40, seed=3)
    found = []
    for records in (True, False):
        if not records:
            monkeypatch.setattr(CudaGraphs, "_capture", lambda self, work: (None, None))
            monkeypatch.setattr(CudaGraphs, "replay", lambda self, key: self._recorded[key][-1]())
        engine = engine_on_cuda(pair_folders("llama"), dtype)
        found.append(engine.generate("Name a pet rabbit.", params, Router("p", threshold=0.5)).candidates)
        engine.pair.unload()
        del engine
    assert found[0] == found[1]


def test_what_cannot_be_recorded_still_runs_and_says_so_once(pair_folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_on_cuda(pair_folders("qwen2"))
    expected = engine.generate("Name a pet rabbit.", SamplingParams(max_tokens=12, seed=3)).candidates
    engine.pair.unload()
    attention = Qwen2Attention.forward

    def waits(self: Qwen2Attention, hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        hidden_states.sum().item()
        return attention(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(Qwen2Attention, "forward", waits)
    engine = engine_on_cuda(pair_folders("qwen2"))
    with pytest.warns(UserWarning, match="a pass of Qwen2ForCausalLM cannot be recorded as CUDA graphs") as caught:
        assert engine.generate("Name a pet rabbit.", SamplingParams(max_tokens=12, seed=3)).candidates == expected
        assert engine.generate("Name a pet rabbit.", SamplingParams(max_tokens=12, seed=3)).candidates == expected
    assert len(caught) == 2, "one for each model"
    engine.pair.unload()
