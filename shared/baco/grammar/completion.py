"""The shortest completion of an answer: few tokens after which its text is whole, for an answer whose last tokens are near.

Tokens that close a string or a bracket come first; where none may follow, the search looks a bounded number of tokens ahead for a position
where one may. The completion is short, and minimal for most plain schemas. Correctness does not depend on it: a longer completion only ends
the answer earlier (our own choice).

Knows matchers and tokens; knows no models and no answers.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from llguidance import LLMatcher

from baco.grammar.completion_scores import CompletionScores, unpack
from baco.grammar.grammar import Position

MAX_COMPLETION_TOKENS = 4096
"""Tokens after which a search gives up."""
TRIALS = 24
"""Tokens that are tried where none closes, before single characters are."""
MAX_WORK, WORK_PER_TRIAL = 1_500_000_000, 50_000
"""Bound of a whole search. A trial costs the size of the vocabulary and this much more; the bound is a second or two on a slow CPU."""
MAX_LOOK_AHEAD, MAX_FRUITLESS = 4000, 400
"""Trials of one look ahead, and those of them that may show nothing new."""


def shortest_completion(
    matcher: LLMatcher, scores: CompletionScores, position: Position | None, control_bytes: Mapping[int, bytes], ending: bytes
) -> list[int] | None:
    """Tokens that complete an answer, found from a matcher's state, to which it returns; None if none are found.

    The result is a function of that state alone.

    Args:
        matcher: at the end of what has been written.
        scores: of the vocabulary.
        position: the position in a text with syntax; None for other grammars.
        control_bytes: texts of the control tokens that the grammar writes, by id.
        ending: what ends an answer that might go on, once its parts are whole; b"" if nothing need be written.
    """
    completion: list[int] = []
    search = _Search(matcher, scores, control_bytes)
    try:
        while not matcher.is_accepting():
            in_text = position is not None and (position.in_string or position.exit != b"")
            # Inside a text, the ending would be a part of it. Forced tokens one at a time: after each, longer ones may be forced.
            step = search.taken(b"" if in_text else ending) or list(matcher.compute_ff_tokens())[:1]
            step = step or search.taken(b"" if position is None else position.exit) or search.next_tokens(position)
            taken = matcher.try_consume_tokens(step) if step else 0
            completion += step[:taken]
            if taken < 1 or taken < len(step) or len(completion) > MAX_COMPLETION_TOKENS or search.work > MAX_WORK:
                return None
            position = None if position is None else position.after(search.text(step))
        return completion
    finally:
        matcher.rollback(len(completion))


class _SearchNode(NamedTuple):
    """A state ahead of the matcher's, and the path to it."""

    path: list[int]
    position: Position | None
    bits: bytes
    """Tokens that may follow."""
    ends: bool = False
    """Whether a closing token may follow, or the answer is whole."""
    visited: frozenset[bytes] = frozenset()
    """`bits` of the nodes on the path."""
    revisited: frozenset[bytes] = frozenset()
    """Those of them to which the path has returned."""


class _Search:
    """Searches for the next tokens of a completion, and counts the work."""

    def __init__(self, matcher: LLMatcher, scores: CompletionScores, control_bytes: Mapping[int, bytes]) -> None:
        self.matcher, self.scores, self.control_bytes, self.work = matcher, scores, control_bytes, 0

    def text(self, token_ids: Sequence[int]) -> bytes:
        """What tokens add to a text of this grammar."""
        return b"".join(self.control_bytes.get(token, self.scores.tokens[token]) for token in token_ids)

    def taken(self, text: bytes) -> list[int]:
        """The tokens of a text that may follow as a whole; [] if it may not, or there is none."""
        if not text:
            return []
        self.work += WORK_PER_TRIAL
        controls = {text: token for token, text in self.control_bytes.items()}
        pieces = re.split(b"(%b)" % b"|".join(map(re.escape, controls)), text) if controls else [text]
        tokens = [token for piece in pieces for token in ([controls[piece]] if piece in controls else self.scores.spell(piece))]
        taken = self.matcher.try_consume_tokens(tokens)
        self.matcher.rollback(taken)
        return tokens if taken == len(tokens) else []

    def next_tokens(self, position: Position | None) -> list[int]:
        """The next tokens of a completion; [] if none are found."""
        bits, ranked, size = self.matcher.compute_bitmask(), self.scores.at(position), len(self.scores.tokens)
        self.work += WORK_PER_TRIAL
        if closing := int.from_bytes(bits, "little") & ranked.closing_bits:
            return [next(token for token in ranked.closing if closing >> token & 1)]
        best = torch.where(unpack(bits, size), ranked.scores, 0).topk(min(TRIALS, size))
        allowed = int.from_bytes(bits, "little")
        tokens = [token for token in self.control_bytes if allowed >> token & 1]
        tokens += [int(token) for token, score in zip(best.indices, best.values, strict=True) if score > 0]
        root = _SearchNode([], position, bits, visited=frozenset([bits]))
        trials = list[_SearchNode]()
        for token in tokens:
            trials.append(self._child(root, token))
            if trials[-1].ends and len(trials[-1].path) == 1:
                return [token]
        near = [node.path for node in trials if node.ends]
        if near:
            return min(near, key=len)[:1]
        ahead = self._look_ahead(root) if trials else []
        # Where no end is in sight, forced tokens are progress.
        return ahead or min((node.path for node in trials), key=lambda path: (len(path) == 1, len(path)), default=[])[:1]

    def _child(self, node: _SearchNode, token: int) -> _SearchNode:
        """The node after a token and what it forces; the matcher is at `node`."""
        self.work += len(self.scores.tokens) + WORK_PER_TRIAL
        self.matcher.consume_token(token)
        forced = list(self.matcher.compute_ff_tokens())
        more = [token, *forced[: self.matcher.try_consume_tokens(forced) if forced else 0]]
        bits, is_whole = self.matcher.compute_bitmask(), self.matcher.is_accepting()
        self.matcher.rollback(len(more))
        position = None if node.position is None else node.position.after(self.text(more))
        closes = int.from_bytes(bits, "little") & self.scores.at(position).closing_bits
        # A text that begins here can mostly end here.
        opens_text = node.position is not None and position is not None and not node.position.exit and position.exit != b""
        revisited = node.revisited | {bits} if bits != node.bits and bits in node.visited else node.revisited
        return _SearchNode([*node.path, *more], position, bits, is_whole or closes > 0 or opens_text, node.visited | {bits}, revisited)

    def _look_ahead(self, root: _SearchNode) -> list[int]:
        """The tokens to the nearest node where a token closes: a breadth-first search by characters. [] if there is none in sight."""
        layer, seen, fruitless, tried = [root], {root.bits}, 0, 0
        while layer and tried < MAX_LOOK_AHEAD and fruitless < MAX_FRUITLESS:
            found = [(node, child) for node in layer for child in self._children(node)]
            ends = [child.path for _, child in found if child.ends]
            if ends:
                return min(map(self.scores.spelled, ends), key=len)
            # Of nodes that look alike, one whose parent looks like it is kept: a counter that the matcher does not show may have advanced.
            found.sort(key=lambda step: step[1].bits != step[0].bits)
            following = dict[object, _SearchNode]()
            for _, child in found:
                following.setdefault((child.bits, child.visited, child.revisited), child)
            layer = list(following.values())
            new = {node.bits for node in layer}
            if new == {root.bits}:
                break  # every character leads back to the same
            tried, fruitless = tried + len(found), 0 if new - seen else fruitless + len(found)
            seen |= new
        return []

    def _children(self, node: _SearchNode) -> list[_SearchNode]:
        """The nodes after each character that may follow."""
        self.matcher.consume_tokens(node.path)
        children = [self._child(node, token) for token in self.scores.characters(node.bits)]
        self.matcher.rollback(len(node.path))
        # An escape that forces nothing is one of many that a string may have, and leads nowhere in particular.
        return [child for child in children if child.position is None or not child.position.escaped]
