"""The measurement of the embedded pair: counts, intervals, agreement and verdicts are what a hand count gives."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from baco import Candidate, Engine, GenerationResult, Passes, Router, SamplingParams, SamplingSettings, Token, Usage
from evaluate import keep
from tinypair import agreement, scoring, ways
from tinypair.agreement import Agreement, Positions, Routed
from tinypair.evaluation import Bench, Evaluation, match_rand
from tinypair.scoring import Counts, Figure, Row, best, count, ratio, resamples
from tinypair.tables import Sheet, markdown, sheets, terminal
from tinypair.task import Task, slot
from tinypair.verdicts import Verdict, verdicts

DRINK = Task("drink", "tea", "Name a drink.", ("Try {x}.",), {"x": slot(("tea", "milk", "rum"))})
TOOL = replace(DRINK, family="tool", tools=({"type": "function", "function": {"name": "pour"}},))


def result(*texts: str, base_tokens: int = 0) -> GenerationResult:
    """One token a word; the base wrote the first few."""
    candidates, written = [], 0
    for index, text in enumerate(texts):
        tokens: list[Token] = []
        for word in text.split(" "):
            tokens.append(Token(token_id=written, text=word if not tokens else f" {word}", from_base=written < base_tokens))
            written += 1
        candidates.append(Candidate(index=index, tokens=tuple(tokens), finish_reason="stop"))
    return GenerationResult(
        candidates=tuple(candidates),
        prompt_token_ids={"base": [1], "aligned": [1]},
        usage=Usage(prompt_tokens=1, completion_tokens=written, base_tokens=base_tokens, aligned_tokens=written - base_tokens),
        passes=Passes(base=1, aligned=1),
        seed=0,
        router="p",
        threshold=0.5,
        sampling=SamplingSettings(),
    )


class FakeEngine:
    """Answers "Try tea." and notes what it was asked; the base's share of four tokens follows the threshold in quarters."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int | None, object]] = []

    def generate_batch(self, batch: list[Any], params: SamplingParams, router: Router) -> list[GenerationResult]:
        self.asked.append((len(batch), params.seed, None))
        base = 0 if router.threshold is None else round(4 * router.threshold)
        return [result("Try tea.", "try rum", base_tokens=base) for _ in batch]

    def generate(self, messages: list[Any], params: SamplingParams, router: Router, *, tools: object) -> GenerationResult:
        self.asked.append((1, params.seed, tools))
        return result("Try milk.")


def bench(tasks: dict[str, list[Task]], engine: FakeEngine) -> Bench:
    return Bench(engine, tasks, max_tokens=8, seed=3, tell=lambda what: None, answers=2)


def test_answers_are_counted_as_the_oracle_says() -> None:
    counted = count(DRINK, result("Try tea.", "try tea", "Try tea.", "Try rum.", "Try ink.", base_tokens=4))
    assert counted == Counts(answers=5, distinct=3, valid=3, joint=2, base_tokens=4, tokens=10)


def test_a_row_is_the_mean_over_prompts_and_the_share_over_tokens() -> None:
    counts = [Counts(10, 8, 5, 4, base_tokens=10, tokens=100), Counts(10, 6, 10, 6, base_tokens=80, tokens=200)]
    row = scoring.score(counts, resamples([2]))
    assert (row.distinct.value, row.valid_percent.value, row.joint.value, row.base_percent.value) == (7, 75, 5, 30)
    assert (row.joint.low, row.joint.high) == (4, 6), "half of the resamples of two prompts hold one prompt twice"
    assert scoring.base_share(counts) == 0.3


def test_prompts_are_resampled_within_their_family() -> None:
    picks = resamples([3, 5], times=200)
    assert picks.shape == (200, 8)
    assert picks[:, :3].unique().tolist() == [0, 1, 2] and picks[:, 3:].unique().tolist() == [3, 4, 5, 6, 7]
    assert torch.equal(picks, resamples([3, 5], times=200))


def test_an_interval_comes_from_the_resamples_alone() -> None:
    picks = torch.tensor([[0, 0], [0, 1], [1, 1]])
    # The three resamples give 2/2, 3/3 and 4/4; with other denominators 2/2, 3/2 and 4/2.
    assert ratio([1, 2], [1, 2], picks) == Figure(1, 1, 1)
    assert ratio([1, 2], [1, 1], picks) == Figure(1.5, 1.025, 1.975)


def test_an_interval_of_coin_flips_is_as_wide_as_theory_says() -> None:
    flips = [float(number % 2) for number in range(100)]
    figure = ratio(flips, [1.0] * 100, resamples([100], times=4000))
    # The mean of 100 fair flips has a standard deviation of 0.05.
    assert figure.value == 0.5
    assert figure.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02) and figure.high == pytest.approx(0.5 + 1.96 * 0.05, abs=0.02)


def test_a_comparison_is_paired_and_finite() -> None:
    few, many = ([Counts(10, joint, joint, joint, 0, 10) for joint in joints] for joints in ((1, 4, 3), (2, 8, 6)))
    picks = resamples([3])
    assert scoring.gain(many, few, picks) == Figure(2, 2, 2), "twice as many at every prompt: no resample says otherwise"
    assert scoring.kept(few, many, picks) == Figure(50, 50, 50)
    assert scoring.gain(many, [Counts(10, 0, 0, 0, 0, 10)] * 3, picks).value == 16


def test_a_batch_is_one_prompt_of_each_family_under_a_seed_of_its_own() -> None:
    engine = FakeEngine()
    answers = bench({"a": [DRINK, DRINK], "tool": [TOOL, TOOL], "b": [DRINK, DRINK]}, engine).run(ways.ALIGNED)
    assert engine.asked == [(2, 3000, None), (1, 3000, TOOL.tools), (2, 3001, None), (1, 3001, TOOL.tools)]
    texts = {family: [each.text for each in group] for family, group in answers.items()}
    assert texts == {"a": ["Try tea."] * 2, "tool": ["Try milk."] * 2, "b": ["Try tea."] * 2}


def test_the_coin_is_matched_to_a_share_of_base_tokens() -> None:
    label, counts = match_rand(bench({"a": [DRINK]}, FakeEngine()), 0.75)
    assert label == "rand, 0.75"
    assert set(counts) == {"rand, 0.1", "rand, 0.2", "rand, 0.3", "rand, 0.5", "rand, 0.75"}


def test_every_router_is_measured_at_its_default_and_the_default_router_among_them() -> None:
    labels = [way.label for way in [*ways.alone(), *ways.routed(), *ways.cooled()]]
    assert len(labels) == len(set(labels))
    assert {ways.DEFAULT.label, "base", "aligned", "aligned, T 1.3", "punc", "fc", "h, 1.5", "nudging, 0.4", "p, 0.2"} <= set(labels)
    assert not any(label.startswith("judge") for label in labels)


def test_models_and_routers_are_each_measured_at_several_temperatures() -> None:
    labels = {way.label for way in [*ways.alone(), *ways.routed(), *ways.cooled()]}
    for router in ("base", "aligned", "p-punc, 0.4", "p, 0.4", "nudging, 0.2", "rand, 0.5"):
        assert len([label for label in labels if label.startswith(f"{router}, T ")]) >= 2, router
    assert {"aligned, T 3, min-p 0.1", "base, min-p 0.1"} <= labels
    assert {ways.COOL_BASE.label, ways.COOL_DEFAULT.label} <= labels


def test_truncation_reaches_the_engine() -> None:
    class Noting(FakeEngine):
        def generate_batch(self, batch: list[Any], params: SamplingParams, router: Router) -> list[GenerationResult]:
            assert (params.temperature, params.min_p) == (3.0, 0.1)
            return super().generate_batch(batch, params, router)

    engine = Noting()
    bench({"a": [DRINK]}, engine).run(ways.Way(Router("aligned"), 3.0, 0.1))
    assert len(engine.asked) == 1


def test_two_distributions_are_compared_as_by_hand() -> None:
    base = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).log()
    aligned = torch.tensor([[0.2, 0.6, 0.2], [0.0, 0.1, 0.9]]).log()
    same_top, variation = agreement.compare(base, aligned)
    assert same_top.tolist() == [False, True]
    assert variation.tolist() == pytest.approx([0.3, 0.1])


def test_agreement_leaves_ends_out_and_tells_the_owners_apart() -> None:
    found = Positions(
        same_top=torch.tensor([True, True, False, False]),
        variation=torch.tensor([0.1, 0.3, 0.5, 0.9]),
        from_base=torch.tensor([True, False, False, False]),
        is_end=torch.tensor([False, False, False, True]),
    )
    alike = agreement.agreement([found], resamples([1]))
    assert alike.same_top_percent.value == pytest.approx(66.6667)
    assert (alike.variation.value, alike.variation_inside.value) == (0.45, 0.3)
    routed = agreement.routed([found], resamples([1]))
    assert (routed.at_base.value, routed.at_aligned.value, routed.at_aligned_inside.value) == pytest.approx((0.1, 0.5667, 0.4))


def test_padded_answers_are_read_as_they_would_be_alone(engine: Engine) -> None:
    prompt, answers = [5, 6, 7], [[8, 9], [10, 11, 12, 13], [14]]
    together = agreement.answer_logits(engine.pair, "aligned", prompt, answers)
    for answer, logits in zip(answers, together, strict=True):
        alone = engine.pair.aligned(torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-5)


def figure(value: float) -> Figure:
    return Figure(value, value - 0.5, value + 0.5)


def row(distinct: float, valid: float, joint: float, base: float) -> Row:
    return Row(figure(distinct), figure(valid), figure(joint), figure(base))


@pytest.fixture
def measured() -> Evaluation:
    """A pair that reaches everything."""
    rows = {
        "base": row(9.5, 55, 4, 100),
        "base, T 0.4": row(9, 60, 4.5, 100),
        "aligned": row(3, 98, 2.9, 0),
        "aligned, T 1.6": row(6, 60, 3.5, 0),
        "p-punc, 0.4": row(9, 92, 8, 30),
        "p-punc, 0.4, T 0.7": row(9, 95, 9, 30),
        "rand, 0.28": row(6, 80, 4.5, 30),
        "rand, 0.5": row(7, 70, 4.9, 50),
        "nudging, 0.4": row(4, 85, 3, 60),
    }
    shares = {"fact": figure(97), "context": figure(96), "tool": figure(99), "rewrite": figure(60)}
    return Evaluation(
        default="p-punc, 0.4",
        matched_rand="rand, 0.28",
        rows=rows,
        gains={label: figure(8 / each.joint.value) for label, each in rows.items()},
        best="p-punc, 0.4, T 0.7",
        best_gains={label: figure(9 / rows[label].joint.value) for label in ("base, T 0.4", "aligned, T 1.6", "nudging, 0.4", "rand, 0.5")},
        families={way: {"naming": rows[way], "a|b": rows[way]} for way in ("base", "aligned", "p-punc, 0.4")},
        right={"base": shares, "aligned": shares, "p-punc, 0.4": shares},
        kept={"base": shares, "p-punc, 0.4": shares},
        agreement=Agreement(figure(85), figure(0.3), figure(0.2)),
        routed={"p-punc, 0.4": Routed(figure(0.5), figure(0.3), figure(0.1))},
    )


def test_a_good_pair_passes_every_item(measured: Evaluation) -> None:
    judged = {each.item: each.passed for each in verdicts(measured)}
    reported = [item for item, passed in judged.items() if passed is None]
    assert reported == ["p-punc, 0.4 over base, both at temperature 1", "rewrite: p-punc, 0.4 of aligned"]
    assert all(passed is not False for passed in judged.values())
    assert len(judged) == 18 and best(measured.rows, "aligned") == "aligned, T 1.6"
    assert "p-punc, 0.4, T 0.7 over best base (base, T 0.4)" in judged


def test_an_item_out_of_its_bounds_fails_and_no_other(measured: Evaluation) -> None:
    worse = replace(
        measured,
        rows=measured.rows | {"aligned": row(4.5, 98, 2.9, 0)},
        best_gains=measured.best_gains | {"nudging, 0.4": figure(1.5)},
        agreement=replace(measured.agreement, same_top_percent=figure(96)),
    )
    assert [each.item for each in verdicts(worse) if each.passed is False] == [
        "aligned: distinct of 10",
        "p-punc, 0.4, T 0.7 over best nudging (nudging, 0.4)",
        "same top token along aligned answers",
    ]


def test_bounds_hold_at_equality_and_read_well() -> None:
    between = Verdict("x", figure(40), " %", at_least=40, at_most=80)
    assert between.passed and between.wanted == "40–80 %"
    assert Verdict("x", figure(4), at_most=4).passed and Verdict("x", figure(4), at_most=4).wanted == "≤ 4"
    assert Verdict("x", figure(1.6), "×", at_least=1.6).passed and Verdict("x", figure(1.59), "×", at_least=1.6).passed is False


def test_markdown_tables_have_as_many_cells_in_every_line(measured: Evaluation) -> None:
    for sheet in sheets(measured, verdicts(measured), prompts=2):
        lines = [line for line in markdown(sheet).splitlines() if line.startswith("|")]
        assert len(lines) == len(sheet.rows) + 2
        assert {line.replace("\\|", "").count("|") for line in lines} == {len(sheet.columns) + 1}


def test_the_terminal_shows_the_same_cells(measured: Evaluation) -> None:
    console = Console(width=200, record=True, file=SimpleNamespace(write=lambda text: None, flush=lambda: None))
    for sheet in sheets(measured, verdicts(measured), prompts=2):
        console.print(terminal(sheet))
    console.print(terminal(Sheet("title", ("a", "b"), [("[bold]x", "y")])))
    text = console.export_text()
    assert "p-punc, 0.4" in text and "pass" in text and "16 of 16 hold." in text and "█" in text
    assert "[bold]x" in text, "markup in a cell is shown as it is"


def test_the_report_keeps_its_other_keys(tmp_path: Path, measured: Evaluation) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"seed": 1, "evaluation": {"old": True}}))
    keep(path, asdict(measured))
    report = json.loads(path.read_text())
    assert report["seed"] == 1 and "old" not in report["evaluation"]
    assert report["evaluation"]["rows"]["base"]["distinct"] == {"value": 9.5, "low": 9.0, "high": 10.0}
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
