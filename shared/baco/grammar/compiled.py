"""`CompiledGrammar`: a grammar compiled for one vocabulary, and how many tokens its answers need.

Knows tokenizers and grammars; knows no answers.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from llguidance import LLMatcher
from transformers import PreTrainedTokenizerBase

from baco.errors import ConfigError
from baco.grammar.completion import shortest_completion
from baco.grammar.grammar import Grammar
from baco.grammar.token_table import TokenTable

SLACK = 4
"""Tokens that an answer may have to write beyond a part: a sign, a point, a quotation mark (our own choice)."""
MAX_CACHED = 64
MAX_SHOWN = 200
"""Characters of a grammar that an error shows."""


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A grammar for one vocabulary."""

    grammar: Grammar
    vocabulary: "GrammarVocabulary"
    matcher: LLMatcher
    """In its initial state; answers copy it."""
    min_tokens: int
    """Tokens of the shortest answer that was found."""
    max_obligation: int
    """Upper bound on the tokens needed to finish after one more unconstrained token."""
    control_bytes: Mapping[int, bytes]
    """Texts of the control tokens that the grammar writes, by id."""
    closing_tokens: torch.Tensor
    """bool [V]: tokens that may end a value."""

    def bytes_of(self, token_id: int) -> bytes:
        """What a token adds to a text of this grammar."""
        return self.control_bytes.get(token_id, self.vocabulary.tokens.bytes[token_id])


class GrammarVocabulary:
    """A tokenizer as grammars see it, for answers that some tokens end."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocab_size: int, end_ids: Sequence[int]) -> None:
        self.end_ids = frozenset(index for index in end_ids if index < vocab_size)
        if not self.end_ids:
            raise ConfigError("`grammar` needs models that have an end token")
        self.tokens = TokenTable.of(tokenizer, vocab_size)
        self.size = vocab_size
        self._compiled: dict[Grammar, CompiledGrammar] = {}
        self._compiling = threading.Lock()

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int, end_ids: Sequence[int]) -> "GrammarVocabulary":
        """Make it, or find it in the cache."""
        key = (vocab_size, *sorted(end_ids))
        with _vocabularies_lock:
            cached = _vocabularies.setdefault(tokenizer, {})
            if key not in cached:
                cached[key] = cls(tokenizer, vocab_size, end_ids)
            return cached[key]

    def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Compile a grammar, or find it in the cache.

        Raises:
            ConfigError: it is too large, or no answer was found that is short enough.
        """
        with self._compiling:
            if grammar not in self._compiled:
                if len(self._compiled) >= MAX_CACHED:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[grammar] = self._compile(grammar)
            return self._compiled[grammar]

    def _compile(self, grammar: Grammar) -> CompiledGrammar:
        matcher = self._matcher(grammar)
        if matcher.is_error():
            raise ConfigError(f"`grammar` cannot be enforced: {matcher.get_error().splitlines()[0]}")
        lengths = [self._shortest(part, self._matcher(part)) for part in grammar.parts()]
        min_tokens = self._shortest(grammar, matcher)
        # A grammar without parts can oblige an answer to write a whole one.
        max_obligation = SLACK + max(lengths, default=min_tokens)
        closing = frozenset(grammar.closing_bytes)
        closing_tokens = torch.tensor([not closing.isdisjoint(token) for token in self.tokens.bytes])
        return CompiledGrammar(grammar, self, matcher, min_tokens, max_obligation, self._control_bytes(grammar), closing_tokens)

    def _control_ids(self, grammar: Grammar) -> dict[str, int]:
        return {text: self.tokens.control[text] for text in grammar.control_tokens if text in self.tokens.control}

    def _control_bytes(self, grammar: Grammar) -> dict[int, bytes]:
        return {index: text.encode() for text, index in self._control_ids(grammar).items()}

    def _matcher(self, grammar: Grammar) -> LLMatcher:
        return LLMatcher(self.tokens.tokenizer, grammar.compile(self._control_ids(grammar)), log_level=0)

    def _shortest(self, grammar: Grammar, matcher: LLMatcher) -> int:
        """Tokens of the shortest answer that is found."""
        position = grammar.beginning() if grammar.is_json else None
        control, scores = self._control_bytes(grammar), self.tokens.completion_scores
        answer = None if matcher.is_error() else shortest_completion(matcher, scores, position, control, grammar.ending)
        if answer is None:
            source = grammar.source if len(grammar.source) <= MAX_SHOWN else f"{grammar.source[:MAX_SHOWN]} …"
            raise ConfigError(f"`grammar` cannot be enforced: no text, or none short enough, was found in these tokens for {source}")
        return len(answer)


_vocabularies: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[int, ...], GrammarVocabulary]] = WeakKeyDictionary()
_vocabularies_lock = threading.Lock()
