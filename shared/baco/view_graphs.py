"""`ViewGraphs`: the decisions behind a pass as CUDA recorded them, so that a step starts one operation instead of a hundred.

The settings of all rows, and what differs from pass to pass, lie in tensors that stay where they are. Knows tensors; knows no rows and no
requests.
"""

from collections.abc import Hashable, Sequence
from typing import Self

import torch
from torch import Tensor

from baco.cuda import CudaGraphs, upload
from baco.decide import decide_aligned, decide_base
from baco.lexicon import Lexicon
from baco.noise import step_keys
from baco.pair import ModelPair
from baco.results import Model
from baco.routers import Prefix, Signals
from baco.routers.plan import RoutingPlan
from baco.routers.registry import BUILT_IN
from baco.sampling import SamplingBatch, draw_noise

MOST_CELLS = 256
"""More cells than this are read operation by operation: their logits are so many that starting operations no longer matters."""


class ViewGraphs:
    """Recordings for one pair; those of a batch serve every later batch with as many rows (up to a power of two) and the same rules."""

    def __init__(self, graphs: CudaGraphs, lexicon: Lexicon, vocab_size: int) -> None:
        self.graphs = graphs
        self.lexicon = lexicon
        self.vocab_size = vocab_size
        self._batches: dict[Hashable, BatchGraphs] = {}
        self._inputs: dict[int, tuple[Tensor, Tensor]] = {}

    @classmethod
    def on(cls, pair: ModelPair) -> Self | None:
        """Recordings for a pair on CUDA, or None elsewhere."""
        graphs = CudaGraphs.on(pair.device, "routing and sampling")
        return None if graphs is None else cls(graphs, pair.lexicon, pair.vocab_size)

    def adopt(self, sampling: SamplingBatch, plan: RoutingPlan) -> "BatchGraphs | None":
        """Take in the settings of a batch; None where a rule is a user's own, which may do what cannot be recorded."""
        rules = tuple(rule for rule, _ in plan.rules)
        if not BUILT_IN.issuperset(rules):
            return None
        key = (len(sampling.row_keys), rules, sampling.truncates, sampling.draws)
        held = self._batches.setdefault(key, BatchGraphs(self, key, sampling, plan))
        for kept, new in zip(_tensors(held.sampling, held.plan), _tensors(sampling, plan), strict=True):
            kept.copy_(new)
        return held

    def inputs(self, size: int) -> tuple[Tensor, Tensor]:
        """What a recording at so many cells reads: int64 [3, C], see `BatchGraphs.decide`, and float32 logits [C, V]."""
        if size not in self._inputs:
            numbers = torch.zeros(3, size, dtype=torch.int64, device=self.graphs.device)
            self._inputs[size] = numbers, torch.zeros(size, self.vocab_size, device=self.graphs.device)
        return self._inputs[size]


class BatchGraphs:
    """Recordings for batches of one size whose rows follow the same rules. The settings of a batch lie in tensors that they read."""

    def __init__(self, owner: ViewGraphs, key: Hashable, sampling: SamplingBatch, plan: RoutingPlan) -> None:
        self.owner = owner
        self.key = key
        self.sampling = sampling
        self.plan = plan

    def prepare(self, which: Model, count: int) -> bool:
        """Record the decisions of one model at up to so many cells, unless that has been done; return whether `decide` can replay them."""
        if not 0 < count <= MOST_CELLS:
            return False
        size = _size(count)
        numbers, logits = self.owner.inputs(size)
        numbers.zero_()  # recording runs once for real, and the last pass's rows may be more than this batch has
        return self.owner.graphs.record((which, self.key, size), lambda: self._decide(which, numbers, logits))

    def decide(self, which: Model, logits: Tensor, numbers: Sequence[Sequence[int]]) -> Tensor:
        """Decide at C cells.

        Args:
            which: whose logits these are.
            logits: raw, float32 [C, V].
            numbers: [3, C]: the cells' rows in the batch, their positions within the answers, and the tokens before.

        Returns:
            As `decide_base` or `decide_aligned`, with columns behind the first C that mean nothing.
        """
        count, size = len(logits), _size(len(logits))
        inputs, held = self.owner.inputs(size)
        held[:count].copy_(logits)
        inputs.copy_(upload([[*row, *[0] * (size - count)] for row in numbers], inputs.device))
        return self.owner.graphs.replay((which, self.key, size))

    def _decide(self, which: Model, numbers: Tensor, logits: Tensor) -> Tensor:
        rows, positions, last_tokens = numbers[0], numbers[1], numbers[2]
        sampling, plan = self.sampling.select(rows), self.plan.select(rows)
        noise = draw_noise(sampling.row_keys, positions, self.owner.vocab_size) if sampling.draws else None
        if which == "aligned":
            return decide_aligned(logits, logits, noise, sampling, is_probed=False)
        signals = Signals(
            base_logits=logits,
            aligned_top1=None,
            reads_aligned=plan.reads_aligned,
            step_keys=step_keys(sampling.row_keys, positions),
            lexicon=self.owner.lexicon,
            prefixes=_no_prefixes,
        )
        return decide_base(signals, logits, noise, sampling, plan, last_tokens)


def _size(count: int) -> int:
    """The smallest power of two that is not smaller."""
    return 1 << (count - 1).bit_length()


def _tensors(sampling: SamplingBatch, plan: RoutingPlan) -> list[Tensor]:
    """All settings, in one order."""
    values = [*vars(sampling).values(), *vars(plan).values(), *(members for _, members in plan.rules)]
    return [value for value in values if isinstance(value, Tensor)]


def _no_prefixes(asked: Sequence[int]) -> Sequence[Prefix]:
    raise AssertionError("no built-in rule but the judge reads prefixes")
