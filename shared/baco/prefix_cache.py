"""`PrefixCache`: keys and values of what was read before, for prompts that begin alike; the least recently used goes first.

Knows token ids and tensors of one model; knows no rows.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

SHORTEST_PREFIX = 16
"""Fewer tokens than these are read again faster than they are looked up and copied (our own choice)."""

Layers = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Prefix:
    """Tokens that were read, with their keys and values in every layer."""

    token_ids: tuple[int, ...]
    layers: Layers

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return sum(tensor.numel() * tensor.element_size() for pair in self.layers for tensor in pair)


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Number of tokens with which both begin. Both must be of the same type (lists or tuples)."""
    low, high = 0, min(len(a), len(b))
    if high == 0 or a[0] != b[0]:
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class PrefixCache:
    """Prefixes that one model has read, up to `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._held: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()

    def find(self, token_ids: Sequence[int]) -> tuple[int, Prefix | None]:
        """Return the length of the longest held prefix of `token_ids`, and who holds it; 0 and None where there is none worth copying."""
        wanted = tuple(token_ids)
        best, holder = SHORTEST_PREFIX - 1, None
        for prefix in self._held.values():
            length = common_length(wanted, prefix.token_ids)
            if length > best:
                best, holder = length, prefix
        if holder is None:
            return 0, None
        self._held.move_to_end(holder.token_ids)
        return best, holder

    def clear(self) -> None:
        """Let go of everything."""
        self._held.clear()
        self.bytes = 0

    def covers(self, token_ids: Sequence[int]) -> bool:
        """Whether all of `token_ids` is held already."""
        return self.find(token_ids)[0] >= len(token_ids)

    def add(self, prefix: Prefix) -> None:
        """Hold a prefix, and let go of the oldest ones that no longer fit."""
        size = prefix.bytes
        if size > self.budget or prefix.token_ids in self._held:
            return
        self._held[prefix.token_ids] = prefix
        self.bytes += size
        while self.bytes > self.budget:
            _, oldest = self._held.popitem(last=False)
            self.bytes -= oldest.bytes
