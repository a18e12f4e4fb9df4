"""Numbers of tokens: a lower bound for a text, and the common prefix of two rows of ids.

Knows tokenizers; knows no prompts.
"""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

MOST_COMPOSED = 4
"""Most characters that Unicode's composition (NFC) joins into one."""


def least_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """Lower bound on the number of tokens of a text, from the longest token of the vocabulary; 0 where the tokenizer rewrites texts.

    It spares the encoding of megabytes, which takes many seconds, only to refuse them. A token of a byte-level vocabulary stands for no
    more characters than it has, since a character is one byte or several.
    """
    normalizer = tokenizer.backend_tokenizer.normalizer
    shrinks = 1 if normalizer is None else MOST_COMPOSED if type(normalizer).__name__ == "NFC" else None
    if shrinks is None:
        return 0
    # White space may go uncounted: some added tokens swallow what is around them.
    visible_characters = sum(map(len, text.split()))
    return visible_characters // shrinks // max(map(len, tokenizer.get_vocab()))


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common prefix. Both must be of the same type (lists or tuples)."""
    low, high = 0, min(len(a), len(b))
    if high == 0 or a[0] != b[0]:
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
