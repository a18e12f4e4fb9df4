"""`PlainTokenizer`: a tokenizer to which control tokens are ordinary text, unless they are marked.

Knows tokenizers and texts; knows no messages and no grammars.
"""

import threading
from typing import Any
from weakref import WeakKeyDictionary

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerBase

from baco.errors import PromptError
from baco.vocab.control_tokens import control_tokens

OPEN, CLOSE = "\ufdd2", "\ufdd3"
"""Noncharacters, which no text has, around what `encode` takes for a control token."""


class PlainTokenizer:
    """Encodes texts for one tokenizer. `PlainTokenizer.of` makes one per tokenizer; it does not see tokens that are added later.

    It is the same tokenizer, and shares its model, but its control tokens have other texts, with `OPEN` and `CLOSE` around them. A text is
    encoded in one pass, so that what depends on neighbours stays as it is.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.control = control_tokens(tokenizer)
        """Ids of control tokens, by their texts."""
        backend: Any = tokenizer.backend_tokenizer
        self._backend = Tokenizer(backend.model)
        self._backend.normalizer, self._backend.pre_tokenizer = backend.normalizer, backend.pre_tokenizer
        added = sorted(backend.get_added_tokens_decoder().items())
        texts = [f"{OPEN}{token.content}{CLOSE}" if token.content in self.control else token.content for _, token in added]
        self._backend.add_tokens([_renamed(token, text) for text, (_, token) in zip(texts, added, strict=True)])
        self._ids = {text: index for text, (index, _) in zip(texts, added, strict=True)}
        unknown = (tokenizer.unk_token, getattr(backend.model, "unk_token", None))
        self._forbidden = {index for text, index in self.control.items() if text not in unknown}
        begun = backend.encode("a", add_special_tokens=True)
        self.opening: list[int] = begun.ids[: [*begun.special_tokens_mask, 0].index(0)]
        """What the tokenizer puts before a text: a BOS token, or nothing."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> "PlainTokenizer":
        """Make that of a tokenizer, or find the one that was made before."""
        with _made_lock:
            if tokenizer not in _made:
                _made[tokenizer] = cls(tokenizer)
            return _made[tokenizer]

    def encode(self, text: str) -> list[int]:
        """Encode a text, without opening and closing tokens.

        Raises:
            PromptError: the tokenizer makes a control token of ordinary text.
        """
        encoding = self._backend.encode(text, add_special_tokens=False)
        ids = []
        for index, token in zip(encoding.ids, encoding.tokens, strict=True):
            if token not in self._ids and index in self._forbidden:
                raise PromptError(f"the tokenizer reads {token!r} in a text only as its control token; write it otherwise")
            ids.append(self._ids.get(token, index))
        return ids


def _renamed(token: AddedToken, text: str) -> AddedToken:
    return AddedToken(text, single_word=token.single_word, lstrip=token.lstrip, rstrip=token.rstrip, normalized=token.normalized)


_made: WeakKeyDictionary[PreTrainedTokenizerBase, PlainTokenizer] = WeakKeyDictionary()
_made_lock = threading.Lock()
