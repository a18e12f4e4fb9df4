"""`TokenTable`: the tokens of a vocabulary as bytes, and llguidance's tokenizer over them.

llguidance could read a tokenizer's JSON itself. That takes several times as long, blocks every thread of the process, takes each added
token in angle brackets for a special one, and fails where the tokenizer has more tokens than the models' heads have columns.

Knows tokenizers; knows no grammars and no answers.
"""

import threading
from collections.abc import Mapping, Set
from weakref import WeakKeyDictionary

from llguidance import LLTokenizer, TokenizerWrapper
from transformers import PreTrainedTokenizerBase

from baco.errors import PairError, PromptError
from baco.grammar.completion_scores import CompletionScores
from baco.grammar.table_cache import SMALLEST, cache_file, load_table, save_table
from baco.vocab.plain_tokenizer import PlainTokenizer
from baco.vocab.token_text import TokenTexts

BEFORE = "\n"
"""A text that goes before another one, so that the tokenizer takes it for one that goes on."""
NO_TEXT = b"\xff"
"""A byte that no text has; llguidance takes tokens that begin with it for special ones."""


class TokenTable:
    """The V tokens of a vocabulary. `TokenTable.of` makes one per tokenizer and V, for all grammars and whatever ends their answers.

    Raises:
        PairError: the tokens are not those of a byte-level or SentencePiece vocabulary.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> None:
        plain = PlainTokenizer.of(tokenizer)
        self.control = {text: index for text, index in plain.control.items() if index < vocab_size}
        """Ids of control tokens, by their texts."""
        try:
            self.completion_scores = _scores(tokenizer, vocab_size, set(self.control.values()))
        except PairError as error:
            raise PairError(f"`grammar` cannot be used with this pair's tokenizer: {error}") from error
        self.bytes = self.completion_scores.tokens
        """What each token adds to a text; b"" for control tokens, and for ids without a token."""
        source = _Source(plain, self.completion_scores, self.control)
        # In two steps, since each one blocks all threads while it runs.
        self.tokenizer: LLTokenizer = LLTokenizer(TokenizerWrapper(source), slices=[]).with_slices(LLTokenizer.general_slices())
        """llguidance's, with one token more: id V, which may follow where an answer may end."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, vocab_size: int) -> "TokenTable":
        """Make it, or find it in the cache."""
        with _made_lock:
            made = _made.setdefault(tokenizer, {})
            if vocab_size not in made:
                made[vocab_size] = cls(tokenizer, vocab_size)
            return made[vocab_size]


def _scores(tokenizer: PreTrainedTokenizerBase, vocab_size: int, control: Set[int]) -> CompletionScores:
    """The tokens of a vocabulary with their scores, found in the cache folder if it is a large one."""
    texts, names = TokenTexts.of(tokenizer), [""] * vocab_size
    for name, index in tokenizer.get_vocab().items():
        if index < vocab_size and index not in control:
            names[index] = name
    path = cache_file((texts.scheme, *names)) if vocab_size >= SMALLEST else None
    if path is not None and (kept := load_table(path)) is not None:
        return CompletionScores(*kept)
    tokens = [texts.bytes_of(name) if name else b"" for name in names]
    scores = CompletionScores([b"" if token[:1] == NO_TEXT else token for token in tokens])
    if path is not None:
        save_table(path, scores.tokens, scores.table)
    return scores


class _Source:
    """What llguidance asks of a tokenizer. It does not refer to llguidance's own, or neither would ever be freed."""

    bos_token_id = None

    def __init__(self, plain: PlainTokenizer, scores: CompletionScores, control: Mapping[str, int]) -> None:
        self._plain, self._scores = plain, scores
        self.eos_token_id = len(scores.tokens)
        names = {index: text.encode() for text, index in control.items()}
        self.tokens = [names.get(index, token) for index, token in enumerate(scores.tokens)] + [b"<end>"]
        self.special_token_ids = [*names, self.eos_token_id]
        first = plain.encode("a")[0]
        self._before = BEFORE if first < self.eos_token_id and scores.tokens[first][:1] == b" " else ""
        self._skipped = plain.encode(self._before)

    def __call__(self, text: str) -> list[int]:
        """Encode a text that goes on, as a model would most likely write it; in the longest tokens where that needs ids beyond V."""
        try:
            ids = self._plain.encode(self._before + text)
        except PromptError:
            ids = []
        start = len(self._skipped)
        if ids[:start] == self._skipped and all(index < self.eos_token_id for index in ids[start:]):
            return ids[start:]
        return self._scores.spell(text.encode())


_made: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, TokenTable]] = WeakKeyDictionary()
_made_lock = threading.Lock()
