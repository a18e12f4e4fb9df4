"""`RoutingBatch`: the routers of a batch's rows, asked together, with the word-boundary rule applied.

Knows the rules and their thresholds; knows no models and no sampling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from baco.routing.registry import Rule
from baco.routing.router import Router
from baco.routing.signals import Signals


@dataclass(frozen=True)
class RoutingBatch:
    """Which rule each of B rows follows; all tensors are [B], on the models' device."""

    rules: tuple[tuple[Rule, Tensor], ...]
    """Each rule of the batch with its rows, bool [B]."""
    thresholds: Tensor
    word_boundary: Tensor
    reads_aligned: Tensor
    """Rows whose probe is the aligned model."""
    masks_special: Tensor
    """Rows whose base tokens may not be special: all but those of Router("base"). The aligned model ends a turn (our own choice)."""

    @classmethod
    def build(cls, routers: Sequence[Router], device: torch.device) -> "RoutingBatch":
        """Gather the routers of B rows, each with its threshold known."""

        def column(values: list[bool]) -> Tensor:
            return torch.tensor(values, dtype=torch.bool, device=device)

        groups = {(router.name, router.judge): router.rule for router in routers}
        thresholds = [float("nan") if router.threshold is None else router.threshold for router in routers]
        return cls(
            rules=tuple((rule, column([(r.name, r.judge) == key for r in routers])) for key, rule in groups.items()),
            thresholds=torch.tensor(thresholds, dtype=torch.float32, device=device),
            word_boundary=column([router.word_boundary for router in routers]),
            reads_aligned=column([router.probe == "aligned" for router in routers]),
            masks_special=column(["aligned" in router.models for router in routers]),
        )

    def select(self, rows: Tensor) -> "RoutingBatch":
        """Keep the rows at int64 indices [K]."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        kept: dict[str, Any] = {name: column[rows] for name, column in columns.items() if isinstance(column, Tensor)}
        return replace(self, rules=tuple((rule, members[rows]) for rule, members in self.rules), **kept)

    def without_idle_rules(self) -> "RoutingBatch":
        """Drop the rules that no row follows. Synchronises with the device."""
        return replace(self, rules=tuple((rule, members) for rule, members in self.rules if members.any()))

    def ask(self, signals: Signals, last_tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Ask every row's rule, and find the word boundaries.

        The router may switch models only at word boundaries: at the first token, where the probe's top-1 token starts a word, or where
        the last token ended one. Elsewhere the owner of the last token also writes the next one.

        `last_tokens`, int64 [B], are -1 before the first token. Returns whether the rule wants the base, and whether the router may
        switch, both bool [B].
        """
        lexicon = signals.lexicon
        at_word = lexicon.starts_word[signals.probe_top1] | lexicon.ends_word[last_tokens.clamp(min=0)]
        may_switch = at_word | (last_tokens < 0) | ~self.word_boundary
        wanted = torch.zeros_like(may_switch)
        for rule, members in self.rules:
            signals.asked = members & may_switch
            wanted = torch.where(members, rule(signals, self.thresholds), wanted)
        return wanted, may_switch
