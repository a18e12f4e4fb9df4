"""The pair's tokenizer: byte-level BPE trained on the corpus, the same vocabulary for both models."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tinypair.dialogue import BOS, CHAT_TEMPLATE, EOS, PAD, SPECIAL_TOKENS, TURN_END

ROLES_TEXT = "system\n user\n assistant\n User: Assistant: "


def train_tokenizer(texts: Iterable[str], vocab_size: int, max_length: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE that encodes any text and starts every encoding with the BOS token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, ROLES_TEXT * 100], trainer)
    bos = (BOS, tokenizer.token_to_id(BOS))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[bos])
    return _wrap(tokenizer, EOS, max_length)


def _wrap(tokenizer: Tokenizer, eos: str, max_length: int) -> PreTrainedTokenizerFast:
    """Wrap a tokenizer as the transformers library wants it."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=eos,
        pad_token=PAD,
        additional_special_tokens=[t for t in SPECIAL_TOKENS if t not in (BOS, PAD, eos)],
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )


def aligned_tokenizer(base: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Give the aligned model's tokenizer: the same vocabulary, a chat template, a turn's end as EOS."""
    tokenizer = _wrap(base.backend_tokenizer, TURN_END, base.model_max_length)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
