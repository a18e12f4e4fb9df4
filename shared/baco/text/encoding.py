"""`TextEncoder`: texts become token ids, and only a chat template's own text becomes control tokens.

A control token in a user's text would open or close a turn, so it is encoded as the ordinary text that it reads as. What the template
wrote and what the user wrote is told apart by marks: `mark` puts them around whatever looks like a control token in a user's strings,
and `encode` takes the unmarked ones of the rendering for the template's. It relies on no such feature of transformers, which
its older versions lack, and which leaves added tokens alone that are not flagged "special".

Knows tokenizers and texts; knows no messages.
"""

import re
import threading
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from baco.errors import PromptError
from baco.vocab import plain_tokenizer
from baco.vocab.plain_tokenizer import PlainTokenizer

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Noncharacters around what a user wrote that looks like a control token."""
RESERVED = re.compile(f"[{OPEN}{CLOSE}{plain_tokenizer.OPEN}{plain_tokenizer.CLOSE}]")
MARKS = re.compile(f"([{OPEN}{CLOSE}])")
ESCAPED = re.compile(r"\\ufdd0(.+?)\\ufdd1")
"""A marked token in JSON that is written in ASCII, or in Python's notation."""


class TextEncoder:
    """Encodes texts for one tokenizer. `TextEncoder.of` makes one per tokenizer; it does not see tokens that are added later."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._plain = PlainTokenizer.of(tokenizer)
        self.opening = self._plain.opening
        """What the tokenizer puts before a text: a BOS token, or nothing."""
        control = self._plain.control
        self._finder = _Finder(set(control))
        self._finder_any_case = _Finder(set(map(_lower, control)))
        self._partial = range(1, max(map(len, control), default=0))
        parts = [(_lower(text), length) for text in control for length in self._partial if length < len(text)]
        self._beginnings = {text[:length] for text, length in parts}
        self._ends = {text[-length:] for text, length in parts}

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> "TextEncoder":
        """Make the encoder of a tokenizer, or find the one that was made before."""
        with _made_lock:
            if tokenizer not in _made:
                _made[tokenizer] = cls(tokenizer)
            return _made[tokenizer]

    def mark(self, value: Any) -> Any:
        """Copy a user's text, or the lists and dicts around texts, with marks at what looks like a control token, in any case of letters.

        A mark also stands where a text ends, or begins, with a part of a control token: the rest could stand beside it in the rendering.

        Raises:
            PromptError: a text has a character that serves as a mark.
        """
        if isinstance(value, str):
            return self._mark(value)
        if isinstance(value, dict):
            return {self.mark(key): self.mark(inner) for key, inner in value.items()}
        return [self.mark(inner) for inner in value] if isinstance(value, list | tuple) else value

    def encode(self, text: str) -> list[int]:
        """Encode what a template has rendered from marked texts, without opening and closing tokens.

        Raises:
            PromptError: the tokenizer makes a control token of ordinary text.
        """
        return self._plain.encode("".join(self._separated(text)))

    def encode_plain(self, text: str) -> list[int]:
        """Encode a text of which nothing is a control token, without opening and closing tokens.

        Raises:
            PromptError: it has a character that serves as a mark, or the tokenizer makes a control token of ordinary text.
        """
        _check_reserved(text)
        return self._plain.encode(text)

    def _mark(self, text: str) -> str:
        _check_reserved(text)
        lowered, marked, end = _lower(text), "", 0
        for start, stop in self._finder_any_case.spans(lowered):
            marked, end = f"{marked}{text[end:start]}{OPEN}{text[start:stop]}{CLOSE}", stop
        marked += text[end:]
        if any(lowered[:length] in self._ends for length in self._partial):
            marked = OPEN + marked
        if any(lowered[-length:] in self._beginnings for length in self._partial):
            marked += CLOSE
        return marked

    def _separated(self, text: str) -> Iterator[str]:
        """Yield the pieces of a rendering, without marks at what users wrote, and with others around the template's control tokens."""
        text = ESCAPED.sub(lambda match: f"{OPEN}{match[1]}{CLOSE}" if self._looks_like_control(match[1]) else match[0], text)
        pieces = MARKS.split(text)
        around = ["", *pieces[1::2], ""]
        for piece, before, after in zip(pieces[::2], around, around[1:], strict=False):
            # Templates cut texts, so that a mark may stand alone. It still parts what is before it from what is behind. Where a template
            # cuts a marker out of a text and writes its own right there, nothing tells the two apart, and it is taken for the user's.
            if (before, after) == (OPEN, CLOSE) and self._looks_like_control(piece):
                yield piece
                continue
            end = 0
            for start, stop in self._finder.spans(piece):
                yield f"{piece[end:start]}{plain_tokenizer.OPEN}{piece[start:stop]}{plain_tokenizer.CLOSE}"
                end = stop
            yield piece[end:]

    def _looks_like_control(self, text: str) -> bool:
        return _lower(text) in self._finder_any_case.texts


class _Finder:
    """Finds some texts in another, the longest first, from left to right, in a time that does not grow with their number."""

    def __init__(self, texts: set[str]) -> None:
        self.texts = texts - {""}
        self._lengths = sorted({len(text) for text in self.texts}, reverse=True)
        firsts = "".join(re.escape(first) for first in sorted({text[0] for text in self.texts}))
        self._first = re.compile(f"[{firsts}]" if firsts else "(?!)")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where they start and end."""
        end = 0
        for match in self._first.finditer(text):
            start = match.start()
            if start >= end and (found := next((n for n in self._lengths if text[start : start + n] in self.texts), 0)):
                end = start + found
                yield start, end


def _lower(text: str) -> str:
    """In lower case, character by character, so that places stay what they are."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(lower if len(lower := each.lower()) == 1 else each for each in text)


def _check_reserved(text: str) -> None:
    if found := RESERVED.search(text):
        raise PromptError(f"the text has U+{ord(found[0]):04X}, which Unicode reserves for a program's own use; leave it out")


_made: WeakKeyDictionary[PreTrainedTokenizerBase, TextEncoder] = WeakKeyDictionary()
_made_lock = threading.Lock()
