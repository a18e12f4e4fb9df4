"""`CompiledGrammar`: a grammar read over one vocabulary, and how many tokens it takes to end an answer of it.

Knows tokenizers and grammars; knows no answers.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import llguidance.hf
import torch
from llguidance import LLMatcher, LLTokenizer
from transformers import PreTrainedTokenizerBase

from baco.errors import ConfigError, PairError
from baco.grammar.completion import shortest_completion
from baco.grammar.completion_scores import CompletionScores
from baco.grammar.grammar import Grammar
from baco.grammar.json_scan import QUOTE, JsonPosition

SLACK = 4
"""Tokens that a free one may oblige an answer to beyond what its parts take: a sign, a point, a quotation mark (our own choice)."""
KEPT_GRAMMARS = 64
MOST_SHOWN = 200
"""Characters of a grammar that an error shows."""


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A grammar over one vocabulary."""

    grammar: Grammar
    vocabulary: "GrammarVocabulary"
    matcher: LLMatcher
    """At the beginning; only ever copied."""
    min_tokens: int
    """Tokens of a short answer."""
    max_obligation: int
    """Most tokens to which one freely chosen token can oblige an answer."""
    control: Mapping[int, bytes]
    """Control tokens that the grammar writes, and their texts."""

    def bytes_of(self, token_id: int) -> bytes:
        """What a token adds to a text of this grammar."""
        return self.control.get(token_id, self.vocabulary.bytes[token_id])


class GrammarVocabulary:
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
        added = tokenizer.added_tokens_decoder.items()
        self._special = {token.content: index for index, token in added if index < vocab_size and not self.bytes[index]}
        self.preferences = CompletionScores(self.bytes)
        self.closing = torch.tensor([QUOTE in token for token in self.bytes])
        """bool [V]: tokens with a quotation mark, which may end a string."""
        self.size = vocab_size
        self.end_ids = frozenset(end_ids)
        self._compiled: dict[Grammar, CompiledGrammar] = {}
        self._compiling = threading.Lock()

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int, end_ids: Sequence[int]) -> "GrammarVocabulary":
        """Make it, or find the one that was made before: a large vocabulary takes a second."""
        key = (vocab_size, *sorted(end_ids))
        with _vocabularies_lock:
            held = _vocabularies.setdefault(tokenizer, {})
            if key not in held:
                held[key] = cls(tokenizer, vocab_size, end_ids)
            return held[key]

    def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Read a grammar, or find it read.

        Raises:
            ConfigError: it is too large, or no way was found to the end of an answer.
        """
        with self._compiling:
            if grammar not in self._compiled:
                if len(self._compiled) >= KEPT_GRAMMARS:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[grammar] = self._compile(grammar)
            return self._compiled[grammar]

    def _compile(self, grammar: Grammar) -> CompiledGrammar:
        matcher = self._matcher(grammar)
        if matcher.is_error():
            raise ConfigError(f"`grammar` cannot be enforced: {matcher.get_error().splitlines()[0]}")
        lengths = [self._shortest(part, self._matcher(part)) for part in grammar.parts()]
        min_tokens = self._shortest(grammar, matcher)
        # What has no parts can oblige an answer to all of itself.
        max_obligation = SLACK + max(lengths, default=min_tokens)
        control = {index: text.encode() for text, index in self._control_ids(grammar).items()}
        return CompiledGrammar(grammar, self, matcher, min_tokens, max_obligation, control)

    def _control_ids(self, grammar: Grammar) -> dict[str, int]:
        return {text: self._special[text] for text in grammar.control if text in self._special}

    def _matcher(self, grammar: Grammar) -> LLMatcher:
        """A matcher at its beginning."""
        return LLMatcher(self._tokenizer, grammar.compile(self._control_ids(grammar)), log_level=0)

    def _shortest(self, grammar: Grammar, matcher: LLMatcher) -> int:
        """How long a short answer is."""
        way = None if matcher.is_error() else shortest_completion(matcher, self.preferences, JsonPosition() if grammar.is_json else None)
        if way is None:
            source = grammar.source if len(grammar.source) <= MOST_SHOWN else f"{grammar.source[:MOST_SHOWN]} …"
            raise ConfigError(f"`grammar` cannot be enforced: no text, or none short enough, was found in these tokens for {source}")
        return len(way)

    def _bytes(self, token_id: int) -> bytes:
        return b"" if self._tokenizer.is_special_token(token_id) else self._tokenizer.decode_bytes([token_id])


_vocabularies: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[int, ...], GrammarVocabulary]] = WeakKeyDictionary()
_vocabularies_lock = threading.Lock()
