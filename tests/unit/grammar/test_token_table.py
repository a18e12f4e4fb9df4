"""Vocabularies as grammars see them: llguidance's own reading is the truth, but for markers; heads narrower and wider than a tokenizer."""

import gc
import json
import random
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llguidance.hf
import pytest
from transformers import AddedToken, PreTrainedTokenizerFast

from baco import ConfigError, Engine, Grammar, ModelPair, Router, SamplingParams
from baco.errors import PairError
from baco.grammar import table_cache, token_table
from baco.grammar.compiled import CompiledGrammar, GrammarVocabulary
from baco.grammar.constraints import calls_grammar
from baco.grammar.guide import Guide
from baco.grammar.token_table import TokenTable
from baco.parsing.hermes import HERMES
from baco.vocab.control_tokens import control_tokens
from baco.vocab.token_text import TokenTexts
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like, wordpiece

MAKERS = [byte_level_bpe, sentencepiece_like]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "items": {"enum": ["<more>", "the captain", "<image>", 7]}}},
    "required": ["name", "tags"],
}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
GRAMMARS = [
    Grammar.json_schema(SCHEMA),
    Grammar.regex(r"[a-z]{2,9} <tool_call>[0-9]{3}"),
    Grammar.choices(["<more> fish", "the captain"]),
    calls_grammar(TOOLS).in_format(HERMES),
]


def longer(make: Callable[[], PreTrainedTokenizerFast], more: int) -> PreTrainedTokenizerFast:
    """A tokenizer with so many tokens more: markers, an ordinary text and a special token, which texts of the grammars have in them."""
    tokenizer = make()
    texts = ["<image>", "<tool_call>", "</tool_call>", "<more>", "the captain", *(f"<m{number}>" for number in range(4))]
    tokenizer.add_tokens([AddedToken(text, special=text == "<image>") for text in texts[:more]])
    assert len(tokenizer) == len(make()) + more
    return tokenizer


def drawn(compiled: CompiledGrammar, chance: random.Random) -> str:
    """A random answer that is brought to its end."""
    guide, ids = Guide(compiled, compiled.min_tokens + 12), list[int]()
    while len(ids) < guide.max_tokens:
        mask = guide.allowed(ids)
        assert mask is not None
        options = mask.tokens.nonzero()[:, 0].tolist()
        assert options, ids
        ids.append(chance.choice(options))
        if ids[-1] in compiled.vocabulary.end_ids:
            del ids[-1]
            break
    return b"".join(map(compiled.bytes_of, ids)).decode()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("more", "beyond"), [(1, 1), (9, 9), (9, 0), (0, -3)])
@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.kind)
def test_an_answer_is_whole_where_the_tokenizer_is_longer_or_shorter_than_the_head(
    make: Callable[[], PreTrainedTokenizerFast], more: int, beyond: int, grammar: Grammar
) -> None:
    tokenizer, chance = longer(make, more), random.Random(more)
    compiled = GrammarVocabulary(tokenizer, len(tokenizer) - beyond, [2]).compile(grammar)
    for _ in range(4):
        text = drawn(compiled, chance)
        if grammar.kind == "json":
            assert json.loads(text).keys() == {"name", "tags"}
        elif grammar.kind == "calls":
            calls = text.removeprefix("<tool_call>").removesuffix("</tool_call>")
            assert json.loads(calls)["arguments"].keys() == {"name", "tags"}
        else:
            assert text in ("<more> fish", "the captain") or " <tool_call>" in text


def test_a_pair_whose_tokenizer_is_longer_than_its_heads_answers_under_a_grammar(random_pair: ModelPair) -> None:
    tokenizer = longer(byte_level_bpe, 9)
    pair = ModelPair.from_models(random_pair.base, random_pair.aligned, tokenizer)
    assert pair.vocab_size < len(tokenizer)
    for router in (Router("p", threshold=0.5), Router("base"), Router("aligned")):
        for grammar in (GRAMMARS[0], GRAMMARS[2]):
            params = SamplingParams(n=2, max_tokens=60, seed=3, grammar=grammar)
            for candidate in Engine(pair).generate("A bird", params, router).candidates:
                assert candidate.text in ("<more> fish", "the captain") or json.loads(candidate.text).keys() == {"name", "tags"}
    pair.unload()


@pytest.mark.parametrize("make", MAKERS)
def test_a_token_has_the_bytes_that_llguidance_reads(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    tokenizer = longer(make, 9)
    added: list[str | AddedToken] = [AddedToken("<table>"), AddedToken("\n\n"), AddedToken("▁▁", normalized=False)]
    tokenizer.add_tokens(added)
    table, theirs = TokenTable(tokenizer, len(tokenizer) + 2), llguidance.hf.from_tokenizer(tokenizer, n_vocab=len(tokenizer) + 2)
    control, own = set(control_tokens(tokenizer).values()), tokenizer.convert_tokens_to_ids("<table>")
    for index in range(len(tokenizer)):
        is_no_text = tokenizer.convert_ids_to_tokens(index) in ("ÿ", "<0xFF>")  # a byte that UTF-8 never has
        assert (table.bytes[index] == b"") == (index in control or is_no_text)
        if table.bytes[index] and index != own:
            assert table.bytes[index] == theirs.decode_bytes([index]) and not theirs.is_special_token(index)
    assert table.bytes[own] == b"<table>" and table.bytes[-2:] == [b"", b""]


@pytest.mark.parametrize("make", MAKERS)
def test_forced_text_is_what_the_tokenizer_makes_of_it(make: Callable[[], PreTrainedTokenizerFast]) -> None:
    tokenizer = make()
    compiled = GrammarVocabulary(tokenizer, len(tokenizer), [2]).compile(Grammar.choices(["the captain said that"]))
    theirs = llguidance.LLMatcher(
        llguidance.hf.from_tokenizer(tokenizer, eos_token=[2]), Grammar.choices(["the captain said that"]).compile()
    )
    assert compiled.matcher.deep_copy().compute_ff_tokens() == theirs.compute_ff_tokens()


def test_text_that_looks_like_a_control_token_is_written_in_ordinary_tokens() -> None:
    tokenizer = byte_level_bpe()
    compiled = GrammarVocabulary(tokenizer, len(tokenizer), [2]).compile(Grammar.choices(["a <|im_end|> b"]))
    assert drawn(compiled, random.Random(1)) == "a <|im_end|> b"


def test_all_that_end_answers_share_one_table_which_goes_with_the_tokenizer() -> None:
    tokenizer: Any = byte_level_bpe()
    tables = [GrammarVocabulary.of(tokenizer, 500, end_ids).tokens for end_ids in ([2], [4], [1, 4])]
    assert tables[0] is tables[1] is tables[2]
    gone = weakref.ref(tables[0])
    del tables, tokenizer
    gc.collect()
    assert gone() is None


def test_an_end_token_may_follow_where_the_answer_is_whole_and_nowhere_else() -> None:
    tokenizer = byte_level_bpe()
    fish, sea = (tokenizer.encode(text, add_special_tokens=False) for text in ("fish", " sea"))
    end = sea[0]  # a model may name an ordinary token
    guide = Guide(GrammarVocabulary(tokenizer, 500, [4, end]).compile(Grammar.regex("fish( sea)*")), 40)
    for prefix, may_end in (([], False), (fish[:1], False), (fish, True)):
        mask = guide.allowed(prefix)
        assert mask is not None and [bool(mask.tokens[index]) for index in (4, end)] == [may_end, may_end]


def test_end_tokens_that_no_model_can_score_do_not_count() -> None:
    with pytest.raises(ConfigError, match="needs models that have an end token"):
        GrammarVocabulary(byte_level_bpe(), 500, [500, 501])


def test_a_vocabulary_of_wordpiece_is_refused() -> None:
    with pytest.raises(PairError, match="`grammar` cannot be used with this pair's tokenizer: a vocabulary of WordPiece"):
        GrammarVocabulary(wordpiece(), 400, [3])


def test_a_large_vocabulary_is_kept_on_disk_and_a_damaged_file_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(token_table, "SMALLEST", 100)
    monkeypatch.setattr(table_cache, "user_cache_path", lambda name: tmp_path / name)
    made = TokenTable(byte_level_bpe(), 500)
    (path,) = tmp_path.rglob("*.safetensors")
    content = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(TokenTexts, "bytes_of", None)  # what is kept is not worked out again
        found = TokenTable(byte_level_bpe(), 500)
    assert found.bytes == made.bytes
    assert found.completion_scores.table.equal(made.completion_scores.table)
    for damaged in (b"", content[:-200], b"x" * len(content)):
        path.write_bytes(damaged)
        assert TokenTable(byte_level_bpe(), 500).bytes == made.bytes
        assert path.read_bytes() == content


@pytest.mark.parametrize("more", ["<more>", "word", "<table>"])
def test_another_vocabulary_has_another_file(more: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(token_table, "SMALLEST", 100)
    monkeypatch.setattr(table_cache, "user_cache_path", lambda name: tmp_path / name)
    other = byte_level_bpe()
    other.add_tokens([AddedToken(more)])
    expected = [] if more == "<more>" else [more.encode()]
    TokenTable(byte_level_bpe(), 501)
    assert TokenTable(other, 501).bytes[500:] == (expected or [b""])
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1 + len(expected)


def test_a_cache_folder_that_cannot_be_written_to_costs_time_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "baco").write_text("no folder")
    monkeypatch.setattr(token_table, "SMALLEST", 100)
    monkeypatch.setattr(table_cache, "user_cache_path", lambda name: tmp_path / name)
    assert TokenTable(byte_level_bpe(), 500).bytes[5:9]
