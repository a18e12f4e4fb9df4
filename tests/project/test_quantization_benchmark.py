"""The quantisation benchmark measures what it says, at sizes that take no time."""

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import quantization


def test_there_are_forty_different_prompts() -> None:
    assert len(set(quantization.PROMPTS)) == 40


def test_total_variation_is_the_mass_that_has_to_move() -> None:
    left = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.2, 0.3, 0.5]])
    right = torch.tensor([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0], [0.2, 0.3, 0.5]])
    assert quantization.total_variation(left, right).tolist() == pytest.approx([0.25, 1.0, 0.0])


@pytest.mark.slow
def test_the_last_line_is_one_json_object_with_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["quantization.py", "--quick", "--output", str(tmp_path / "figures.json")])
    quantization.main()
    last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert last == (tmp_path / "figures.json").read_text().rstrip("\n")
    document = json.loads(last)
    drifts = {(drift["form"], drift["model"]): drift for drift in document["drifts"]}
    assert len(drifts) == 6
    for model in ("base", "aligned"):
        # Fewer bits move a distribution further.
        assert 0 < drifts["bfloat16", model]["tv_mean"] < drifts["int4", model]["tv_mean"] < 0.5
        assert drifts["int8", model]["tv_mean"] < drifts["int4", model]["tv_mean"]
        assert drifts["int8", model]["positions"] == drifts["int4", model]["positions"] > 0
    sizes = {(size["pair"], size["form"]): size for size in document["sizes"]}
    assert len(sizes) == 9
    for (pair, form), size in sizes.items():
        assert size["ratio"] == pytest.approx(size["megabytes"] / sizes[pair, "bfloat16"]["megabytes"], rel=1e-3)
        assert {"bfloat16": 1.0, "int8": 0.5, "int4": 0.3}[form] <= size["ratio"] <= 1.0
