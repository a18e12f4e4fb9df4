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
    """Which tokens may come next."""

    tokens: Tensor
    """bool [V]"""
    base_may_write: bool
    """Whether the base model may write the next token."""


class Guide:
    """The state of one answer in its grammar. It moves back as readily as forward."""

    def __init__(self, grammar: CompiledGrammar, max_tokens: int) -> None:
        """Begin an answer of at most `max_tokens` tokens, which is completed in time."""
        self.vocabulary = grammar.vocabulary
        self.grammar = grammar
        self.is_json = grammar.grammar.is_json
        """Whether it has syntax that is the aligned model's."""
        self.max_tokens = max_tokens
        self._matcher = grammar.matcher.deep_copy()
        self._token_ids: list[int] = []
        # The lists below have one entry for each prefix of the answer, the empty one first.
        self._positions = [grammar.grammar.beginning()]
        self._bounds = [grammar.min_tokens]
        """Numbers of tokens that suffice for a completion."""
        self._completions = [self._completion_if_due()]
        """Completions, where nothing longer fits any more."""

    def allowed(self, token_ids: Sequence[int]) -> TokenMask | None:
        """Which tokens may follow those of an answer; None after tokens that the grammar does not allow, or that end it.

        Raises:
            GrammarError: the answer has become too complex to follow.
        """
        if not self._go_to(token_ids):
            return None
        completion, size, ends = self._completions[-1], self.vocabulary.size, torch.tensor(sorted(self.vocabulary.end_ids))
        if completion is not None:
            only = torch.tensor(completion[:1]) if completion else ends
            return TokenMask(torch.zeros(size, dtype=torch.bool).index_fill_(0, only, True), False)
        bits = unpack(self._matcher.compute_bitmask(), size + 1)
        tokens = bits[:size].index_fill_(0, ends, bool(bits[size]))
        return TokenMask(tokens, not self.is_json or self._positions[-1].in_value)

    def _completion_if_due(self) -> list[int] | None:
        """The completion, if the tokens that are left might not suffice for it after one more free token."""
        left, obligation = self.max_tokens - len(self._token_ids), self.grammar.max_obligation
        if left > self._bounds[-1] + obligation:
            return None
        position = self._positions[-1] if self.is_json else None
        completion = shortest_completion(
            self._matcher, self.vocabulary.tokens.completion_scores, position, self.grammar.control_bytes, self.grammar.grammar.ending
        )
        if completion is None:
            return None
        self._bounds[-1] = len(completion)
        return completion if left <= len(completion) + obligation else None

    def _go_to(self, token_ids: Sequence[int]) -> bool:
        """Move to the end of a prefix; say whether the grammar allows it."""
        common = common_length(self._token_ids, token_ids)
        if common < len(self._token_ids):
            self._matcher.rollback(len(self._token_ids) - common)
            for states in (self._positions, self._bounds, self._completions):
                del states[common + 1 :]
            del self._token_ids[common:]
        return all(self._take(token_id) for token_id in token_ids[common:])

    def _take(self, token_id: int) -> bool:
        """Move by one token, if it is allowed. The new state depends on the prefix alone, not on what was asked before."""
        completion = self._completions[-1]
        # Nothing follows an end token, and the matcher must not see one: where nothing else can follow, it does not count it.
        if token_id in self.vocabulary.end_ids or (completion is not None and completion[:1] != [token_id]):
            return False
        taken = self._matcher.try_consume_tokens([token_id])
        if self._matcher.is_error():
            raise GrammarError(self._matcher.get_error().splitlines()[0])
        if not taken:
            return False
        self._token_ids.append(token_id)
        self._positions.append(self._positions[-1].after(self.grammar.bytes_of(token_id)))
        self._bounds.append(self._bounds[-1] + self.grammar.max_obligation)
        self._completions.append(self._completion_if_due() if completion is None else completion[1:])
        return True
