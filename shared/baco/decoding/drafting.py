"""`PromptLookup`: a drafter without a model. Where the last tokens occurred before, it drafts the tokens that followed them there.

The source is prompt lookup decoding (A. Saxena, 2023). The length of a draft adapts to how many tokens of the last ones were accepted (our
own choice). Knows one row's token ids; knows no models.
"""

from collections.abc import Sequence

from baco.decoding.sequence import SequenceState
from baco.vocab.token_ids import common_length

NGRAM = 3
"""Tokens that must have occurred before (our own choice: fewer repeat by chance)."""
FIRST_DRAFT, LONGEST_DRAFT = 4, 15
PAUSE = 12
"""Tokens to wait after a draft that was rejected whole."""


class PromptLookup:
    """Drafts the continuation of one answer."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self._history = list(prompt)
        self._prompt_length = len(self._history)
        self._continuations: dict[tuple[int, ...], int] = {}
        """For each n-gram: where its last continuation starts."""
        self._indexed = 0
        self._length = FIRST_DRAFT
        self._resumes_at = 0
        self._open: tuple[int, list[int]] | None = None
        """Position and tokens of the draft that is being verified."""

    def extend(self, sequence: SequenceState) -> None:
        """Append a draft to a sequence, if its last tokens occurred before and no other draft is open."""
        self._close(sequence)
        if self._open is not None or sequence.ended or sequence.num_committed < self._resumes_at:
            return
        self._index(sequence)
        # More than one unverified token is too weak a context to draft from.
        if len(sequence.token_ids) > sequence.num_committed + 1:
            return
        tail = tuple((self._history + sequence.token_ids[sequence.num_committed :])[-NGRAM:])
        start = self._continuations.get(tail)
        if start is None:
            return
        draft = self._history[start : start + self._length]
        if draft:
            self._open = (len(sequence.token_ids), draft)
            sequence.token_ids.extend(draft)

    @property
    def open_tokens(self) -> int:
        """Length of the draft that is being verified."""
        return len(self._open[1]) if self._open else 0

    def _close(self, sequence: SequenceState) -> None:
        """Close the open draft once it is verified or rejected, and adapt the length of the next one."""
        if self._open is None:
            return
        start, draft = self._open
        standing = sequence.token_ids[start : start + len(draft)]
        kept = common_length(standing, draft)
        if kept == len(draft) and sequence.num_committed < start + kept:
            return  # nothing is rejected so far, and some tokens are not committed yet
        self._open = None
        if kept == len(draft):
            self._length = min(2 * self._length, LONGEST_DRAFT)
        elif kept < len(draft) // 2:
            self._length = max(2, self._length // 2)
            if kept == 0:
                self._resumes_at = sequence.num_committed + PAUSE

    def _index(self, sequence: SequenceState) -> None:
        """Add newly committed tokens to the history and to the index."""
        taken = len(self._history) - self._prompt_length
        self._history.extend(sequence.token_ids[taken : sequence.num_committed])
        for end in range(max(self._indexed, NGRAM), len(self._history)):
            self._continuations[tuple(self._history[end - NGRAM : end])] = end
        self._indexed = len(self._history)
