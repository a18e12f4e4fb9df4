"""The benchmarks measure what they say, at sizes that take no time."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from baco import Engine, ModelPair, Router, SamplingParams
from baco.routing.registry import KINDS
from benchmarks import concurrency, passes, throughput
from benchmarks.agreement import measure_agreement, summarise, total_variation
from benchmarks.copying_pair import copying_prompt, passage, save_copying_pair
from benchmarks.measure import bytes_a_pass, prompt_ids
from benchmarks.methods import METHODS, methods_for
from benchmarks.random_pair import Shape, build_tokenizer, embedding_of, head_of
from benchmarks.subjects import Subject, endless, made_subject
from benchmarks.timing import Work, longest_stall, measure_bandwidth, peak_resident_bytes

SMALL = Shape(hidden_size=128, intermediate_size=96, layers=2, heads=4, key_value_heads=2, vocab_size=2000)
PROMPT = throughput.PROMPT.format(who="sister")

Main = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def subject() -> Iterator[Subject]:
    with made_subject("random", SMALL, "cpu", "bfloat16") as made:
        yield made


@pytest.fixture
def run_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Main:
    """Runs a benchmark's command and returns what its last line says, which its file must say as well."""

    def run(main: Callable[[], None], *arguments: str) -> dict[str, Any]:
        file = tmp_path / "results" / "figures.json"
        monkeypatch.setattr(sys, "argv", ["benchmark", "--quick", "--device", "cpu", "--output", str(file), *arguments])
        main()
        last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
        assert last == file.read_text().rstrip("\n")
        document: dict[str, Any] = json.loads(last)
        assert document["quick"] and document["conditions"]["threads"] >= 1
        return document

    return run


def work_of(subject: Subject, *, rows: int, new_tokens: int) -> Work:
    return Work(prompt=PROMPT, token_ids=prompt_ids(subject, PROMPT), rows=rows, new_tokens=new_tokens)


def test_a_pair_keeps_its_end_tokens_when_an_endless_copy_is_made() -> None:
    pair = ModelPair.from_pretrained()
    copied = endless(pair)
    assert not copied.end_ids("base") | copied.end_ids("aligned")
    assert pair.end_ids("base") and pair.end_ids("aligned")
    assert copied.aligned.get_input_embeddings().weight is pair.aligned.get_input_embeddings().weight


@pytest.mark.parametrize(("rows", "method"), [(rows, method) for rows in (1, 3) for method in methods_for(rows)])
def test_every_method_writes_all_tokens_of_all_rows(subject: Subject, rows: int, method: str) -> None:
    timing = METHODS[method](subject, work_of(subject, rows=rows, new_tokens=24))
    assert timing.tokens == rows * 24
    assert 0 < timing.ttft <= timing.total


def test_all_methods_but_the_engine_run_plain_transformers_models_of_the_same_weights(subject: Subject) -> None:
    for plain, packed in ((subject.base, subject.engine.pair.base), (subject.aligned, subject.engine.pair.aligned)):
        assert plain is not packed
        assert type(plain.get_output_embeddings()) is torch.nn.Linear
        assert torch.equal(embedding_of(plain), embedding_of(packed))


def test_engine_and_loop_both_have_a_choice_to_make_on_random_weights(subject: Subject) -> None:
    for method in ("baco engine", "two-model loop"):
        share = METHODS[method](subject, work_of(subject, rows=8, new_tokens=40)).base_share
        assert share is not None and 0 < share < 1


def test_a_pass_reads_every_weight_but_those_of_an_embedding_of_its_own(subject: Subject) -> None:
    everything = sum(weight.nbytes for weight in subject.base.parameters())
    assert head_of(subject.base) is not embedding_of(subject.base)
    assert bytes_a_pass(subject.base) == everything - embedding_of(subject.base).nbytes


def test_total_variation_is_half_the_absolute_difference_of_the_probabilities() -> None:
    left = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.2, 0.4, 0.4]]).log()
    right = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.5, 0.5], [0.2, 0.4, 0.4]]).log()
    assert total_variation(left, right).tolist() == pytest.approx([0.3, 1.0, 0.0])


def test_agreement_is_averaged_over_the_positions_of_each_writer() -> None:
    found = summarise(
        torch.tensor([0.1, 0.2, 0.6, 0.3]), torch.tensor([True, True, False, True]), torch.tensor([False, False, True, False])
    )
    assert found.tv_base == pytest.approx(0.6) and found.tv_aligned == pytest.approx(0.2)
    assert (found.top1, found.base_share, found.tokens) == (0.75, 0.25, 4)


def test_agreement_along_answers_is_that_of_the_two_models_at_each_of_their_prefixes() -> None:
    pair = ModelPair.from_pretrained(device="cpu", dtype="float32")
    params = SamplingParams(n=3, max_tokens=20, seed=3)
    result = Engine(pair).generate("Name a pet rabbit.", params, Router("p-punc", threshold=0.9))
    found = measure_agreement([result], pair.base, pair.aligned)
    expected, same, owners = [], [], []
    for candidate in result.candidates:
        for position, from_base in enumerate(candidate.from_base):
            rows = []
            for model, prompt in ((pair.base, result.prompt_token_ids["base"]), (pair.aligned, result.prompt_token_ids["aligned"])):
                tokens = torch.tensor([prompt + candidate.token_ids[:position]])
                rows.append(model(input_ids=tokens).logits[0, -1].double().softmax(-1))
            expected.append(float((rows[0] - rows[1]).clamp(min=0).sum()))
            same.append(bool(rows[0].argmax() == rows[1].argmax()))
            owners.append(from_base)
    assert len({len(candidate.tokens) for candidate in result.candidates}) > 1, "answers of different lengths"
    by_base = [value for value, from_base in zip(expected, owners, strict=True) if from_base]
    assert found.tv_base == pytest.approx(sum(by_base) / len(by_base), abs=1e-4)
    assert found.tv_aligned == pytest.approx((sum(expected) - sum(by_base)) / (len(owners) - len(by_base)), abs=1e-4)
    assert found.top1 == pytest.approx(sum(same) / len(same))
    assert found.base_share == pytest.approx(sum(owners) / len(owners))
    assert found.tokens == len(owners)


@pytest.mark.slow
def test_random_models_agree_where_the_aligned_one_writes_and_differ_where_the_base_does() -> None:
    with made_subject("random", replace(SMALL, hidden_size=512, vocab_size=32_000), "cpu", "bfloat16") as subject:
        prompts = [throughput.PROMPT.format(who=who) for who in throughput.WHO[:4]]
        results = subject.engine.generate_batch(prompts, SamplingParams(n=4, max_tokens=24, seed=0), base_prompt="template")
        found = measure_agreement(results, subject.base, subject.aligned)
    # Wide enough that no few tokens follow upon all others, as they do where columns are few.
    assert found.tokens == 4 * 4 * 24
    assert found.tv_aligned < 0.2 < 0.25 < found.tv_base < 0.6
    assert 0.7 < found.top1 < 0.95
    assert 0.08 < found.base_share < 0.4


@pytest.mark.parametrize("method", ["engine", "generate"])
def test_the_copying_pair_writes_the_passage_of_its_prompt(method: str) -> None:
    with made_subject("copying", SMALL, "cpu", "bfloat16", save_copying_pair) as subject:
        prompt = copying_prompt("sister")
        if method == "engine":
            params = SamplingParams(n=2, max_tokens=60, seed=0)
            texts = [candidate.text for candidate in subject.engine.generate(prompt, params, base_prompt="template").candidates]
        else:
            tokens = torch.tensor([prompt_ids(subject, prompt)])
            model: Any = subject.base
            written = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=60, do_sample=False, pad_token_id=0)
            texts = [str(subject.engine.pair.tokenizer.decode(written[0, tokens.shape[1] :]))]
    for text in texts:
        assert len(text) == 60 * 3 and passage().startswith(text)
    assert passage() in prompt


def test_the_tokenizer_has_exactly_as_many_tokens_as_the_model_and_loses_no_text() -> None:
    tokenizer = build_tokenizer(32_000)
    assert len(tokenizer) == len(tokenizer.get_vocab()) == 32_000
    assert tokenizer.decode(tokenizer("Wie schön, 海 and the sea!").input_ids) == "Wie schön, 海 and the sea!"


def test_no_two_timed_prompts_begin_alike_for_long() -> None:
    prompts = {throughput.PROMPT.format(who=who)[:24] for who in throughput.WHO}
    assert len(prompts) == len(throughput.WHO)
    plans = [throughput.FULL.embedded, throughput.FULL.random, throughput.FULL.copying]
    needed = max(len(plan.batches) * (plan.repeats + 1) for plan in plans) + 2 * (throughput.FULL.shared_repeats + 1)
    assert needed + 4 <= len(throughput.WHO), "four more are read to compare the models"


def test_bandwidth_and_memory_are_measured() -> None:
    assert measure_bandwidth(torch.device("cpu"), size=2**20) > 0
    assert peak_resident_bytes() > 2**26, "torch alone takes more"


@pytest.mark.slow
def test_throughput_reports_every_method_of_every_part(run_main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "QUICK", SMALL)
    document = run_main(throughput.main)
    figures = document["results"]
    assert len(figures) == 2 * (4 + 3) + 4, "two pairs at 1 and 8 rows, and copying at 1"
    for figure in figures:
        rate = 1000 * figure["batch"] * figure["new_tokens"] / (figure["ttft_ms"] + figure["tpot_ms"] * (figure["new_tokens"] - 1))
        assert figure["tokens_per_second"] == pytest.approx(rate, rel=0.01)
        assert (figure["passes_per_token"] is None) == (figure["method"] == "assisted generation")
        assert figure["weights_mb"] > 0 and figure["process_peak_mb"] > 0
    assert {figure["times_generate"] for figure in figures if figure["method"] == "generate, aligned alone"} == {1.0}
    assert [found["pair"].split(",")[0] for found in document["agreement"]] == ["embedded", "random quick"]
    assert document["shared_prompt"][0]["answers"] == 8


def test_throughput_runs_the_named_parts_alone(run_main: Main) -> None:
    document = run_main(throughput.main, "--only", "shared-prompt")
    assert document["shared_prompt"] and not document["results"] and not document["agreement"]


@pytest.mark.slow
def test_passes_are_counted_for_every_router_but_the_judge(run_main: Main) -> None:
    document = run_main(passes.main)
    figures = {figure["router"]: figure for figure in document["results"]}
    assert set(figures) == {name for name in KINDS if name != "judge"}
    assert figures["aligned"]["base_passes"] == 0 == figures["base"]["aligned_passes"]
    assert 0.5 < figures["aligned"]["passes_per_token"] < 1.5
    assert 0.5 < figures["p-punc"]["passes_per_token"] < 2.5
    assert figures["base"]["base_share"] == 1


def test_the_full_sweep_has_several_thresholds_and_both_probes() -> None:
    routers = list(passes.all_routers())
    assert [router.threshold for router in routers if router.name == "p-punc" and router.probe == "base"] == list(passes.PROBABILITIES)
    assert [router.threshold for router in routers if router.name == "h"] == list(passes.NATS)
    assert [router.name for router in routers if router.probe == "aligned"] == ["p-punc"]


def test_concurrent_calls_give_the_answers_of_calls_made_alone(run_main: Main) -> None:
    found = run_main(concurrency.main)["results"]
    assert found["equal"] == found["calls"] == concurrency.QUICK_CALLS
    assert found["tokens"] > found["calls"] and found["stall_ms"] >= 0


def test_concurrent_calls_are_of_mixed_lengths() -> None:
    calls = concurrency.make_calls(concurrency.CALLS)
    lengths = sorted(call.params.max_tokens for call in calls)
    assert (len(calls), lengths[0], lengths[-1]) == (concurrency.CALLS, concurrency.SHORTEST, concurrency.LONGEST)
    assert len({call.prompt.count(".") + call.prompt.count("?") for call in calls}) >= concurrency.LONGEST_PROMPT - 1


async def test_a_blocked_event_loop_shows_as_a_stall() -> None:
    ticker = asyncio.create_task(longest_stall())
    start = time.perf_counter()
    await asyncio.sleep(0.01)
    time.sleep(0.05)
    await asyncio.sleep(0.01)
    ticker.cancel()
    assert 0.03 < await ticker < time.perf_counter() - start
