"""`check_vocabularies`: whether two tokenizers give the same ids the same strings. Knows tokenizers; knows no models.

Both models of a pair continue one row of token ids, so an id must mean the same to both, and a text must become the same ids.
"""

from transformers import PreTrainedTokenizerBase

from baco.errors import VocabularyError
from baco.vocab.token_ids import common_length

PROBE = (
    "The captain's well-known story isn't over: \"Why?\", she asked (twice).\n\n  1. 365 days, 2.50 $ and 10 %\n"
    "\tdef add(a, b):\n\t    return a + b  # sum\nCafé naïve — “quoted” … 日本語 ありがとう Привет 안녕 🎉🐟"
)
"""Text that tokenizers of one vocabulary may still split differently: contractions, digits, white space, code, accents, scripts, emoji."""
SHOWN = 5
REMEDY = "the models share token ids, so choose a base model and its own aligned counterpart"


def check_vocabularies(base_tokenizer: PreTrainedTokenizerBase, aligned_tokenizer: PreTrainedTokenizerBase) -> None:
    """Make sure that two models can share token ids.

    Ids that only one of them has are fine: the other never sees them. So are ids that are special in the base and an added token in the
    aligned model, since instruction tuning often renames a reserved control token, and takes the flag "special" from one that an answer
    should show (our own choice). `PROBE` must become the same ids, without the tokens added at either end of a text.

    Raises:
        VocabularyError: an id means different strings, or the probe becomes different ids.
    """
    base, aligned = _tokens(base_tokenizer), _tokens(aligned_tokenizer)
    shared = base.keys() & aligned.keys()
    control = _special_ids(base_tokenizer) & aligned_tokenizer.added_tokens_decoder.keys()
    differing = sorted(index for index in shared if base[index] != aligned[index] and index not in control)
    if differing or not shared:
        examples = "; ".join(f"id {index}: base {base[index]!r}, aligned {aligned[index]!r}" for index in differing[:SHOWN])
        raise VocabularyError(
            f"the two tokenizers differ in {len(differing)} of the {len(shared)} ids that both have ({examples}); {REMEDY}"
        )
    _check_probe(base_tokenizer, aligned_tokenizer)


def _check_probe(base_tokenizer: PreTrainedTokenizerBase, aligned_tokenizer: PreTrainedTokenizerBase) -> None:
    base = base_tokenizer.encode(PROBE, add_special_tokens=False)
    aligned = aligned_tokenizer.encode(PROBE, add_special_tokens=False)
    if base == aligned:
        return
    start = common_length(base, aligned)
    shown = slice(start, start + SHOWN)
    raise VocabularyError(
        "the two tokenizers have one vocabulary but cut the same text differently: "
        f"base {base_tokenizer.convert_ids_to_tokens(base[shown])}, "
        f"aligned {aligned_tokenizer.convert_ids_to_tokens(aligned[shown])} at token {start}; {REMEDY}"
    )


def _tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    return {index: token for token, index in tokenizer.get_vocab().items()}


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    return {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
