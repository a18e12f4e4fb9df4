"""The way to the end of a grammar: few tokens that complete an answer, so that it is whole when its last token is spent.

What closes comes before what goes on, and where nothing closes, what leads soonest to where something does, as far as a bounded look ahead
can see. So the way is short, and of plain schemas mostly the shortest; nothing depends on that but how early an answer is brought to its
end (our own choice).

Knows matchers and tokens; knows no models and no answers.
"""

from typing import NamedTuple

import torch
from llguidance import LLMatcher

from baco.grammar.completion_scores import CompletionScores, has_bit, unpack
from baco.grammar.json_scan import JsonPosition

LONGEST_WAY = 4096
"""Tokens after which no way is looked for any more."""
TRIALS = 24
"""Tokens that are tried where none closes, before characters are."""
WORK, PER_TRIAL = 1_500_000_000, 50_000
"""What a whole way may cost, where a trial costs as much as the vocabulary has tokens, and so much more: a second or two on a slow CPU."""
MOST_AHEAD, MOST_FRUITLESS = 4000, 400
"""Trials of one look ahead, and those of them that may show nothing new."""


def shortest_completion(matcher: LLMatcher, preferences: CompletionScores, position: JsonPosition | None) -> list[int] | None:
    """Tokens that complete an answer from where a matcher stands, which is there again afterwards; None if none are found.

    It is a function of that place alone.

    Args:
        matcher: at some place.
        preferences: of its tokens.
        position: the place in a JSON text; None for other grammars.
    """
    way: list[int] = []
    search = _Search(matcher, preferences)
    try:
        while not matcher.is_accepting():
            # Forced ones one at a time: behind each, longer ones may be seen.
            step = list(matcher.compute_ff_tokens())[:1] or search.next_tokens(position)
            taken = matcher.try_consume_tokens(step) if step else 0
            way += step[:taken]
            if taken < 1 or taken < len(step) or len(way) > LONGEST_WAY or search.work > WORK:
                return None
            position = None if position is None else position.after(preferences.text(step))
        return way
    finally:
        matcher.rollback(len(way))


class _SearchNode(NamedTuple):
    """What is ahead, and how it is reached."""

    path: list[int]
    position: JsonPosition | None
    bits: bytes
    """What may follow."""
    ends: bool = False
    """Whether something closes there, or the answer is whole."""
    passed: frozenset[bytes] = frozenset()
    """What may follow at the places on the path."""
    again: frozenset[bytes] = frozenset()
    """Those of them that it has come back to."""

    def looks_like(self) -> tuple[object, ...]:
        """What tells places in equal distance from each other, as far as can be seen."""
        return self.bits, self.passed, self.again


class _Search:
    """Looks for the next tokens of a way, and counts what that costs."""

    def __init__(self, matcher: LLMatcher, preferences: CompletionScores) -> None:
        self.matcher, self.preferences, self.work = matcher, preferences, 0

    def next_tokens(self, position: JsonPosition | None) -> list[int]:
        """The next tokens on a way; none if there are none."""
        bits, preference, size = self.matcher.compute_bitmask(), self.preferences.at(position), len(self.preferences.tokens)
        self.work += PER_TRIAL
        if int.from_bytes(bits, "little") & preference.closing_bits:
            return [next(token for token in preference.closing if has_bit(bits, token))]
        best = torch.where(unpack(bits, size), preference.scores, 0).topk(min(TRIALS, size))
        tokens = [int(token) for token, score in zip(best.indices, best.values, strict=True) if score > 0]
        here = _SearchNode([], position, bits, passed=frozenset([bits]))
        trials = list[_SearchNode]()
        for token in tokens:
            trials.append(self._beyond(here, token))
            if trials[-1].ends and len(trials[-1].path) == 1:
                return [token]
        near = [place.path for place in trials if place.ends]
        if near:
            return min(near, key=len)[:1]
        # Where nothing is seen, what is forced is progress.
        ahead = self._look_ahead(here) if trials else []
        return ahead or min((place.path for place in trials), key=lambda path: (len(path) == 1, len(path)), default=[])[:1]

    def _beyond(self, place: _SearchNode, token: int) -> _SearchNode:
        """Where a token leads from a place at which the matcher stands, and what is forced behind it."""
        self.work += len(self.preferences.tokens) + PER_TRIAL
        self.matcher.consume_token(token)
        forced = list(self.matcher.compute_ff_tokens())
        more = [token, *forced[: self.matcher.try_consume_tokens(forced) if forced else 0]]
        bits, whole = self.matcher.compute_bitmask(), self.matcher.is_accepting()
        self.matcher.rollback(len(more))
        position = None if place.position is None else place.position.after(self.preferences.text(more))
        closes = int.from_bytes(bits, "little") & self.preferences.at(position).closing_bits
        again = place.again | {bits} if bits != place.bits and bits in place.passed else place.again
        return _SearchNode([*place.path, *more], position, bits, whole or closes > 0, place.passed | {bits}, again)

    def _look_ahead(self, here: _SearchNode) -> list[int]:
        """The tokens to the nearest place where something closes, by characters, layer by layer; none if none is seen."""
        layer, seen, fruitless, tried = [here], {here.bits}, 0, 0
        while layer and tried < MOST_AHEAD and fruitless < MOST_FRUITLESS:
            found = [(place, there) for place in layer for there in self._around(place)]
            ends = [there.path for _, there in found if there.ends]
            if ends:
                return min(map(self.preferences.spelled, ends), key=len)
            # Of places that look alike, the one that others like it led to is the further: it may have counted.
            found.sort(key=lambda step: step[1].bits != step[0].bits)
            following = dict[object, _SearchNode]()
            for _, there in found:
                following.setdefault(there.looks_like(), there)
            layer = list(following.values())
            news = {place.bits for place in layer}
            if news == {here.bits}:
                break  # whatever comes, all is as before
            tried, fruitless = tried + len(found), 0 if news - seen else fruitless + len(found)
            seen |= news
        return []

    def _around(self, place: _SearchNode) -> list[_SearchNode]:
        """Where each character leads to from a place ahead."""
        self.matcher.consume_tokens(place.path)
        places = [self._beyond(place, token) for token in self.preferences.characters(place.bits)]
        self.matcher.rollback(len(place.path))
        # An escape behind which nothing is forced is one of many that a string may have, and leads nowhere in particular.
        return [there for there in places if there.position is None or not there.position.escaped]
