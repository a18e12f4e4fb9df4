"""How much memory this machine has for models.

Knows the machine; knows nothing of pairs.
"""

import os
from pathlib import Path

import torch

from baco.models.loading import resolve_device

LIMIT = Path("/sys/fs/cgroup/memory.max")
"""The limit of a container, in bytes, or "max"."""


def model_memory() -> tuple[torch.device, int | None]:
    """Find the device on which models run by default, and its memory in bytes, whatever of it is in use.

    A CPU and Apple's GPU have the machine's, or as much as a container may have; None where the system does not tell.
    """
    device = resolve_device("auto")
    if device.type == "cuda":
        return device, int(torch.cuda.get_device_properties(device).total_memory)
    return device, host_memory(LIMIT)


def host_memory(limit: Path) -> int | None:
    """The machine's memory in bytes, or what the file `limit` allows, if that is less; None where the system does not tell."""
    if not hasattr(os, "sysconf"):
        return None
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed = limit.read_text().strip() if limit.is_file() else "max"
    return installed if allowed == "max" else min(installed, int(allowed))
