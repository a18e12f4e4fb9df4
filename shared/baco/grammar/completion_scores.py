"""`CompletionScores`: how soon a completion takes each token of a vocabulary.

Knows tokens as bytes; knows no grammars.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import torch
from torch import Tensor

from baco.grammar.argument_position import ArgumentPosition
from baco.grammar.json_scan import QUOTE, JsonPosition

CLOSES = 3000
"""The lowest score of tokens that close something, or lead to what does."""
MAX_PLAIN = 100
"""The highest score of other tokens."""
CLOSING, LINKING, SIMPLE, OPENING = frozenset(b'"}]'), frozenset(b'",: '), frozenset(b"0123456789"), frozenset(b'",: {}[]')
CLASSES = tuple(text.encode() for text in (string.ascii_lowercase, string.ascii_uppercase, string.digits))
"""Characters that expressions mostly treat as ranges: of each run that may follow, the first and the last stand for all."""
OTHERS = string.punctuation.encode() + b" "


@dataclass(frozen=True, slots=True)
class CompletionScore:
    """How soon a completion takes each token, at one kind of position."""

    scores: Tensor
    """int64 [V]: higher is sooner, and 0 is never."""
    closing: Sequence[int]
    """Tokens that close something, the highest score first."""
    closing_bits: int
    """The same, one bit per token."""

    @classmethod
    def of(cls, scores: Tensor) -> "CompletionScore":
        """Make it from the scores of all tokens, integers [V]."""
        closing: list[int] = scores.argsort(descending=True, stable=True)[: int((scores >= CLOSES).sum())].tolist()
        return cls(scores, closing, _packed(closing))


class CompletionScores:
    """How soon a completion takes each token of a vocabulary, by the kind of position."""

    def __init__(self, tokens: Sequence[bytes], table: Tensor | None = None) -> None:
        """Score tokens, or take the `table` that was made of them before."""
        self.tokens = tokens
        self.table = torch.tensor(list(map(_scores, tokens))).T.contiguous() if table is None else table
        """int64 [3, V]: scores outside of strings, in them, and anywhere in another text."""
        self._ids = {token: index for index, token in reversed(list(enumerate(tokens))) if token}
        self._longest = max(map(len, tokens), default=0)
        self.outside, self.in_string, self.anywhere = map(CompletionScore.of, self.table)
        self._runs = [self._single(codes) for codes in CLASSES]
        self._others = self._single(OTHERS)
        self._single_bits = _packed([*self._others, *chain.from_iterable(self._runs)])
        self._standing_for = lru_cache(maxsize=1024)(self._stand_for)

    def _single(self, codes: bytes) -> list[int]:
        return [self._ids[bytes([code])] for code in codes if bytes([code]) in self._ids]

    def at(self, position: JsonPosition | ArgumentPosition | None) -> CompletionScore:
        """The scores at a position in a JSON text; None is any position in another text."""
        if position is None or position.escaped or position.exit:
            return self.anywhere
        return self.in_string if position.in_string else self.outside

    def text(self, token_ids: Sequence[int]) -> bytes:
        """What tokens add to a text."""
        return b"".join(self.tokens[token] for token in token_ids)

    def characters(self, bits: bytes) -> Sequence[int]:
        """Tokens of one character that stand for all that may follow, as a matcher's `bits` say."""
        return self._standing_for(int.from_bytes(bits, "little") & self._single_bits)

    def _stand_for(self, bits: int) -> tuple[int, ...]:
        found: list[int] = []
        for run in self._runs:
            allowed = [False, *(bool(bits >> token & 1) for token in run), False]
            found += [token for index, token in enumerate(run) if allowed[index + 1] and not (allowed[index] and allowed[index + 2])]
        return (*found, *(token for token in self._others if bits >> token & 1))

    def spelled(self, path: Sequence[int]) -> list[int]:
        """The text of some tokens in the longest tokens, from left to right; unchanged if some are control tokens, or no token fits."""
        return (self.spell(self.text(path)) if all(self.tokens[token] for token in path) else []) or list(path)

    def spell(self, text: bytes) -> list[int]:
        """A text in the longest tokens, from left to right; [] if at some place no token fits."""
        result = list[int]()
        while text:
            lengths = range(min(len(text), self._longest), 0, -1)
            longest = next((self._ids[text[:length]] for length in lengths if text[:length] in self._ids), None)
            if longest is None:
                return []
            result.append(longest)
            text = text[len(self.tokens[longest]) :]
        return result


def _scores(token: bytes) -> tuple[int, int, int]:
    """A token's scores outside of strings, in them, and anywhere in another text."""
    plain = _plain(token)
    syntax = _syntax(token, plain)
    # In a string, only a token that begins with a quotation mark leads to an end.
    in_string = max(syntax, CLOSES) if token[:1] == b'"' else plain
    if token.count(QUOTE) % 2 == 0:
        return syntax, in_string, plain
    # A token that begins a string closes nothing, and is no syntax if it goes on inside of it.
    return min(syntax, CLOSES + len(token)) if token[-1] == QUOTE else plain, in_string, plain


def _syntax(token: bytes, plain: int) -> int:
    characters, length = frozenset(token), min(len(token), 99)
    if not token:
        return 0
    if characters <= CLOSING:
        return 4000 + length
    if characters <= LINKING:
        return CLOSES + length
    if characters <= SIMPLE or token in (b"null", b"true", b"false"):
        return 2000 - length
    return 1000 - length if characters <= OPENING else plain


def _plain(token: bytes) -> int:
    """Prefer long alphanumeric tokens; punctuation may open a structure, so it scores lowest."""
    return min(len(token), MAX_PLAIN) if token.strip(b" ").isalnum() else min(len(token), 1)


def _packed(tokens: Sequence[int]) -> int:
    """One bit per token, as in a matcher's bit mask; no token is there twice."""
    return sum(1 << token for token in tokens)


def unpack(bits: bytes, vocab_size: int) -> Tensor:
    """A matcher's bit mask as bool [V]."""
    octets = torch.frombuffer(bytearray(bits), dtype=torch.uint8)
    return ((octets[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1).bool().flatten()[:vocab_size]
