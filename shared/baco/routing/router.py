"""`Router`: the settings of one routing rule, checked on creation."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from baco.checks import is_number, require, strict_keywords
from baco.errors import ConfigError
from baco.results import Model
from baco.routing.registry import RouterKind, Rule, get_kind
from baco.routing.signals import Prefix, Signals

Judge = Callable[[Prefix], Literal["base", "aligned"]]


@strict_keywords
@dataclass(frozen=True)
class Router:
    """Decides at every token whether the base or the aligned model speaks.

    Names: "base", "aligned" (one model alone), "rand", "p", "h", "punc", "fc", "p-punc", "p-fc", "h-punc", "h-fc", "nudging", "judge",
    and those of `register_router`.

    Raises:
        ConfigError: unknown name; threshold or diversity out of range, both given, or given to a router that has none.
    """

    name: str = "p-punc"
    _: KW_ONLY
    threshold: float | None = None
    """Where the rule switches; its meaning and range are the rule's. None takes the router's default."""
    diversity: float | None = None
    """Target share of base tokens in [0, 1], in place of a threshold; measured once per pair (see `calibration`)."""
    probe: Model = "base"
    """The model whose top-1 token the content rules and the word rule read. "base" keeps the route a function of the base alone."""
    word_boundary: bool = True
    """Whether the owner may change only where a new word may start."""
    judge: Judge | None = None
    """For "judge": a function of a `Prefix` (the answer so far and both models' top tokens) that returns "base" or "aligned"."""

    def __post_init__(self) -> None:
        kind = get_kind(self.name)
        require(self.probe in ("base", "aligned"), "probe", '"base" or "aligned"', self.probe)
        require(isinstance(self.word_boundary, bool), "word_boundary", "True or False", self.word_boundary)
        if (self.judge is not None, callable(self.judge)) != (kind.rule is None,) * 2:
            raise ConfigError(f"`judge` must be a function for Router('judge'), else None, but Router({self.name!r}) has {self.judge!r}")
        if self.threshold is not None and self.diversity is not None:
            raise ConfigError(f"give `threshold` ({self.threshold!r}) or `diversity` ({self.diversity!r}), not both")
        self._check_threshold(kind)

    def _check_threshold(self, kind: RouterKind) -> None:
        if kind.threshold_range is None:
            for argument in ("threshold", "diversity"):
                value = getattr(self, argument)
                if value is not None:
                    raise ConfigError(f"router {self.name!r} has no threshold, so `{argument}` must be None, but is {value!r}")
            return
        low, high = kind.threshold_range
        if self.diversity is not None:
            require(is_number(self.diversity) and 0 <= self.diversity <= 1, "diversity", "a number in [0, 1]", self.diversity)
        elif self.threshold is None:
            object.__setattr__(self, "threshold", kind.default)
        else:
            valid = is_number(self.threshold) and low <= self.threshold <= high
            require(valid, "threshold", f"a number in [{low}, {high}] for router {self.name!r}", self.threshold)

    def with_threshold(self, threshold: float) -> "Router":
        """Return this router with a threshold in place of its diversity."""
        return replace(self, threshold=threshold, diversity=None)

    @property
    def models(self) -> tuple[Model, ...]:
        """The models that decoding needs."""
        alone: dict[str, tuple[Model, ...]] = {"base": ("base",), "aligned": ("aligned",)}
        return alone.get(self.name, ("base", "aligned"))

    @property
    def reads_aligned(self) -> bool:
        """Whether the route depends on the aligned model too. Then every token takes a pass of both models."""
        return len(self.models) == 2 and (self.probe == "aligned" or get_kind(self.name).reads_aligned)

    @property
    def rule(self) -> Rule:
        """The registered rule, or the judge's."""
        registered = get_kind(self.name).rule
        return registered if registered is not None else self._ask_judge

    def _ask_judge(self, signals: Signals, threshold: Tensor) -> Tensor:
        """Ask the judge about each row, one by one."""
        assert self.judge is not None and signals.asked is not None
        answers = torch.zeros_like(signals.asked)
        rows: list[int] = signals.asked.nonzero().flatten().tolist()
        for row, prefix in zip(rows, signals.prefixes(rows), strict=True):
            answer = self.judge(prefix)
            require(answer in ("base", "aligned"), "judge", 'a function that answers "base" or "aligned"', answer)
            answers[row] = answer == "base"
        return answers
