"""Texts of single tokens, as the tokenizer's own decoder writes them; knows the three schemes of marking words, and no answers.

Byte-level BPE (GPT-2, Llama 3, Qwen, OLMo) marks the start of a word by Ġ, SentencePiece (Llama 2, Mistral, Gemma) by ▁, and WordPiece
(BERT) marks the continuation of a word by ##. A token is decoded after the letter "a", which keeps its leading space; alone, most decoders
strip it.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase
from transformers.convert_slow_tokenizer import bytes_to_unicode

from baco.errors import PairError

Scheme = Literal["byte-level", "sentencepiece", "wordpiece"]

ANCHOR = "a"
SUPPORTED = "byte-level BPE (ByteLevel), SentencePiece (Metaspace, or Replace ▁ with ByteFallback) and WordPiece"


class Piece(NamedTuple):
    """What one token adds to an answer."""

    continuation: str
    """Its text after another token, U+FFFD where it is part of a character."""
    initial: str
    """Its text as the first token of an answer, where SentencePiece and WordPiece decoders drop the leading space."""
    raw: bytes | None
    """Its bytes: of every token in byte-level BPE, of `<0x00>`…`<0xFF>` in SentencePiece; None where it is written as text."""


class TokenTexts:
    """Texts of a tokenizer's tokens. `TokenTexts.of` makes one per tokenizer; it does not see tokens that are added later.

    Raises:
        PairError: the tokenizer is not a "fast" one, or it marks words in a way that is not supported.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise PairError(f"{type(tokenizer).__name__} is not a fast tokenizer (tokenizer.json); convert it, or choose another pair")
        steps = list(_steps(backend))
        self.scheme: Scheme = _scheme(steps)
        self.control = {token.content: index for index, token in backend.get_added_tokens_decoder().items() if token.special}
        """Ids of special tokens, by their texts."""
        self.skipped = frozenset(self.control.values())
        """Ids that `tokenizer.decode(…, skip_special_tokens=True)` skips."""
        self._backend = backend
        self._has_byte_tokens = any(step["type"] == "ByteFallback" for step in steps)
        self.piece = cache(self._piece)
        """What one token adds to an answer; None for one that `decode` skips: special, or an id without a token."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> "TokenTexts":
        """Make the texts of a tokenizer, or find those that were made before."""
        with _made_lock:
            if tokenizer not in _made:
                _made[tokenizer] = cls(tokenizer)
            return _made[tokenizer]

    def text(self, token_id: int) -> str:
        """Text of one token after another one: " the" for Ġthe and ▁the; "" for an id that has no token."""
        token = self._backend.id_to_token(token_id)
        return "" if token is None else self._decode([ANCHOR, token])[len(ANCHOR) :]

    def bytes_of(self, token: str) -> bytes:
        """What a token, given as the vocabulary has it, adds to a text that goes on.

        Raises:
            PairError: it is one of WordPiece, whose tokens are not added to a text as they are.
        """
        if self.scheme == "wordpiece":
            raise PairError("a vocabulary of WordPiece (##) has no bytes for its tokens; supported: byte-level BPE and SentencePiece")
        raw = self._raw(token)
        return token.replace("▁", " ").encode() if raw is None else raw

    def control_pieces(self, texts: Iterable[str]) -> dict[int, Piece]:
        """What the special tokens among some texts add to an answer that shows them."""
        raw = self.scheme == "byte-level"
        return {self.control[text]: Piece(text, text, text.encode() if raw else None) for text in texts if text in self.control}

    def _piece(self, token_id: int) -> Piece | None:
        token = self._backend.id_to_token(token_id)
        if token is None or token_id in self.skipped:
            return None
        return Piece(self.text(token_id), self._decode([token]), self._raw(token))

    def _raw(self, token: str) -> bytes | None:
        if self.scheme == "byte-level":
            # An added token may have characters that stand for no byte; it is written as it is.
            known = all(character in _BYTES for character in token)
            return bytes(_BYTES[character] for character in token) if known else token.encode()
        is_byte = self._has_byte_tokens and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        return bytes([int(token[3:5], 16)]) if is_byte else None

    def _decode(self, tokens: list[str]) -> str:
        return str(self._backend.decoder.decode(tokens))


_made: WeakKeyDictionary[PreTrainedTokenizerBase, TokenTexts] = WeakKeyDictionary()
_made_lock = threading.Lock()


_BYTES = {character: byte for byte, character in bytes_to_unicode().items()}
"""Bytes by the characters for which they stand in byte-level BPE."""


def _steps(backend: Tokenizer) -> Iterator[dict[str, Any]]:
    """Yield the steps of the decoder in serialised form."""
    if backend.decoder is not None:
        state = json.loads(backend.decoder.__getstate__())
        yield from state["decoders"] if state["type"] == "Sequence" else [state]


def _scheme(steps: list[dict[str, Any]]) -> Scheme:
    """Tell from the decoder's steps how the vocabulary marks words."""
    kinds = {step["type"] for step in steps}
    if kinds in ({"ByteLevel"}, {"ByteLevel", "Fuse"}):
        return "byte-level"
    if kinds == {"WordPiece"}:
        return "wordpiece"
    marker = "Metaspace" in kinds or any(step["type"] == "Replace" and step["pattern"] == {"String": "▁"} for step in steps)
    # Stripping more than the leading space would make a token's text depend on the tokens behind it.
    strips = [step for step in steps if step["type"] == "Strip"]
    plain = all(step["content"] == " " and step["start"] <= 1 and step["stop"] == 0 for step in strips)
    if marker and plain and kinds <= {"Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"}:
        return "sentencepiece"
    found = ", ".join(step["type"] for step in steps) or "none"
    raise PairError(f"the tokenizer's decoder ({found}) marks words in no way that baco knows; supported: {SUPPORTED}")
