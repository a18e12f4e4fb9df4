"""`DecisionGraphs`: the decisions behind a pass as CUDA recorded them, so that a step starts one operation instead of a hundred.

The settings of all rows, and what differs from pass to pass, lie in tensors that stay where they are. Knows tensors; knows no rows and no
requests.
"""

from collections.abc import Hashable, Sequence
from typing import Self

import torch
from torch import Tensor

from baco.forward.cuda import CudaGraphs, bucket, upload
from baco.models.pair import ModelPair
from baco.noise import step_keys
from baco.results import Model
from baco.routing import Prefix, Signals
from baco.routing.batch import RoutingBatch
from baco.routing.registry import BUILT_IN
from baco.sampling.decide import decide_aligned, decide_base
from baco.sampling.sampler import SamplingBatch, draw_noise
from baco.vocab.lexicon import Lexicon

MAX_QUERIES = 256
"""More cells than this are read operation by operation: their logits are so many that starting operations no longer matters."""


class DecisionGraphs:
    """Recordings for one pair; those of a batch serve every later batch with as many rows (up to a power of two) and the same rules."""

    def __init__(self, graphs: CudaGraphs, lexicon: Lexicon, vocab_size: int) -> None:
        self.graphs = graphs
        self.lexicon = lexicon
        self.vocab_size = vocab_size
        self._batches: dict[Hashable, BatchGraphs] = {}
        self._logits: dict[int, Tensor] = {}

    @classmethod
    def on(cls, pair: ModelPair) -> Self | None:
        """Recordings for a pair on CUDA, or None elsewhere."""
        graphs = CudaGraphs.on(pair.device, "routing and sampling")
        return None if graphs is None else cls(graphs, pair.lexicon, pair.vocab_size)

    def adopt(self, sampling: SamplingBatch, routing: RoutingBatch) -> "BatchGraphs | None":
        """Take in the settings of a batch; None where a rule is a user's own, which may do what cannot be recorded."""
        rules = tuple(rule for rule, _ in routing.rules)
        if not BUILT_IN.issuperset(rules):
            return None
        key = (len(sampling.row_keys), rules, sampling.truncates, sampling.draws)
        held = self._batches.setdefault(key, BatchGraphs(self, key, sampling, routing))
        for kept, new in zip(_tensors(held.sampling, held.routing), _tensors(sampling, routing), strict=True):
            kept.copy_(new)
        return held

    def logits(self, size: int) -> Tensor:
        """What recordings at so many cells read, float32 [C, V]."""
        if size not in self._logits:
            self._logits[size] = torch.zeros(size, self.vocab_size, device=self.graphs.device)
        return self._logits[size]


class BatchGraphs:
    """Recordings for batches of one size whose rows follow the same rules. The settings of a batch lie in tensors that they read."""

    def __init__(self, owner: DecisionGraphs, key: Hashable, sampling: SamplingBatch, routing: RoutingBatch) -> None:
        self.owner = owner
        self.key = key
        self.sampling = sampling
        self.routing = routing
        self._numbers: dict[tuple[Model, int], Tensor] = {}

    def prepare(self, which: Model, count: int) -> bool:
        """Record the decisions of one model at up to so many cells, unless that has been done; return whether `decide` can replay them."""
        if not 0 < count <= MAX_QUERIES:
            return False
        size = bucket(count)
        if (which, size) not in self._numbers:
            # Recording runs once for real, so these must name a row that exists.
            self._numbers[which, size] = torch.zeros(3, size, dtype=torch.int64, device=self.owner.graphs.device)
        numbers, logits = self._numbers[which, size], self.owner.logits(size)
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
        count, size = len(logits), bucket(len(logits))
        self.owner.logits(size)[:count].copy_(logits)
        self._numbers[which, size].copy_(upload([[*row, *[0] * (size - count)] for row in numbers], logits.device))
        return self.owner.graphs.replay((which, self.key, size))

    def _decide(self, which: Model, numbers: Tensor, logits: Tensor) -> Tensor:
        rows, positions, last_tokens = numbers[0], numbers[1], numbers[2]
        sampling, routing = self.sampling.select(rows), self.routing.select(rows)
        noise = draw_noise(sampling.row_keys, positions, self.owner.vocab_size) if sampling.draws else None
        if which == "aligned":
            return decide_aligned(logits, logits, noise, sampling, is_probed=False)
        signals = Signals(
            base_logits=logits,
            aligned_top1=None,
            reads_aligned=routing.reads_aligned,
            step_keys=step_keys(sampling.row_keys, positions),
            lexicon=self.owner.lexicon,
            prefixes=_no_prefixes,
        )
        return decide_base(signals, logits, noise, sampling, routing, last_tokens)


def _tensors(sampling: SamplingBatch, routing: RoutingBatch) -> list[Tensor]:
    """All settings, in one order."""
    values = [*vars(sampling).values(), *vars(routing).values(), *(members for _, members in routing.rules)]
    return [value for value in values if isinstance(value, Tensor)]


def _no_prefixes(asked: Sequence[int]) -> Sequence[Prefix]:
    raise AssertionError("no built-in rule but the judge reads prefixes")
