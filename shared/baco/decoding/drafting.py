"""`PromptLookup`: a free drafter. Text that repeats its prompt or itself is proposed from there, for both models to check at once.

The source is prompt lookup decoding (A. Saxena, 2023), which takes the continuation of the last place where the same tokens stood; how long
a draft is follows from how the last ones fared (our own choice). Knows one row's token ids; knows no models.
"""

from collections.abc import Sequence

from baco.decoding.sequence import SequenceState

NGRAM = 3
"""Tokens that must repeat before anything is proposed (our own choice: fewer repeat by chance)."""
FIRST_DRAFT, LONGEST_DRAFT = 4, 15
PAUSE = 12
"""Tokens to wait after a draft of which nothing was kept."""


class PromptLookup:
    """Proposes how one answer may go on."""

    def __init__(self, prompt: Sequence[int]) -> None:
        self._history = list(prompt)
        self._prompt_length = len(self._history)
        self._behind: dict[tuple[int, ...], int] = {}
        """For each n-gram: where its last continuation starts."""
        self._indexed = 0
        self._length = FIRST_DRAFT
        self._resumes_at = 0
        self._open: tuple[int, list[int]] | None = None

    def extend(self, sequence: SequenceState) -> None:
        """Append a draft to the proposals of a sequence, if its last tokens have been seen before."""
        self._judge(sequence)
        if self._open is not None or sequence.ended or sequence.num_committed < self._resumes_at:
            return
        self._take_over(sequence)
        # A proposal that no model has confirmed is too weak a context to draft from if it is not the only one.
        if len(sequence.token_ids) > sequence.num_committed + 1:
            return
        tail = tuple((self._history + sequence.token_ids[sequence.num_committed :])[-NGRAM:])
        start = self._behind.get(tail)
        if start is None:
            return
        draft = self._history[start : start + self._length]
        if draft:
            self._open = (len(sequence.token_ids), draft)
            sequence.token_ids.extend(draft)

    @property
    def open_tokens(self) -> int:
        """Length of the draft that is being checked."""
        return len(self._open[1]) if self._open else 0

    def _judge(self, sequence: SequenceState) -> None:
        """See how the open draft fared, once that is decided."""
        if self._open is None:
            return
        start, draft = self._open
        standing = sequence.token_ids[start : start + len(draft)]
        kept = next((i for i, (a, b) in enumerate(zip(standing, draft, strict=False)) if a != b), len(standing))
        if kept == len(draft) and sequence.num_committed < start + kept:
            return  # all of it stands, and is not final yet
        self._open = None
        if kept == len(draft):
            self._length = min(2 * self._length, LONGEST_DRAFT)
        elif kept < len(draft) // 2:
            self._length = max(2, self._length // 2)
            if kept == 0:
                self._resumes_at = sequence.num_committed + PAUSE

    def _take_over(self, sequence: SequenceState) -> None:
        """Add new final tokens to the history and to the index."""
        taken = len(self._history) - self._prompt_length
        self._history.extend(sequence.token_ids[taken : sequence.num_committed])
        for end in range(max(self._indexed, NGRAM), len(self._history)):
            self._behind[tuple(self._history[end - NGRAM : end])] = end
        self._indexed = len(self._history)
