"""`Guide`: follows one answer through its grammar, and says which tokens may come next and whose they may be.

Syntax belongs to the aligned model: in JSON the base writes only inside strings that are values, and never ends one (our own choice, for
the same reason for which the aligned model decides where an answer ends). In other grammars it writes anywhere.

Knows token ids; knows no models, no routes and no requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from baco.errors import GrammarError
from baco.grammar.compiled import CompiledGrammar
from baco.grammar.completion import shortest_completion
from baco.grammar.completion_scores import unpack
from baco.vocab.token_ids import common_length


@dataclass(frozen=True, slots=True)
class TokenMask:
    """What may come next."""

    tokens: Tensor
    """bool [V]"""
    base_may_write: bool
    """Whether the base may write here."""


class Guide:
    """The place of one answer in its grammar. Goes back as readily as forward."""

    def __init__(self, grammar: CompiledGrammar, max_tokens: int) -> None:
        """Begin an answer of at most so many tokens, which is brought to its end in time."""
        self.vocabulary = grammar.vocabulary
        self.grammar = grammar
        self.max_tokens = max_tokens
        self._matcher = grammar.matcher.deep_copy()
        self._held: list[int] = []
        self._positions = [grammar.grammar.beginning()]
        self._bounds = [grammar.min_tokens]
        """Behind each prefix, a number of tokens that is enough to end."""
        self._ways = [self._way_if_due()]
        """Behind each prefix, the way to the end, if nothing else fits any more."""

    @property
    def is_json(self) -> bool:
        """Whether it has syntax that is the aligned model's."""
        return self.grammar.grammar.is_json

    def allowed(self, token_ids: Sequence[int]) -> TokenMask | None:
        """What may come behind the tokens of an answer; None behind tokens that the grammar does not allow, or that end it.

        Raises:
            GrammarError: the answer has become too complex to follow.
        """
        if not self._go_to(token_ids):
            return None
        way = self._ways[-1]
        if way is not None:
            ends = [way[0]] if way else list(self.vocabulary.end_ids)
            return TokenMask(torch.zeros(self.vocabulary.size, dtype=torch.bool).index_fill_(0, torch.tensor(ends), True), False)
        tokens = unpack(self._matcher.compute_bitmask(), self.vocabulary.size)
        return TokenMask(tokens, not self.is_json or self._positions[-1].in_value)

    def _way_if_due(self) -> list[int] | None:
        left, step = self.max_tokens - len(self._held), self.grammar.max_obligation
        if left > self._bounds[-1] + step:
            return None
        way = shortest_completion(self._matcher, self.vocabulary.preferences, self._positions[-1] if self.is_json else None)
        if way is None:
            return None
        self._bounds[-1] = len(way)
        return way if left <= len(way) + step else None

    def _go_to(self, token_ids: Sequence[int]) -> bool:
        common = common_length(self._held, token_ids)
        if common < len(self._held):
            self._matcher.rollback(len(self._held) - common)
            for behind in (self._positions, self._bounds, self._ways):
                del behind[common + 1 :]
            del self._held[common:]
        return all(self._take(token_id) for token_id in token_ids[common:])

    def _take(self, token_id: int) -> bool:
        """Go on by one token, if it is allowed. What is known behind it depends on the tokens before alone, not on what was asked."""
        way = self._ways[-1]
        # Nothing follows an end token, and the matcher, which counts none where nothing else can follow, must not see one.
        if token_id in self.vocabulary.end_ids or (way is not None and way[:1] != [token_id]):
            return False
        taken = self._matcher.try_consume_tokens([token_id])
        if self._matcher.is_error():
            raise GrammarError(self._matcher.get_error().splitlines()[0])
        if not taken:
            return False
        self._held.append(token_id)
        self._positions.append(self._positions[-1].after(self.grammar.bytes_of(token_id)))
        self._bounds.append(self._bounds[-1] + self.grammar.max_obligation)
        self._ways.append(self._way_if_due() if way is None else way[1:])
        return True
