"""`PrefixCache`: keys and values of what was read before, for prompts that begin alike; the least recently used goes first.

What is held is a tree, so that no token is held twice: a piece goes on from where its text leaves those that were held before. A
conversation is a chain of pieces, one a turn, and conversations that begin alike share their first ones. The idea is RadixAttention's
(arXiv 2312.07104); that no piece is ever split, but children leave it anywhere, is our own choice, since a split tensor gives no memory
back. Knows token ids and tensors of one model; knows no rows.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from baco.forward.kv_cache import KeptTokens
from baco.vocab.token_ids import common_length

SHORTEST_PREFIX = 16
"""Fewer tokens than these are read again faster than they are looked up and copied (our own choice)."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Tokens that were read, with their keys and values in every layer."""

    key: tuple[int, ...]
    """For the first piece of texts, their first `SHORTEST_PREFIX` tokens; else the parent's number, the position, and the token there."""
    number: int
    start: int
    """Tokens of the text before the piece."""
    token_ids: list[int]
    kept: KeptTokens
    parent: "Piece | None"
    """Has the tokens before."""

    @property
    def path(self) -> "Iterator[Piece]":
        """The piece and those before it, back to the beginning."""
        piece: Piece | None = self
        while piece is not None:
            yield piece
            piece = piece.parent


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a text that is held."""

    length: int = 0
    last: Piece | None = None
    """Has its last token; None where nothing is held that is worth copying."""

    @property
    def parts(self) -> list[tuple[KeptTokens, int]]:
        """What holds it, in order, and how many of the first tokens of each belong to it."""
        parts, end = [], self.length
        for piece in self.last.path if self.last is not None else ():
            parts.append((piece.kept, end - piece.start))
            end = piece.start
        return parts[::-1]


class PrefixCache:
    """Prefixes that one model has read, up to `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._held: OrderedDict[tuple[int, ...], Piece] = OrderedDict()
        """The least recently used first. No parent stands before its children, so the first one never has any."""
        self._made = 0

    def find(self, token_ids: list[int]) -> Prefix:
        """Find the longest beginning of a text that is held."""
        found = Prefix()
        if len(token_ids) < SHORTEST_PREFIX:
            return found
        piece = self._held.get(tuple(token_ids[:SHORTEST_PREFIX]))
        while piece is not None:
            end = piece.start + len(piece.token_ids)
            found = Prefix(piece.start + common_length(token_ids[piece.start : end], piece.token_ids), piece)
            if found.length == len(token_ids):
                break
            piece = self._held.get((piece.number, found.length, token_ids[found.length]))
        self._use(found.last)
        return found

    def covers(self, token_ids: list[int]) -> bool:
        """Whether all of a text is held already."""
        return self.find(token_ids).length >= len(token_ids)

    def keep(self, token_ids: list[int], take: Callable[[int], KeptTokens]) -> None:
        """Hold a text of at least `SHORTEST_PREFIX` tokens, and let go of the oldest ones that no longer fit.

        Args:
            token_ids: the text.
            take: copies keys and values of its tokens from a position on.
        """
        before = self.find(token_ids)
        if before.length == len(token_ids):
            return
        kept = take(before.length)
        path = list(before.last.path) if before.last is not None else []
        if kept.bytes + sum(piece.kept.bytes for piece in path) > self.budget:
            return
        self._made += 1
        key = (path[0].number, before.length, token_ids[before.length]) if path else tuple(token_ids[:SHORTEST_PREFIX])
        piece = Piece(key, self._made, before.length, token_ids[before.length :], kept, before.last)
        self._held[key] = piece
        self.bytes += kept.bytes
        self._use(piece)
        while self.bytes > self.budget:
            _, oldest = self._held.popitem(last=False)
            self.bytes -= oldest.kept.bytes

    def clear(self) -> None:
        """Let go of everything."""
        self._held.clear()
        self.bytes = 0

    def _use(self, piece: Piece | None) -> None:
        """Make a piece, and then those before it, the most recently used."""
        for each in piece.path if piece is not None else ():
            self._held.move_to_end(each.key)
