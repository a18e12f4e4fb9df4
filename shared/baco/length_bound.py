"""A number of tokens that a text has at least: megabytes take a tokenizer many seconds, and need not be read to be refused.

Knows tokenizers; knows no prompts.
"""

from transformers import PreTrainedTokenizerBase

MOST_COMPOSED = 4
"""Characters that Unicode's composition (NFC) makes one of, at most."""


def least_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """Find a bound by the longest token of the vocabulary; 0 where the tokenizer rewrites texts before it encodes them.

    A token of a byte-level vocabulary stands for no more characters than it has, since a character is a byte or several.
    """
    normalizer = tokenizer.backend_tokenizer.normalizer
    shrinks = 1 if normalizer is None else MOST_COMPOSED if type(normalizer).__name__ == "NFC" else None
    if shrinks is None:
        return 0
    # White space may go uncounted: some added tokens swallow what is around them.
    visible_characters = sum(map(len, text.split()))
    return visible_characters // shrinks // max(map(len, tokenizer.get_vocab()))
