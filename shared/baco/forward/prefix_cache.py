"""`PrefixCache`: keys and values of earlier prompts and answers, for prompts with the same prefix; evicts the least recently used.

The cache is a tree, so that no token is stored twice: a node starts where its text first differs from the texts that were cached before. A
conversation is a path of nodes, one per turn, and conversations with the same prefix share its nodes. The idea is RadixAttention's (arXiv
2312.07104). Nodes are never split, but children branch off at any position: our own choice, since splitting a tensor frees no memory.
Knows token ids and tensors of one model; knows no rows.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from baco.forward.slot_cache import KeptStates, KeptTokens
from baco.vocab.token_ids import common_length

SHORTEST_PREFIX = 16
"""Fewer tokens are computed again faster than they are looked up and copied (our own choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Tokens with their keys and values in every layer."""

    key: tuple[int, ...]
    """For a root, its first `SHORTEST_PREFIX` tokens; else the parent's number, the position, and the token there."""
    number: int
    start: int
    """Position of the first token in the text."""
    token_ids: list[int]
    kept: KeptTokens
    parent: "Node | None"
    """Has the tokens before; None for a root."""
    states: dict[int, KeptStates] = field(default_factory=dict)
    """For a model with states: the states at some lengths of the text, all of them in this node."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return self.kept.values.nbytes + sum(_nbytes(states) for states in self.states.values())

    @property
    def path(self) -> "Iterator[Node]":
        """The node and its ancestors, up to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


@dataclass(frozen=True, slots=True)
class Prefix:
    """The cached prefix of a text."""

    length: int = 0
    last: Node | None = None
    """Has its last token; None if no prefix is cached."""

    @property
    def parts(self) -> list[tuple[KeptTokens, int]]:
        """The keys and values along its path, each with the number of first tokens that belong to the prefix."""
        parts, end = [], self.length
        for node in self.last.path if self.last is not None else ():
            parts.append((node.kept, end - node.start))
            end = node.start
        return parts[::-1]

    @property
    def states(self) -> KeptStates:
        """The states after it, if there are some."""
        return () if self.last is None else self.last.states.get(self.length, ())


class PrefixCache:
    """Cached prefixes of one model, up to `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._nodes: OrderedDict[tuple[int, ...], Node] = OrderedDict()
        """Nodes by key, the least recently used first. No parent comes before its children, so the first node has none."""
        self._count = 0

    def find(self, token_ids: list[int], with_states: bool = False) -> Prefix:
        """Find the longest cached prefix of a text; the longest whose states are cached, where `with_states`."""
        found = best = Prefix()
        if len(token_ids) < SHORTEST_PREFIX:
            return found
        node = self._nodes.get(tuple(token_ids[:SHORTEST_PREFIX]))
        while node is not None:
            end = node.start + len(node.token_ids)
            found = Prefix(node.start + common_length(token_ids[node.start : end], node.token_ids), node)
            stands_at = max((length for length in node.states if length <= found.length), default=0) if with_states else found.length
            if stands_at:
                best = Prefix(stands_at, node)
            if found.length == len(token_ids):
                break
            node = self._nodes.get((node.number, found.length, token_ids[found.length]))
        self._use(best.last)
        return best

    def covers(self, token_ids: list[int]) -> bool:
        """Whether all of a text is cached."""
        return self.find(token_ids).length >= len(token_ids)

    def keep(self, token_ids: list[int], take: Callable[[int], KeptTokens], states: KeptStates = ()) -> None:
        """Cache a text of at least `SHORTEST_PREFIX` tokens, and evict nodes until the budget holds.

        `take` copies the keys and values of its tokens from a position; `states` are those after its last token.
        """
        before = self.find(token_ids)
        path = list(before.last.path) if before.last is not None else []
        if path and before.length == len(token_ids):
            node = path[0]
            if not states or before.length in node.states:
                return
            added = _nbytes(states)
        else:
            key = (path[0].number, before.length, token_ids[before.length]) if path else tuple(token_ids[:SHORTEST_PREFIX])
            node = Node(key, self._count + 1, before.length, token_ids[before.length :], take(before.length), before.last)
            added = node.nbytes + _nbytes(states)
        if added + sum(each.nbytes for each in path) > self.budget:
            return
        if states:
            node.states[len(token_ids)] = states
        if node.key not in self._nodes:
            self._count += 1
            self._nodes[node.key] = node
        self.bytes += added
        self._use(node)
        while self.bytes > self.budget:
            _, oldest = self._nodes.popitem(last=False)
            self.bytes -= oldest.nbytes

    def clear(self) -> None:
        """Evict everything."""
        self._nodes.clear()
        self.bytes = 0

    def _use(self, node: Node | None) -> None:
        """Make a node, and then its ancestors, the most recently used."""
        for each in node.path if node is not None else ():
            self._nodes.move_to_end(each.key)


def _nbytes(states: KeptStates) -> int:
    return sum(state.nbytes for layer in states for state in layer.values())
