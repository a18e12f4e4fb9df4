import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from baco.results import Token, TokenLogprob
from baco.text.detokenize import AnswerText, held_length
from tests.support.marks import slow_but
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like, wordpiece


def with_decoder(make: Callable[[], PreTrainedTokenizerFast], decoder: decoders.Decoder) -> PreTrainedTokenizerFast:
    tokenizer = make()
    tokenizer.backend_tokenizer.decoder = decoder
    return tokenizer


def with_added_tokens(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.add_tokens(["<tool>", "   ", "日", "é"])
    return tokenizer


REPLACE, FALLBACK, FUSE = decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()
TOKENIZERS = {
    "byte-level": byte_level_bpe(),
    "byte-level with added text": with_added_tokens(byte_level_bpe()),
    "like Llama 2": sentencepiece_like(),
    "like Gemma": with_decoder(sentencepiece_like, decoders.Sequence([REPLACE, FALLBACK, FUSE])),
    "like T5": with_decoder(sentencepiece_like, decoders.Metaspace()),
    "like Mistral": with_decoder(sentencepiece_like, decoders.Sequence([FALLBACK, decoders.Metaspace(prepend_scheme="first")])),
    "like Llama 2 with added text": with_added_tokens(sentencepiece_like()),
    "wordpiece": wordpiece(),
    "wordpiece that cleans up": with_decoder(wordpiece, decoders.WordPiece(cleanup=True)),
}
THREE = {"byte-level": byte_level_bpe(), "like Llama 2": sentencepiece_like(), "wordpiece": wordpiece()}


def read(
    tokenizer: PreTrainedTokenizerFast,
    ids: Sequence[int],
    owners: Sequence[bool] = (),
    stop: Sequence[str] = (),
    base_stop: Sequence[str] = (),
) -> list[Token]:
    """Every token of an answer, the ones behind a stop text too."""
    answer = AnswerText(tokenizer, stop, base_stop)
    owners = owners or [False] * len(ids)
    tokens = [token for index, from_base in zip(ids, owners, strict=True) for token in answer.push(index, from_base)]
    return tokens + answer.finish()


def text_of(tokens: Iterable[Token]) -> str:
    return "".join(token.text for token in tokens)


def decoded(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def encoded(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def ids_of(tokenizer: PreTrainedTokenizerFast, names: Iterable[str]) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[name] for name in names]


def byte_ids(name: str, text: str) -> list[int]:
    """The bytes of a text, a token each."""
    if name == "byte-level":
        return ids_of(THREE[name], ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0])
    return ids_of(THREE["like Llama 2"], (f"<0x{byte:02X}>" for byte in text.encode()))


def some_ids(tokenizer: PreTrainedTokenizerFast) -> st.SearchStrategy[list[int]]:
    """Token ids: any, some beyond the vocabulary, many bytes, and whole texts."""
    names = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    bits = [index for index, name in enumerate(names) if len(name) == 1 or name.startswith(("<0x", "<0X"))]
    alone = (st.integers(0, len(tokenizer) + 3) | st.sampled_from(bits)).map(lambda index: [index])
    whole = st.text(st.sampled_from("ab é日🎉\n\ufffd'.") | st.characters(codec="utf-8"), max_size=6).map(
        lambda text: encoded(tokenizer, text)
    )
    return st.lists(alone | whole, max_size=14).map(lambda parts: list(chain.from_iterable(parts)))


@pytest.mark.parametrize("name", slow_but(THREE, TOKENIZERS))
def test_the_texts_of_all_tokens_joined_are_what_the_tokenizer_decodes(name: str) -> None:
    tokenizer = TOKENIZERS[name]

    @settings(max_examples=400)
    @given(ids=some_ids(tokenizer))
    def check(ids: list[int]) -> None:
        tokens = read(tokenizer, ids)
        assert text_of(tokens) == decoded(tokenizer, ids)
        assert [token.token_id for token in tokens] == ids

    check()


@pytest.mark.parametrize("name", ["byte-level", "like Llama 2"])
@settings(max_examples=200)
@given(text=st.text(st.sampled_from("ab é日🎉👩🏽\u200d\n") | st.characters(codec="utf-8", exclude_characters="\ufffd"), max_size=12))
def test_what_is_shown_is_always_a_beginning_of_the_text_and_never_half_a_character(name: str, text: str) -> None:
    tokenizer = THREE[name]
    ids = encoded(tokenizer, text)
    whole, answer, shown = decoded(tokenizer, ids), AnswerText(tokenizer), ""
    for index in ids:
        for token in answer.push(index, from_base=True):
            shown += token.text
        assert whole.startswith(shown)
        assert "\ufffd" not in shown
    assert shown + text_of(answer.finish()) == whole


def test_bytes_of_a_character_are_held_and_it_belongs_to_the_token_that_completes_it() -> None:
    answer = AnswerText(byte_level_bpe())
    first, second, third, fourth = byte_ids("byte-level", "🐙")
    assert answer.push(first, from_base=True) == []
    assert text_of(answer.push(second, from_base=True) + answer.push(third, from_base=True)) == ""
    assert answer.push(fourth, from_base=False)[-1] == Token(token_id=fourth, text="🐙", from_base=False)


def test_a_run_of_byte_tokens_shows_when_it_ends_or_the_answer_does() -> None:
    tokenizer = sentencepiece_like()
    newline, letter = ids_of(tokenizer, ["<0x0A>", "▁the"])
    answer = AnswerText(tokenizer)
    assert answer.push(newline, from_base=True) == []
    assert [token.text for token in answer.push(letter, from_base=True)] == ["\n", " the"]
    assert answer.push(newline, from_base=True) == []
    assert [token.text for token in answer.finish()] == ["\n"]


@pytest.mark.parametrize("name", THREE)
def test_without_a_stop_text_words_come_out_at_once(name: str) -> None:
    tokenizer = THREE[name]
    answer = AnswerText(tokenizer)
    for index in encoded(tokenizer, "The captain looked at the sea, and at the fish."):
        assert [token.token_id for token in answer.push(index, from_base=True)] == [index]


@pytest.mark.parametrize("name", ["byte-level", "like Llama 2"])
@pytest.mark.parametrize("pattern", ["wrong bytes", "half characters", "newlines"])
def test_the_work_per_token_does_not_grow_with_a_run_of_bytes(name: str, pattern: str) -> None:
    tokenizer = THREE[name]
    # The second byte of U+0080 is wrong without the first one; two bytes of a picture are half of it.
    octopus, control, newline = (byte_ids(name, text) for text in ("🐙", "\u0080", "\n"))
    ids = {"wrong bytes": control[1:], "half characters": octopus[:2], "newlines": newline}[pattern]

    def events(length: int) -> int:
        answer, count = AnswerText(tokenizer, ["\n\nUser:"]), 0

        def seen(_frame: FrameType, _event: str, _argument: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(seen)
        try:
            for place in range(length):
                answer.push(ids[place % len(ids)], from_base=True)
        finally:
            sys.setprofile(None)
        return count

    events(10)
    assert events(2000) < 2.2 * events(1000)


@pytest.mark.parametrize("name", THREE)
def test_special_tokens_and_ids_without_a_token_show_nothing_but_are_returned(name: str) -> None:
    tokenizer = THREE[name]
    special = min(index for index, token in tokenizer.added_tokens_decoder.items() if token.special)
    ids = encoded(tokenizer, "the sea")
    tokens = read(tokenizer, [special, *ids, len(tokenizer) + 1, special])
    assert text_of(tokens) == "the sea"
    assert [tokens[0].text, tokens[-2].text, tokens[-1].text] == ["", "", ""]


def test_owners_and_log_probabilities_stay_with_their_tokens() -> None:
    tokenizer = byte_level_bpe()
    ids = encoded(tokenizer, "the 🐙 sea")
    owners = [place % 3 == 0 for place in range(len(ids))]
    values = [TokenLogprob(token_id=index, text="", logprob=-float(place), from_base=False, top=()) for place, index in enumerate(ids)]
    answer = AnswerText(tokenizer, stop=["sea, sea"])
    tokens = [token for item in zip(ids, owners, values, strict=True) for token in answer.push(*item)] + answer.finish()
    assert [(token.token_id, token.from_base, token.logprob) for token in tokens] == list(zip(ids, owners, values, strict=True))


def expected_cut(text: str, base: Sequence[bool], stop: Sequence[str], base_stop: Sequence[str]) -> tuple[int, int] | None:
    """Where the answer is cut and where the stop text ends, from all beginnings of the text; `base`: who wrote each character."""
    for end in range(len(text) + 1):
        starts = [end - len(word) for word in stop if text[:end].endswith(word)]
        starts += [end - len(word) for word in base_stop if text[:end].endswith(word) and any(base[end - len(word) : end])]
        if starts:
            return min(starts), end
    return None


@pytest.mark.parametrize("name", ["byte-level", "like Llama 2"])
def test_the_first_stop_text_to_be_complete_ends_the_answer_whatever_the_tokens(name: str) -> None:
    tokenizer = THREE[name]
    letters = "aab\n the"
    pieces = [index for index in range(len(tokenizer)) if (text := decoded(tokenizer, [index])) and set(text) <= set(letters)]
    words = st.lists(st.text(st.sampled_from(letters), min_size=1, max_size=4), max_size=3)

    @settings(max_examples=600)
    @given(st.lists(st.tuples(st.sampled_from(pieces), st.booleans()), max_size=14), words, words.filter(lambda texts: len(texts) < 3))
    def check(answer: list[tuple[int, bool]], stop: list[str], base_stop: list[str]) -> None:
        ids, owners = [index for index, _ in answer], [owner for _, owner in answer]
        free = read(tokenizer, ids, owners)
        full, base = text_of(free), [token.from_base for token in free for _ in token.text]
        cut = expected_cut(full, base, stop, base_stop)
        row, shown, written = AnswerText(tokenizer, stop, base_stop), [], 0
        final = full if cut is None else full[: cut[0]]
        for token in free:
            shown += row.push(token.token_id, token.from_base)
            written += len(token.text)
            assert row.stopped == (cut is not None and written >= cut[1])
            assert final.startswith(text_of(shown))
        shown += row.finish()
        assert text_of(shown) == final
        assert [(token.token_id, token.from_base) for token in shown] == answer
        assert row.stopped == (cut is not None)

    check()


def test_tokens_behind_the_cut_are_returned_without_text() -> None:
    tokenizer = byte_level_bpe()
    ids = encoded(tokenizer, "the sea. User: the fish")
    tokens = read(tokenizer, ids, stop=["User:"])
    assert text_of(tokens) == "the sea. "
    assert [token.token_id for token in tokens] == ids


def test_a_stop_text_inside_one_token_cuts_the_token() -> None:
    tokenizer = byte_level_bpe()
    answer = AnswerText(tokenizer, stop=["apt"])
    assert [token.text for token in answer.push(ids_of(tokenizer, ["Ġcaptain"])[0], from_base=False)] == [" c"]
    assert answer.stopped


def test_of_two_stop_texts_in_one_token_the_one_that_is_complete_first_wins() -> None:
    tokenizer = byte_level_bpe()
    (captain,) = ids_of(tokenizer, ["Ġcaptain"])
    assert text_of(read(tokenizer, [captain], stop=["captain", "apt"])) == " c"
    assert text_of(read(tokenizer, [captain], stop=["apt", "captai", "captain"])) == " c"
    assert text_of(read(tokenizer, [captain], stop=["ain", "captain", "in"])) == " "


def test_an_answer_that_opens_with_a_space_as_a_byte_loses_it_as_the_decoder_does() -> None:
    tokenizer = sentencepiece_like()
    ids = byte_ids("like Llama 2", " \n  ")
    assert text_of(read(tokenizer, ids)) == decoded(tokenizer, ids) == "\n  "


def test_a_stop_text_that_does_not_count_hides_none_behind_it() -> None:
    # The newline is held for the first stop text, then spoiled by half a character, so all of the text is looked at again.
    tokenizer = sentencepiece_like()
    (a,) = ids_of(tokenizer, "a")
    newline, half = byte_ids("like Llama 2", "\n")[0], byte_ids("like Llama 2", "日")[0]
    tokens = read(tokenizer, [a, newline, half, a], [False, False, False, True], stop=["a\n\n"], base_stop=["a"])
    assert text_of(tokens) == "a\ufffd\ufffd"


def test_a_newline_that_is_a_byte_token_stops_at_once() -> None:
    answer = AnswerText(sentencepiece_like(), stop=["\n"])
    answer.push(byte_ids("like Llama 2", "\n")[0], from_base=False)
    assert answer.stopped
    assert answer.finish() == []


def test_the_beginning_of_a_stop_text_is_held_until_it_is_none_or_the_answer_ends() -> None:
    tokenizer = byte_level_bpe()
    a, b, c = ids_of(tokenizer, "abc")
    answer = AnswerText(tokenizer, stop=["abab"])
    assert answer.push(a, from_base=True) == []
    assert answer.push(b, from_base=True) == []
    assert answer.push(a, from_base=True) == []
    assert text_of(answer.push(c, from_base=True)) == "abac"
    assert answer.push(a, from_base=True) == []
    assert text_of(answer.finish()) == "a"
    assert answer.finish() == []
    assert not answer.stopped


def test_a_turn_marker_ends_the_answer_only_if_the_base_model_wrote_some_of_it() -> None:
    tokenizer = byte_level_bpe()
    ids = ids_of(tokenizer, "aUser:b")
    for writer in range(len(ids)):
        owners = [place == writer for place in range(len(ids))]
        inside = 1 <= writer <= 5
        assert text_of(read(tokenizer, ids, owners, base_stop=["User:"])) == ("a" if inside else "aUser:b")
        assert text_of(read(tokenizer, ids, owners, stop=["User:"])) == "a"


@settings(max_examples=500)
@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=6), max_size=3))
def test_the_held_length_is_the_longest_ending_that_can_still_become_a_stop_text(text: str, stops: list[str]) -> None:
    beginnings = {stop[:length] for stop in stops for length in range(len(stop))}
    endings = {text[len(text) - length :] for length in range(len(text) + 1)}
    assert held_length(text, stops) == max(map(len, beginnings & endings), default=0)


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [("xab", ["abc"], 2), ("xabc", ["abc"], 0), ("aa", ["aaa", "ab"], 2), ("aab", ["abx", "b"], 2), ("", ["a"], 0), ("abc", [], 0)],
)
def test_held_length_by_hand(text: str, stops: list[str], expected: int) -> None:
    assert held_length(text, stops) == expected
