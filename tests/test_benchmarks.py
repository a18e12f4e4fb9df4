"""The benchmark measures what it says, at sizes that take no time."""

import json
import sys
from pathlib import Path

import pytest

from baco import Engine, ModelPair
from baco.prompts import build_prompt
from benchmarks import throughput
from benchmarks.methods import METHODS, Work, endless
from benchmarks.random_pair import Shape, build_random_pair, build_tokenizer

SMALL = Shape(hidden_size=64, intermediate_size=96, layers=2, heads=4, key_value_heads=2, vocab_size=2000)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(endless(build_random_pair(SMALL, "cpu")))


def test_a_pair_keeps_its_end_tokens_when_an_endless_copy_is_made() -> None:
    pair = ModelPair.from_pretrained()
    copied = endless(pair)
    assert not copied.end_ids("base") | copied.end_ids("aligned")
    assert pair.end_ids("base") and pair.end_ids("aligned")
    assert copied.aligned.get_input_embeddings().weight is pair.aligned.get_input_embeddings().weight


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_all_tokens_of_all_rows(engine: Engine, method: str) -> None:
    prompt = build_prompt(engine.pair, throughput.PROMPT, models=["aligned"], base_prompt="template", max_model_len=engine.max_model_len)
    work = Work(prompt=throughput.PROMPT, token_ids=prompt.token_ids["aligned"], rows=3, new_tokens=24)
    timing = METHODS[method](engine, work)
    assert timing.tokens == 3 * 24
    assert 0 < timing.ttft < timing.total


def test_engine_and_loop_both_have_a_choice_to_make_on_random_weights(engine: Engine) -> None:
    work = Work(prompt="hello", token_ids=engine.pair.tokenizer("hello\n").input_ids, rows=4, new_tokens=40)
    for method in ("baco engine", "two-model loop"):
        share = METHODS[method](engine, work).base_share
        assert share is not None and 0 < share < 1


def test_the_tokenizer_has_exactly_as_many_tokens_as_the_model_and_loses_no_text() -> None:
    tokenizer = build_tokenizer(32_000)
    assert len(tokenizer) == len(tokenizer.get_vocab()) == 32_000
    assert tokenizer.decode(tokenizer("Wie schön, 海 and the sea!").input_ids) == "Wie schön, 海 and the sea!"


def test_the_last_line_is_one_json_object_with_conditions_and_all_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "QUARTER", SMALL)
    monkeypatch.setattr(sys, "argv", ["throughput.py", "--quick", "--device", "cpu", "--output", str(tmp_path / "figures.json")])
    throughput.main()
    last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert last == (tmp_path / "figures.json").read_text().rstrip("\n")
    document = json.loads(last)
    assert document["conditions"]["threads"] >= 1
    figures = document["results"]
    assert len(figures) == 2 * 2 * len(METHODS), "two pairs, two batch sizes"
    for figure in figures:
        rate = 1000 * figure["batch"] * figure["new_tokens"] / (figure["ttft_ms"] + figure["tpot_ms"] * (figure["new_tokens"] - 1))
        assert figure["tokens_per_second"] == pytest.approx(rate, rel=0.01)
