"""`AnswerText`: the one place where the token ids of an answer become text, and where stop texts end it.

Knows one row's tokens as they arrive; knows neither models nor requests. A token is released once nothing that follows can change its
text, so streamed and collected answers are the same. Joined, the texts are `tokenizer.decode(ids, skip_special_tokens=True)` without
clean-up of spaces, and no half character is ever released. Where the tokenizer's decoder works on more than one token, this file does too:

- the first token of an answer loses its leading space in SentencePiece and WordPiece (`Piece.initial`);
- byte-level BPE: the bytes of a character are held until it is complete or invalid (`_ByteLevelDetokenizer`);
- SentencePiece: one invalid byte invalidates its neighbours, so a run of byte tokens is held until it ends (`_TextDetokenizer`).
"""

import codecs
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from baco.results import Token, TokenLogprob
from baco.vocab.token_text import Piece, TokenTexts

REPLACEMENT = "\ufffd"

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


def held_length(text: str, stops: Sequence[str]) -> int:
    """Length of the longest suffix of `text` that more text could turn into a stop text (a whole stop text is no such suffix)."""
    longest = max(map(len, stops), default=0) - 1
    beginnings = {stop[0] for stop in stops}
    for start in range(max(0, len(text) - longest), len(text)):
        if text[start] not in beginnings:
            continue
        tail = text[start:]
        if any(len(stop) > len(tail) and stop.startswith(tail) for stop in stops):
            return len(tail)
    return 0


@dataclass(slots=True, eq=False)
class _Entry:
    """A token that is held. A character of several tokens belongs to the one that completes it."""

    token_id: int
    from_base: bool
    logprob: TokenLogprob | None
    text: str = ""


class _ByteLevelDetokenizer:
    """UTF-8 with replacement of invalid bytes, as Rust's `from_utf8_lossy` and Python's incremental decoder do alike."""

    def __init__(self) -> None:
        self.undecided: _Entry | None = None
        """The first entry whose text more tokens could still change."""
        self._decoder = _Utf8Decoder("replace")

    def decode(self, entry: _Entry, piece: Piece) -> bool:
        """Set the entry's text; return whether the text of earlier ones changed too."""
        assert piece.raw is not None
        entry.text = self._decoder.decode(piece.raw)
        # Bytes that were held are released with this entry, so that only the last entry is undecided.
        self.undecided = entry if self._decoder.getstate()[0] else None
        return False

    def close(self) -> bool:
        """Decide the undecided entries, at the end of the answer; return whether a text changed."""
        if self.undecided is None:
            return False
        self.undecided.text += self._decoder.decode(b"", final=True)
        self.undecided = None
        return True


class _TextDetokenizer:
    """SentencePiece and WordPiece: a text per token, but adjacent byte tokens are one string, or U+FFFD each if they are not valid UTF-8.

    This is the rule of the tokenizers library's ByteFallback decoder. Until a run of byte tokens ends, it is taken to be valid.
    """

    def __init__(self) -> None:
        self.undecided: _Entry | None = None
        self._opened = False
        self._run: list[_Entry] = []
        self._invalid = False
        self._decoder = _Utf8Decoder("strict")

    def decode(self, entry: _Entry, piece: Piece) -> bool:
        first, self._opened = not self._opened, True
        if piece.raw is None:
            entry.text = piece.initial if first else piece.continuation
            return self.close()
        self._run.append(entry)
        self.undecided = self._run[0]
        if self._invalid:
            entry.text = REPLACEMENT
            return False
        try:
            entry.text = self._decoder.decode(piece.raw)
        except UnicodeDecodeError:
            return self._invalidate()
        if entry.text and first:
            entry.text = piece.initial
        return False

    def close(self) -> bool:
        changed = bool(self._decoder.getstate()[0]) and not self._invalid and self._invalidate()
        self.undecided, self._run, self._invalid = None, [], False
        self._decoder.reset()
        return changed

    def _invalidate(self) -> bool:
        for entry in self._run:
            entry.text = REPLACEMENT
        self._invalid = True
        return True


class AnswerText:
    """The text of one answer, from its tokens as they arrive.

    A stop text may span tokens. The first one to be complete ends the answer (the longest, where several end at one character): it and
    all text after it are cut off, and tokens after the cut have the text "". The place of the cut does not depend on token boundaries.

    Args:
        tokenizer: a fast tokenizer, used by both models.
        stop: texts that end the answer, whoever wrote them.
        base_stop: texts that end the answer if the base model wrote at least one of their characters.
        shown: special tokens whose text is part of the answer's.

    Raises:
        PairError: the tokenizer marks words in a way that is not supported.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        stop: Sequence[str] = (),
        base_stop: Sequence[str] = (),
        shown: Sequence[str] = (),
    ) -> None:
        self._token_texts = TokenTexts.of(tokenizer)
        self._shown = self._token_texts.control_pieces(shown)
        self._detokenizer = _ByteLevelDetokenizer() if self._token_texts.scheme == "byte-level" else _TextDetokenizer()
        self._stops = [(text, False) for text in stop] + [(text, True) for text in base_stop]
        self._stop_texts = tuple(text for text, _ in self._stops)
        self._queue: deque[_Entry] = deque()
        self._text = ""
        self.stopped = False
        """Whether a stop text has ended the answer."""

    def push(self, token_id: int, from_base: bool, logprob: TokenLogprob | None = None) -> list[Token]:
        """Add the answer's next token; return the tokens whose text is now final, in order, [] while all are held."""
        entry = _Entry(token_id, from_base, logprob)
        self._queue.append(entry)
        piece = None if self.stopped else self._shown.get(token_id) or self._token_texts.piece(token_id)
        if piece is not None:
            self._update(self._detokenizer.decode(entry, piece), entry.text)
        return self._release()

    def finish(self) -> list[Token]:
        """End the answer; return the tokens that are still held."""
        if not self.stopped:
            self._update(self._detokenizer.close(), "")
            self._stops, self._stop_texts = [], ()
        return self._release()

    def _update(self, changed: bool, fresh: str) -> None:
        """Add new text, or rebuild the held text where earlier tokens' texts changed, and look for stop texts that end in it."""
        if changed:
            self._text = fresh = "".join(entry.text for entry in self._queue)
        else:
            self._text += fresh
        if fresh and self._stops:
            matches = [match for text, base_only in self._stops for match in self._matches(text, base_only, len(fresh))]
            if matches:
                _, start = min(matches)
                self._cut(start)

    def _matches(self, stop: str, base_only: bool, fresh: int) -> Iterator[tuple[int, int]]:
        """Yield (end, start) of each place where a stop text that counts ends in the last `fresh` characters."""
        start = self._text.find(stop, max(0, len(self._text) - fresh - len(stop) + 1))
        while start >= 0:
            end = start + len(stop)
            if not base_only or self._base_wrote(start, end):
                yield end, start
            start = self._text.find(stop, start + 1)

    def _base_wrote(self, start: int, end: int) -> bool:
        """Whether a base token wrote one of the characters from `start` to `end`."""
        offset = 0
        for entry in self._queue:
            before, offset = offset, offset + len(entry.text)
            if entry.from_base and max(before, start) < min(offset, end):
                return True
        return False

    def _cut(self, length: int) -> None:
        """End the answer after `length` characters of the held text."""
        self.stopped = True
        self._text, left = self._text[:length], length
        for entry in self._queue:
            entry.text = entry.text[:left]
            left -= len(entry.text)

    def _release(self) -> list[Token]:
        """Return the tokens whose text is final: all before the first undecided one and before what may become a stop text."""
        undecided = None if self.stopped else self._detokenizer.undecided
        left = len(self._text) - (0 if self.stopped else held_length(self._text, self._stop_texts))
        released = []
        while self._queue and self._queue[0] is not undecided and len(self._queue[0].text) <= left:
            entry = self._queue.popleft()
            left -= len(entry.text)
            released.append(Token(token_id=entry.token_id, text=entry.text, from_base=entry.from_base, logprob=entry.logprob))
        if released:
            self._text = self._text[sum(len(token.text) for token in released) :]
        return released
