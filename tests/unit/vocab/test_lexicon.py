from dataclasses import fields

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from baco.errors import PairError
from baco.vocab.function_words import FUNCTION_WORDS
from baco.vocab.lexicon import Lexicon
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like, wordpiece

TOKENIZERS = {"byte-level": byte_level_bpe, "sentencepiece": sentencepiece_like, "wordpiece": wordpiece}


STRIPS_THE_END = decoders.Sequence([decoders.Metaspace(), decoders.Strip(" ", 0, 1)])


def classes(token: str, tokenizer: PreTrainedTokenizerFast | None = None) -> set[str]:
    """Names of the classes of one token, which is added to the vocabulary as it stands if it is not there."""
    tokenizer = tokenizer or byte_level_bpe()
    if token not in tokenizer.get_vocab():
        tokenizer.add_tokens([token])
    lexicon = Lexicon.build(tokenizer, len(tokenizer))
    row = tokenizer.get_vocab()[token]
    return {field.name for field in fields(lexicon) if getattr(lexicon, field.name)[row]}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_special_are_control_tokens_given_ids_and_rows_without_a_token(name: str) -> None:
    tokenizer = TOKENIZERS[name]()
    tokenizer.add_tokens(["<tool>", "<table>", "  "])
    size = len(tokenizer)
    lexicon = Lexicon.build(tokenizer, size + 3, extra_special=[40])
    flagged = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    assert len(flagged) == 5
    marker = tokenizer.convert_tokens_to_ids("<tool>")
    assert set(lexicon.special.nonzero().flatten().tolist()) == flagged | {marker, 40, size, size + 1, size + 2}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tables_are_boolean_have_a_row_per_logit_and_do_not_contradict_each_other(name: str) -> None:
    lexicon = Lexicon.build(TOKENIZERS[name](), 450)
    tables = [getattr(lexicon, field.name) for field in fields(lexicon)]
    assert all(table.dtype == torch.bool and table.shape == (450,) for table in tables)
    assert not (lexicon.special & lexicon.punctuation).any()
    assert not (lexicon.function_word & (lexicon.special | lexicon.punctuation)).any()
    assert (lexicon.starts_word | ~(lexicon.special | lexicon.punctuation)).all()
    assert (lexicon.ends_word | ~lexicon.special).all()


@pytest.mark.parametrize(
    ("scheme", "token", "expected"),
    [
        ("byte-level", "Ġthe", {"function_word", "starts_word"}),
        ("byte-level", "The", {"function_word"}),
        ("byte-level", "he", set()),
        ("byte-level", "Ġcaptain", {"starts_word"}),
        ("byte-level", "ing", set()),
        ("byte-level", "Ċ", {"punctuation", "starts_word", "ends_word"}),
        ("byte-level", 'Ġ"', {"punctuation", "starts_word", "ends_word"}),
        ("byte-level", "'t", set()),
        ("byte-level", "Ã", set()),
        ("byte-level", "<|im_end|>", {"special", "starts_word", "ends_word"}),
        ("sentencepiece", "▁the", {"function_word", "starts_word"}),
        ("sentencepiece", "▁", {"punctuation", "starts_word", "ends_word"}),
        ("sentencepiece", "<0x0A>", {"punctuation", "starts_word", "ends_word"}),
        ("sentencepiece", "<0x41>", {"function_word"}),
        ("sentencepiece", "<0xE6>", set()),
        ("sentencepiece", "he", set()),
        ("sentencepiece", "日", {"starts_word", "ends_word"}),
        ("sentencepiece", "</s>", {"special", "starts_word", "ends_word"}),
        ("wordpiece", "the", {"function_word", "starts_word"}),
        ("wordpiece", "captain", {"starts_word"}),
        ("wordpiece", "##s", set()),
        ("wordpiece", "##a", set()),
        ("wordpiece", ",", {"punctuation", "starts_word", "ends_word"}),
        ("wordpiece", "'", {"punctuation", "starts_word"}),
        ("wordpiece", "[SEP]", {"special", "starts_word", "ends_word"}),
    ],
)
def test_word_markers_of_every_scheme_are_read_as_spaces(scheme: str, token: str, expected: set[str]) -> None:
    assert classes(token, TOKENIZERS[scheme]()) == expected


@pytest.mark.parametrize(
    "text", ["...", " – ", "€", "“", "+=", "`", "\r\n", "\u2028", "\u3000", "。", "、", "^", "|", "$ %", "\x00", "\u00a0"]
)
def test_marks_signs_spaces_and_control_characters_are_punctuation(text: str) -> None:
    assert {"punctuation", "starts_word", "ends_word"} == classes(text)


@pytest.mark.parametrize("text", ["🎉", "🏽", "\u200d", "7", "½", "x.", ".x", "\ufffd", "日", "\u0301"])
def test_pictures_digits_letters_joiners_and_bits_of_characters_are_content(text: str) -> None:
    assert "punctuation" not in classes(text)


@pytest.mark.parametrize("text", ["日本", "カナ", "ひら", "ภาษา", "ລາວ", "ខ្មែរ", "မြန်", "𠀀"])
def test_a_word_may_start_and_end_anywhere_in_scripts_without_spaces(text: str) -> None:
    assert {"starts_word", "ends_word"} <= classes(text)


@pytest.mark.parametrize("text", ["слово", "한국", "कि", "λόγος", "مرحبا"])
def test_scripts_with_spaces_have_words_that_start_at_spaces(text: str) -> None:
    assert classes(text) == set()
    assert classes(" " + text) == {"starts_word"}


def test_a_vowel_sign_does_not_start_a_word() -> None:
    assert classes("\u0e34") == {"ends_word"}


@pytest.mark.parametrize("text", ["don'", "don’", "well-", "well‐", "x"])
def test_apostrophes_and_hyphens_do_not_end_a_word(text: str) -> None:
    assert "ends_word" not in classes(text)


@pytest.mark.parametrize("text", ["x.", "x,", "x)", "x\n", "x ", "x—", 'x"', "::"])
def test_other_punctuation_and_white_space_end_a_word(text: str) -> None:
    assert "ends_word" in classes(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" and", True), ("And", True), ("AND", True), (" AND ", True), ("and", False), (" sand", False), (" &", False)],
)
def test_a_function_word_starts_with_a_space_or_a_capital_letter(text: str, expected: bool) -> None:
    assert ("function_word" in classes(text)) == expected


def test_the_function_words_are_the_closed_classes_of_english() -> None:
    assert 150 <= len(FUNCTION_WORDS) <= 200
    assert all(word.isalpha() and word.islower() for word in FUNCTION_WORDS)
    assert {"the", "you", "of", "because", "would", "not", "which", "myself"} <= FUNCTION_WORDS
    assert FUNCTION_WORDS.isdisjoint({"sea", "go", "said", "good", "man", "quickly", "two"})


def test_a_lexicon_moves_to_another_device_whole() -> None:
    lexicon = Lexicon.build(byte_level_bpe(), 500).to("meta")
    assert {getattr(lexicon, field.name).device.type for field in fields(lexicon)} == {"meta"}


@pytest.mark.parametrize("decoder", [None, decoders.BPEDecoder(), decoders.CTC(), STRIPS_THE_END])
def test_an_unknown_way_of_marking_words_is_refused_with_what_is_supported(decoder: decoders.Decoder | None) -> None:
    backend = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    if decoder is not None:
        backend.decoder = decoder
    with pytest.raises(PairError, match=r"SentencePiece .* WordPiece"):
        Lexicon.build(PreTrainedTokenizerFast(tokenizer_object=backend), 1)


@pytest.mark.parametrize(
    "decoder",
    [
        decoders.Metaspace(),
        decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]),
        decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")]),
    ],
)
def test_every_decoder_of_the_sentencepiece_family_gives_the_same_classes(decoder: decoders.Decoder) -> None:
    tokenizer = sentencepiece_like()
    tokenizer.backend_tokenizer.decoder = decoder
    other, usual = Lexicon.build(tokenizer, len(tokenizer)), Lexicon.build(sentencepiece_like(), len(tokenizer))
    # Without ByteFallback, <0x0A> is a text like any other.
    is_byte = torch.tensor([token.startswith("<0x") for token in tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))])
    assert all(torch.equal(getattr(other, f.name)[~is_byte], getattr(usual, f.name)[~is_byte]) for f in fields(usual))
