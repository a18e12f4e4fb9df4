"""`Lexicon`: which tokens of a vocabulary are special, punctuation or function words, and where words start and end.

Knows single tokens; knows neither models nor answers. The paper (arXiv 2511.05650) leaves open what is marked "our own choice".
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from baco.vocab.control_tokens import control_tokens
from baco.vocab.function_words import FUNCTION_WORDS
from baco.vocab.token_text import TokenTexts

PUNCTUATION_CATEGORIES = frozenset({"Cc", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm"})
"""Control characters, punctuation and signs; separators (Z*) are whitespace."""
WORD_JOINERS = frozenset("'’-‐‑")
"""Apostrophes and hyphens: the word goes on after a token that ends in one (don't, well-known)."""
EMOJI_MODIFIERS = range(0x1F3FB, 0x1F400)
"""Skin tones. Unicode calls them Sk, but they are part of a picture."""
UNSPACED_SCRIPTS = (
    range(0x0E01, 0x0F00),  # Thai, Lao
    range(0x1000, 0x10A0),  # Burmese
    range(0x1780, 0x1800),  # Khmer
    range(0x1950, 0x1A00),  # Tai Le, New Tai Lue, Khmer symbols
    range(0x1A20, 0x1AB0),  # Tai Tham
    range(0x2E80, 0x2FE0),  # Han radicals
    range(0x3005, 0x3008),  # Han iteration mark, closing mark, zero
    range(0x3021, 0x3030),  # Hangzhou numerals
    range(0x3041, 0x3100),  # Hiragana, Katakana
    range(0x3105, 0x3130),  # Bopomofo
    range(0x31A0, 0x3200),  # Bopomofo, Han strokes, Katakana extensions
    range(0x3400, 0x4DC0),  # Han, extension A
    range(0x4E00, 0xA000),  # Han
    range(0xA9E0, 0xAA00),  # Burmese, extension B
    range(0xAA60, 0xAAE0),  # Burmese, extension A; Tai Viet
    range(0xF900, 0xFB00),  # Han, compatibility
    range(0xFF66, 0xFFA0),  # Katakana, half width
    range(0x1AFF0, 0x1B170),  # Hiragana and Katakana, supplements
    range(0x20000, 0x323B0),  # Han, extensions B to H
)
"""Blocks whose lines may break between letters: classes ID and SA of Unicode Standard Annex 14, as far as they hold letters."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Classes of the V tokens of a vocabulary; every field is bool [V].

    A token's text is its text after another one: Ġthe, ▁the and WordPiece's the are " the", ##ing is "ing", <0x0A> is a newline. Bytes that
    are only part of a character decode to U+FFFD, which is content: no punctuation, and neither start nor end of a word.
    """

    special: Tensor
    """Control tokens (`control_tokens`), the tokenizer's special ids, the ids given as such, and rows without a token."""
    punctuation: Tensor
    """Not special, not empty, and only whitespace, control characters and Unicode P*, Sc, Sk, Sm and Z*. Pictures (So), skin tones and the
    joiners inside words and pictures (Cf) are content. Our own choice."""
    function_word: Tensor
    """The text, stripped and in lower case, is one of `FUNCTION_WORDS`, and starts with a space or a capital letter: without either it is
    more likely the inside of a word. A word that the tokenizer splits has no function-word token. Our own choice."""
    starts_word: Tensor
    """A new word may start with the token: special, punctuation, leading whitespace, or a first letter of a script that is written without
    spaces (Han, Kana, Thai, Lao, Khmer, Burmese…), where the owner could otherwise never change. Our own choice."""
    ends_word: Tensor
    """A new word may start after the token: special, or its last character is whitespace, punctuation other than an apostrophe or hyphen,
    or of a script that is written without spaces. Our own choice."""

    @classmethod
    def build(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int, extra_special: Iterable[int] = ()) -> "Lexicon":
        """Classify every token, on the CPU.

        Args:
            tokenizer: a fast tokenizer.
            vocab_size: V, the width of the models' logits; tokens beyond it are left out, rows without a token are special.
            extra_special: further special ids, such as the models' end-of-answer ids.

        Raises:
            PairError: the tokenizer marks words in a way that is not supported.
        """
        texts = TokenTexts.of(tokenizer)
        special = {*extra_special, *control_tokens(tokenizer).values(), *tokenizer.all_special_ids}
        known = set(tokenizer.get_vocab().values())
        rows = [SPECIAL if index in special or index not in known else _classify(texts.text(index)) for index in range(vocab_size)]
        return cls(*torch.tensor(rows, dtype=torch.bool).T.contiguous())

    def to(self, device: torch.device | str) -> "Lexicon":
        """Copy the tables to a device."""
        return Lexicon(*(getattr(self, field.name).to(device) for field in fields(self)))


SPECIAL = (True, False, False, True, True)


def _classify(text: str) -> tuple[bool, bool, bool, bool, bool]:
    """Classes of a token that is not special, in the order of `Lexicon`'s fields."""
    if not text:
        return (False, False, False, False, False)
    first, last = text[0], text[-1]
    word = text.strip()
    punctuation = all(map(_is_punctuation, text))
    function_word = word.lower() in FUNCTION_WORDS and (first.isspace() or first.isupper())
    # A vowel sign or another mark belongs to the letter before it.
    starts = punctuation or first.isspace() or (_is_unspaced(first) and not unicodedata.category(first).startswith("M"))
    ends = _is_unspaced(last) or (_is_punctuation(last) and last not in WORD_JOINERS)
    return (False, punctuation, function_word, starts, ends)


def _is_punctuation(character: str) -> bool:
    if character.isalnum():
        return False
    return character.isspace() or (unicodedata.category(character) in PUNCTUATION_CATEGORIES and ord(character) not in EMOJI_MODIFIERS)


def _is_unspaced(character: str) -> bool:
    code = ord(character)
    return code >= UNSPACED_SCRIPTS[0].start and any(code in block for block in UNSPACED_SCRIPTS)
