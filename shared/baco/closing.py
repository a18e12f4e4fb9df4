"""The way to the end of a grammar: few tokens that complete an answer, so that it is whole when its last token is spent.

The way is found greedily: what closes comes before what goes on, and where it must go on, what is soon over. So it is short, and of plain
schemas the shortest; nothing depends on that but how early an answer is brought to its end (our own choice).

Knows matchers and tokens; knows no models and no answers.
"""

from collections.abc import Sequence

import torch
from llguidance import LLMatcher
from torch import Tensor

from baco.json_scan import JsonPosition

LONGEST_WAY = 4096
"""Tokens after which no way is looked for any more."""
TRIALS = 24
"""Tokens that are tried where none closes."""
PLAIN = 100
"""The preference of tokens that lead nowhere in particular."""
CLOSING, LINKING, SIMPLE, OPENING = frozenset(b'"}]'), frozenset(b'",: '), frozenset(b"0123456789"), frozenset(b'",: {}[]')


class Preferences:
    """How early each token is taken on the way to an end, int64 [V] by place: larger is earlier, and 0 is never."""

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        self.outside = torch.tensor([_outside(token) for token in tokens])
        self.in_string = torch.tensor([_in_string(token) for token in tokens])
        self.anywhere = torch.tensor([PLAIN if token else 0 for token in tokens])

    def at(self, position: JsonPosition | None) -> Tensor:
        """Those that hold at a place in a JSON text, or in another text."""
        if position is None or position.escaped:
            return self.anywhere
        return self.in_string if position.in_string else self.outside


def _outside(token: bytes) -> int:
    characters, length = frozenset(token), min(len(token), 99)
    if not token:
        return 0
    if characters <= CLOSING:
        return 4000 + length
    if characters <= LINKING:
        return 3000 + length
    if characters <= SIMPLE or token in (b"null", b"true", b"false"):
        return 2000 - length
    return 1000 - length if characters <= OPENING else PLAIN


def _in_string(token: bytes) -> int:
    """In a string, only what begins with a quotation mark goes on to an end."""
    if not token.startswith(b'"'):
        return PLAIN if token else 0
    return max(_outside(token), PLAIN + 1)


def unpack(bits: bytes, vocab_size: int) -> Tensor:
    """Bits of tokens, as a matcher gives them, as bool [V]."""
    octets = torch.frombuffer(bytearray(bits), dtype=torch.uint8)
    return ((octets[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1).bool().flatten()[:vocab_size]


def way_to_end(matcher: LLMatcher, preferences: Preferences, position: JsonPosition | None) -> list[int] | None:
    """Tokens that complete an answer from where a matcher stands, which is there again afterwards; None if none are found.

    Args:
        matcher: at some place.
        preferences: of its tokens.
        position: the place in a JSON text; None for other grammars.
    """
    way: list[int] = []
    try:
        while not matcher.is_accepting():
            # One token at a time, forced ones too: what comes next is a function of where the last one led.
            step = list(matcher.compute_ff_tokens())[:1] or _best(matcher, preferences.at(position))
            if not step or len(way) > LONGEST_WAY or matcher.try_consume_tokens(step) < 1:
                return None
            way += step
            position = None if position is None else position.after(preferences.tokens[step[0]])
        return way
    finally:
        matcher.rollback(len(way))


def _best(matcher: LLMatcher, preferences: Tensor) -> list[int]:
    """The next token on a way, in a list; none if there is none."""
    scores = torch.where(unpack(matcher.compute_bitmask(), len(preferences)), preferences, 0)
    best = scores.topk(min(TRIALS, len(scores)))
    candidates = [int(token) for token, score in zip(best.indices, best.values, strict=True) if score > 0]
    if not candidates or best.values[0] > PLAIN:
        return candidates[:1]
    return [min(candidates, key=lambda token: _rest(matcher, token, preferences))]


def _rest(matcher: LLMatcher, token: int, preferences: Tensor) -> tuple[int, int]:
    """How far from an end a token leads that closes nothing: smaller is nearer."""
    matcher.consume_token(token)
    forced = matcher.compute_ff_tokens()
    allowed = unpack(matcher.compute_bitmask(), len(preferences))
    nearer = matcher.is_accepting() or bool(forced) or bool((torch.where(allowed, preferences, 0) > PLAIN).any())
    matcher.rollback(1)
    return 0 if nearer else 1, len(forced)
