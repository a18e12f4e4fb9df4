"""A training run's state on disk, so that an interrupted run goes on where it was."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass
class State:
    """What a run has done so far."""

    learned: int = 0
    """Tokens whose loss counted."""
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    """One of each step."""

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return len(self.losses)


@dataclass(frozen=True)
class Checkpoint:
    """A file with the state of one run. ``settings`` tell the run from others; they must say all that decides its course."""

    path: Path
    settings: dict[str, Any]

    def save(self, state: State, model: nn.Module, steppers: Sequence[torch.optim.Optimizer]) -> None:
        """Write the state; the file is replaced whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_name(self.path.name + ".new")
        content = {"settings": self.settings, "state": vars(state), "model": model.state_dict()}
        torch.save({**content, "steppers": [stepper.state_dict() for stepper in steppers]}, new)
        os.replace(new, self.path)

    def load(self, model: nn.Module, steppers: Sequence[torch.optim.Optimizer]) -> State:
        """Put the state back into a model and its optimisers; without a file, leave them as they are and begin.

        Raises:
            ValueError: the file is of a run with other settings.
        """
        if not self.path.exists():
            return State()
        content = torch.load(self.path, weights_only=True)
        if content["settings"] != self.settings:
            raise ValueError(
                f"{self.path} is of a run with other settings ({content['settings']}, not {self.settings}): go on with those, or remove it"
            )
        model.load_state_dict(content["model"])
        for stepper, saved in zip(steppers, content["steppers"], strict=True):
            stepper.load_state_dict(saved)
        return State(**content["state"])
