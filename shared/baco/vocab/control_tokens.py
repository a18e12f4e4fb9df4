"""`control_tokens`: which added tokens of a vocabulary steer a model, and which are ordinary text.

Knows tokenizers; knows no prompts and no models.
"""

import unicodedata

from transformers import PreTrainedTokenizerBase

HTML_ELEMENTS = frozenset(
    "a b blockquote body br caption code dd div dl dt em footer h1 h2 h3 h4 h5 h6 hr html i iframe img li ol p pre s span strong sub sup "
    "table tbody td tfoot th thead tr u ul".split()
)
"""Elements whose tags are text, also where a vocabulary has tokens for them, as Gemma's has."""


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The ids of the added tokens that steer a model, by their texts.

    They are the special ones, whatever they look like, and those that look like a marker: a sign at either end and a letter or digit
    between, such as `<think>`, `<|fim_prefix|>`, `[INST]` and `|||EMAIL_ADDRESS|||`. Makers leave the flag "special" off where an answer
    should show the marker, so the flag says nothing about what a token does. Runs of white space, words and tags of HTML are ordinary
    text (our own choice).
    """
    special = set(tokenizer.all_special_ids)
    added = tokenizer.added_tokens_decoder.items()
    return {token.content: index for index, token in added if token.special or index in special or _is_marker(token.content)}


def _is_marker(text: str) -> bool:
    stripped = text.strip()
    if len(stripped) < 3 or not (_is_sign(stripped[0]) and _is_sign(stripped[-1]) and any(map(str.isalnum, stripped))):
        return False
    return not (stripped[0] == "<" and stripped[-1] == ">" and stripped[1:-1].strip("/").lower() in HTML_ELEMENTS)


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
