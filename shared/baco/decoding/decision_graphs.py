"""`DecisionGraphs`: routing and sampling after a pass, recorded as CUDA graphs, so that a step launches once instead of a hundred times.

The settings of all rows, and the inputs that change from pass to pass, stay in fixed tensors. Knows tensors; knows no rows and no requests.
"""

from collections.abc import Hashable, Sequence
from dataclasses import fields, is_dataclass
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
"""More queries than this run eagerly: over so many logits, launch overhead no longer matters."""


class DecisionGraphs:
    """CUDA graphs for one pair. Those of one batch serve every later batch with the same host-side settings (see `host_and_device`)."""

    def __init__(self, graphs: CudaGraphs, lexicon: Lexicon, vocab_size: int) -> None:
        self.graphs = graphs
        self.lexicon = lexicon
        self.vocab_size = vocab_size
        self._batches: dict[Hashable, BatchGraphs] = {}
        self._logits: dict[int, Tensor] = {}

    @classmethod
    def on(cls, pair: ModelPair) -> Self | None:
        """CUDA graphs for a pair on CUDA, or None elsewhere."""
        graphs = CudaGraphs.on(pair.device, "routing and sampling")
        return None if graphs is None else cls(graphs, pair.lexicon, pair.vocab_size)

    def adopt(self, sampling: SamplingBatch, routing: RoutingBatch) -> "BatchGraphs | None":
        """Copy the settings of a batch in; None where a user's own rule is among them, which may do what cannot be recorded."""
        if not BUILT_IN.issuperset(rule for rule, _ in routing.rules):
            return None
        key, new = host_and_device((sampling, routing))
        batch = self._batches.setdefault(key, BatchGraphs(self, key, sampling, routing))
        for held, tensor in zip(host_and_device((batch.sampling, batch.routing))[1], new, strict=True):
            held.copy_(tensor)
        return batch

    def logits(self, size: int) -> Tensor:
        """The input tensor of the graphs for so many queries, float32 [C, V]."""
        if size not in self._logits:
            self._logits[size] = torch.zeros(size, self.vocab_size, device=self.graphs.device)
        return self._logits[size]


class BatchGraphs:
    """CUDA graphs for batches with the same host-side settings; the device-side ones are in tensors that the graphs read."""

    def __init__(self, owner: DecisionGraphs, key: Hashable, sampling: SamplingBatch, routing: RoutingBatch) -> None:
        self.owner = owner
        self.key = key
        self.sampling = sampling
        self.routing = routing
        self._numbers: dict[tuple[Model, int], Tensor] = {}

    def prepare(self, which: Model, count: int) -> bool:
        """Record one model's decisions at up to so many queries, unless done already; return whether `decide` can replay them."""
        if not 0 < count <= MAX_QUERIES:
            return False
        size = bucket(count)
        if (which, size) not in self._numbers:
            # Recording runs once for real, so the rows in here must exist.
            self._numbers[which, size] = torch.zeros(3, size, dtype=torch.int64, device=self.owner.graphs.device)
        numbers, logits = self._numbers[which, size], self.owner.logits(size)
        return self.owner.graphs.record((which, self.key, size), lambda: self._decide(which, numbers, logits))

    def decide(self, which: Model, logits: Tensor, numbers: Sequence[Sequence[int]]) -> Tensor:
        """Decide at C queries.

        Args:
            which: whose logits these are.
            logits: raw, float32 [C, V].
            numbers: [3, C]: the queries' rows in the batch, their positions within the answers, and the tokens before.

        Returns:
            As `decide_base` or `decide_aligned`, padded: columns after the first C have no meaning.
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


def host_and_device(settings: object) -> tuple[Hashable, list[Tensor]]:
    """Split settings into what Python code can branch on and what only the device knows.

    A CUDA graph keeps the branches that Python took while it was recorded, so whatever is not in a tensor belongs to the graph's key.

    Args:
        settings: dataclasses and tuples, nested as one likes, of tensors and hashable values.

    Returns:
        A key of the shapes and dtypes of the tensors and of all other values; and the tensors, in the same order for equal keys.

    Raises:
        TypeError: a value is neither a tensor nor hashable.
    """
    if isinstance(settings, Tensor):
        return (settings.shape, settings.dtype), [settings]
    if is_dataclass(settings):
        parts = tuple(getattr(settings, field.name) for field in fields(settings))
    elif isinstance(settings, tuple):
        parts = settings
    else:
        hash(settings)
        return settings, []
    split = [host_and_device(part) for part in parts]
    return (type(settings), *(key for key, _ in split)), [tensor for _, tensors in split for tensor in tensors]


def _no_prefixes(asked: Sequence[int]) -> Sequence[Prefix]:
    raise AssertionError("no built-in rule but the judge reads prefixes")
