"""The machine's memory: what is installed, or less where a container may have less."""

import os
from pathlib import Path

import pytest
import torch

from baco.models.machine import host_memory, model_memory


def test_a_container_has_what_it_may_have(tmp_path: Path) -> None:
    (limit := tmp_path / "memory.max").write_text("1000000\n")
    assert host_memory(limit) == 1_000_000


@pytest.mark.parametrize("text", ["max\n", f"{2**63}\n", None])
def test_without_a_limit_it_is_what_is_installed(tmp_path: Path, text: str | None) -> None:
    limit = tmp_path / "memory.max"
    if text is not None:
        limit.write_text(text)
    kilobytes = next(line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert host_memory(limit) == pytest.approx(int(kilobytes) * 1024, rel=0.01)


def test_a_system_that_does_not_tell_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert host_memory(tmp_path / "memory.max") is None


def test_models_run_where_torch_has_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        total_memory = 80_000_000_000

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties())
    device, memory = model_memory()
    assert (device.type, memory) == ("cuda", 80_000_000_000)
