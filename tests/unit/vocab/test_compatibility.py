import json
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from baco.errors import VocabularyError
from baco.vocab.compatibility import check_vocabularies
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like, wordpiece


def edited(tokenizer: PreTrainedTokenizerFast, edit: Callable[[dict[str, Any]], None]) -> PreTrainedTokenizerFast:
    """The tokenizer with its serialised form edited."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    edit(state)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(state)))


def swap(first: str, second: str) -> Callable[[dict[str, Any]], None]:
    def edit(state: dict[str, Any]) -> None:
        vocabulary = state["model"]["vocab"]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]

    return edit


@pytest.mark.parametrize("make", [byte_level_bpe, sentencepiece_like, wordpiece])
def test_a_tokenizer_fits_itself(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    check_vocabularies(make(), make())


def test_ids_that_only_one_side_has_are_fine() -> None:
    longer = byte_level_bpe()
    longer.add_tokens(["<tool>", "</tool>"])
    check_vocabularies(byte_level_bpe(), longer)
    check_vocabularies(longer, byte_level_bpe())


def test_what_only_the_ends_of_a_text_or_the_chat_template_say_does_not_matter() -> None:
    plain = edited(byte_level_bpe(), lambda state: state.update(post_processor=None))
    check_vocabularies(plain, byte_level_bpe())


def rename(state: dict[str, Any], special: bool) -> None:
    token = next(token for token in state["added_tokens"] if token["content"] == "<|im_end|>")
    del state["model"]["vocab"]["<|im_end|>"]
    token.update(content="<|reserved|>", special=special)
    state["model"]["vocab"]["<|reserved|>"] = token["id"]


def test_a_control_token_may_have_two_names() -> None:
    check_vocabularies(edited(byte_level_bpe(), lambda state: rename(state, special=True)), byte_level_bpe())


def test_a_reserved_token_of_the_base_may_be_renamed_to_a_marker_that_answers_show() -> None:
    check_vocabularies(byte_level_bpe(), edited(byte_level_bpe(), lambda state: rename(state, special=False)))


def test_a_control_token_of_the_aligned_model_alone_is_refused() -> None:
    with pytest.raises(VocabularyError, match=r"differ in 1 of the 500 ids .*<\|"):
        check_vocabularies(edited(byte_level_bpe(), lambda state: rename(state, special=False)), byte_level_bpe())


def test_a_control_token_that_is_an_ordinary_one_of_the_other_side_is_refused() -> None:
    def demote(state: dict[str, Any]) -> None:
        state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] != "<|im_end|>"]
        state["model"]["vocab"]["word"] = state["model"]["vocab"].pop("<|im_end|>")

    ordinary = edited(byte_level_bpe(), demote)
    for pair in ((ordinary, byte_level_bpe()), (byte_level_bpe(), ordinary)):
        with pytest.raises(VocabularyError, match=r"differ in 1 of the 500 ids .*<\|im_end\|>"):
            check_vocabularies(*pair)


def test_ids_that_mean_different_strings_are_shown_with_both() -> None:
    base = byte_level_bpe()
    first, second = (base.get_vocab()[token] for token in ("x", "Ġthe"))
    with pytest.raises(VocabularyError) as caught:
        check_vocabularies(base, edited(byte_level_bpe(), swap("x", "Ġthe")))
    message = str(caught.value)
    assert "differ in 2 of the 500 ids" in message
    assert f"id {first}: base 'x', aligned 'Ġthe'; id {second}: base 'Ġthe', aligned 'x'" in message


def test_at_most_five_of_many_differing_ids_are_shown() -> None:
    with pytest.raises(VocabularyError) as caught:
        check_vocabularies(byte_level_bpe(), wordpiece())
    assert str(caught.value).count("id ") == 5


def test_one_vocabulary_with_other_merges_is_refused() -> None:
    other = edited(byte_level_bpe(), lambda state: state["model"]["merges"].reverse())
    assert other.get_vocab() == byte_level_bpe().get_vocab()
    with pytest.raises(VocabularyError, match="cut the same text differently"):
        check_vocabularies(byte_level_bpe(), other)


def test_one_vocabulary_with_another_normalizer_is_refused() -> None:
    other = edited(byte_level_bpe(), lambda state: state.update(normalizer={"type": "Lowercase"}))
    with pytest.raises(VocabularyError, match=r"cut the same text differently: base \['The'.*aligned \['t', 'he'.* at token 0"):
        check_vocabularies(byte_level_bpe(), other)
