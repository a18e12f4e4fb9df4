"""What grammars allow, stated slowly: each question begins the text anew, and where in a JSON text its end is, is read off the text."""

import re
from collections.abc import Sequence
from typing import Any

import llguidance.hf
import torch
from llguidance import LLMatcher

from baco.grammar import Grammar

BALANCED = re.compile(r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]")


class GrammarReference:
    """One grammar over one vocabulary."""

    def __init__(self, tokenizer: Any, vocab_size: int, end_ids: set[int], grammar: Grammar) -> None:
        self.tokenizer, self.vocab_size, self.grammar = tokenizer, vocab_size, grammar
        self.tokens = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocab_size, eos_token=sorted(end_ids))
        names = tokenizer.convert_ids_to_tokens(list(range(vocab_size)))
        quotes = [grammar.kind == "json" and '"' in (name or "") for name in names]
        self.quote_tokens = torch.tensor(quotes)

    def allowed(self, token_ids: Sequence[int]) -> torch.Tensor:
        """Tokens that may follow, bool [V]."""
        matcher = LLMatcher(self.tokens, self.grammar.compile())
        assert matcher.consume_tokens(list(token_ids)), matcher.get_error()
        return torch.tensor(list(matcher.compute_logit_bias()))[: self.vocab_size] > 0

    def base_may_write(self, token_ids: Sequence[int]) -> bool:
        """Whether the base may write: anywhere, but in JSON only in strings that are values."""
        return self.grammar.kind != "json" or in_value(str(self.tokenizer.decode(token_ids)))


def in_value(text: str) -> bool:
    """Whether the beginning of a JSON text ends in a string that is a value."""
    whole = re.sub(r'"([^"\\]|\\.)*"', "0", text)
    if '"' not in whole:
        return False
    head = whole[: whole.index('"')].rstrip()
    while BALANCED.search(head):
        head = BALANCED.sub("0", head)
    in_object = head.rfind("{") > head.rfind("[")
    return not (in_object and head[-1] in "{,")
