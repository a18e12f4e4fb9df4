"""`Guide`: follows one answer through its grammar, and says which tokens may come next and whose they may be.

Syntax belongs to the aligned model: in JSON the base writes only inside strings that are values, and never ends one (our own choice, for
the same reason for which the aligned model decides where an answer ends). In other grammars it writes anywhere.

Knows token ids; knows no models, no routes and no requests.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from weakref import WeakKeyDictionary

import llguidance.hf
import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from baco.closing import Preferences, unpack, way_to_end
from baco.errors import ConfigError, GrammarError, PairError
from baco.grammar import Grammar
from baco.json_scan import QUOTE, JsonPosition
from baco.pair import ModelPair
from baco.prefix_cache import common_length
from baco.results import Model

SLACK = 4
"""Tokens that a free one may oblige an answer to beyond what its parts take: a sign, a point, a quotation mark (our own choice)."""
KEPT_PLANS = 64


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may come next."""

    tokens: Tensor
    """bool [V]"""
    is_free: bool
    """Whether the base may write here."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A grammar over one vocabulary."""

    grammar: Grammar
    vocabulary: "GuideVocabulary"
    matcher: LLMatcher
    """At the beginning; only ever copied."""
    shortest: int
    """Tokens of a short answer."""
    step: int
    """Most tokens to which one freely chosen token can oblige an answer."""


class GuideVocabulary:
    """A tokenizer as grammars read it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocab_size: int, end_ids: Sequence[int]) -> None:
        if not end_ids:
            raise ConfigError("`grammar` needs models that have an end token")
        try:
            self._tokenizer: LLTokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocab_size, eos_token=sorted(end_ids))  # type: ignore[arg-type]
        except (ValueError, RuntimeError) as error:
            raise PairError(f"`grammar` cannot be used with this pair's tokenizer: {error}") from error
        self.bytes = [self._bytes(token_id) for token_id in range(vocab_size)]
        """What each token adds to a text; nothing for special ones."""
        self.preferences = Preferences(self.bytes)
        self.closing = torch.tensor([QUOTE in token for token in self.bytes])
        """bool [V]: tokens with a quotation mark, which may end a string."""
        self.ends = torch.zeros(vocab_size, dtype=torch.bool)
        self.ends[list(end_ids)] = True
        self._plans: dict[Grammar, Plan] = {}
        self._reading = threading.Lock()

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int, end_ids: Sequence[int]) -> "GuideVocabulary":
        """Make it, or find the one that was made before: a large vocabulary takes a second."""
        held = _vocabularies.setdefault(tokenizer, {})
        key = (vocab_size, *sorted(end_ids))
        if key not in held:
            held[key] = cls(tokenizer, vocab_size, end_ids)
        return held[key]

    def plan(self, grammar: Grammar) -> Plan:
        """Read a grammar, or find it read.

        Raises:
            ConfigError: it is too large, or no way was found to the end of an answer.
        """
        with self._reading:
            if grammar not in self._plans:
                if len(self._plans) >= KEPT_PLANS:
                    self._plans.pop(next(iter(self._plans)))
                self._plans[grammar] = self._new_plan(grammar)
            return self._plans[grammar]

    def _new_plan(self, grammar: Grammar) -> Plan:
        matcher, shortest = self._read(grammar)
        lengths = [self._read(part)[1] for part in grammar.parts()]
        if shortest is None or None in lengths:
            reason = (
                matcher.get_error().splitlines()[0]
                if matcher.is_error()
                else "for some of it, no text was found that these tokens can write"
            )
            raise ConfigError(f"`grammar` cannot be enforced: {reason}")
        return Plan(grammar, self, matcher, shortest, SLACK + max((length or 0 for length in lengths), default=0))

    def _read(self, grammar: Grammar) -> tuple[LLMatcher, int | None]:
        """A matcher at its beginning, and how long a short answer is."""
        matcher = LLMatcher(self._tokenizer, grammar.compile(), log_level=0)
        position = JsonPosition() if grammar.is_json else None
        way = None if matcher.is_error() else way_to_end(matcher, self.preferences, position)
        return matcher, None if way is None else len(way)

    def _bytes(self, token_id: int) -> bytes:
        return b"" if self._tokenizer.is_special_token(token_id) else self._tokenizer.decode_bytes([token_id])


_vocabularies: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[int, ...], GuideVocabulary]] = WeakKeyDictionary()


class Guide:
    """The place of one answer in its grammar. Goes back as readily as forward."""

    def __init__(self, plan: Plan, max_tokens: int) -> None:
        """Begin an answer of at most so many tokens, which is brought to its end in time."""
        self.vocabulary = plan.vocabulary
        self.plan = plan
        self.max_tokens = max_tokens
        self._matcher = plan.matcher.deep_copy()
        self._held: list[int] = []
        self._positions = [JsonPosition()]
        self._bounds = [plan.shortest]
        """Behind each prefix, a number of tokens that is enough to end."""
        self._begun, self._whole = 0, list[int]()
        """A whole answer, and after how many of its tokens the way to its end begins."""

    @property
    def is_json(self) -> bool:
        """Whether it has syntax that is the aligned model's."""
        return self.plan.grammar.is_json

    def allowed(self, token_ids: Sequence[int]) -> Allowed | None:
        """What may come behind the tokens of an answer; None behind tokens that the grammar does not allow, or that end it.

        Raises:
            GrammarError: the answer has become too complex to follow.
        """
        if not self._go_to(token_ids):
            return None
        way = self._way_if_due()
        if way is not None:
            return Allowed(_only(way[0], self.vocabulary.ends) if way else self.vocabulary.ends, False)
        tokens = unpack(self._matcher.compute_bitmask(), len(self.vocabulary.ends))
        return Allowed(tokens, not self.is_json or self._positions[-1].in_value)

    def _way_if_due(self) -> list[int] | None:
        """The way to the end, if nothing else fits any more."""
        left, step = self.max_tokens - len(self._held), self.plan.step
        if left > self._bounds[-1] + step:
            return None
        way = self._way()
        if way is None:
            return None
        self._bounds[-1] = len(way)
        return way if left <= len(way) + step else None

    def _way(self) -> list[int] | None:
        length = len(self._held)
        # The next token of a way is looked for where the last one led, so that the rest of a way is the way from there.
        if not self._whole or length < self._begun or self._whole[:length] != self._held:
            way = way_to_end(self._matcher, self.vocabulary.preferences, self._positions[-1] if self.is_json else None)
            if way is None:
                return None
            self._begun, self._whole = length, self._held + way
        return self._whole[length:]

    def _go_to(self, token_ids: Sequence[int]) -> bool:
        common = common_length(self._held, token_ids)
        if common < len(self._held):
            self._matcher.rollback(len(self._held) - common)
            del self._held[common:], self._positions[common + 1 :], self._bounds[common + 1 :]
        rest = list(token_ids[common:])
        # Nothing follows an end token, and the matcher, which counts none where nothing else can follow, must not see one.
        going_on = list(takewhile(lambda token_id: not self.vocabulary.ends[token_id], rest))
        taken = going_on[: self._matcher.try_consume_tokens(going_on)] if going_on else going_on
        if self._matcher.is_error():
            raise GrammarError(self._matcher.get_error().splitlines()[0])
        self._held += taken
        for token_id in taken:
            self._positions.append(self._positions[-1].after(self.vocabulary.bytes[token_id]))
            self._bounds.append(self._bounds[-1] + self.plan.step)
        return len(taken) == len(rest)


def _only(token_id: int, like: Tensor) -> Tensor:
    tokens = torch.zeros_like(like)
    tokens[token_id] = True
    return tokens


def vocabulary_of(pair: ModelPair, which: Model) -> GuideVocabulary:
    """A pair's tokens as grammars read them, for answers that this model ends.

    Raises:
        ConfigError: it has no end token.
        PairError: the tokenizer is not one that grammars can be used with.
    """
    return GuideVocabulary.of(pair.tokenizer, pair.vocab_size, sorted(pair.end_ids(which)))
