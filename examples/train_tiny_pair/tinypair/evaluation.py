"""What a pair can do, measured on held-out prompts: variety and validity, right answers, agreement.

The engine's noise depends on a request's seed and on the number of the answer, not on the prompt. So prompts are answered in batches of
one of each family, and every batch has a seed of its own: prompts of one family are independent, prompts of one batch are of different
families. All ways of decoding use the same seeds, so comparisons between them are paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from baco import Engine, GenerationResult, Router, SamplingParams
from tinypair import agreement, scoring, ways
from tinypair.agreement import Agreement, Routed
from tinypair.scoring import Counts, Figure, Row, base_share, count, resamples
from tinypair.task import Task
from tinypair.ways import ALIGNED, BASE, COOL_BASE, COOL_DEFAULT, DEFAULT, Way

ANSWERS = 10
OPEN_MAX_TOKENS = 80
CLOSED_MAX_TOKENS = 100
RIVALS = ("base", "aligned", "nudging", "rand")
"""Routers that the default router is compared with, each at its best settings."""
MATCHES = 3
"""How often the coin's threshold is corrected."""
MATCHED = 0.01
"""How near the coin's share of base tokens must come to the default's."""

Tasks = Mapping[str, Sequence[Task]]
"""Prompts by family, of each equally many."""
Answers = dict[str, list[GenerationResult]]
Tell = Callable[[str], None]
"""Is told what is measured next."""


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured; ways of decoding are named by their labels."""

    default: str
    """The default router."""
    matched_rand: str
    """The coin with the default's share of base tokens."""
    rows: dict[str, Row]
    """Open families together, by way."""
    gains: dict[str, Figure]
    """By way: how many times as many different valid answers the default gives."""
    best: str
    """The default router at the settings, of those measured, at which it gives most different valid answers."""
    best_gains: dict[str, Figure]
    """The same over the best way of each rival router, by that way."""
    families: dict[str, dict[str, Row]]
    """Each open family, by way."""
    right: dict[str, dict[str, Figure]]
    """Percentage of right answers in each closed family, by way."""
    kept: dict[str, dict[str, Figure]]
    """The same, as a percentage of the aligned model's."""
    agreement: Agreement
    routed: dict[str, Routed]


@dataclass(frozen=True)
class Bench:
    """An engine and prompts that every way answers under the same seeds."""

    engine: Engine
    tasks: Tasks
    max_tokens: int
    seed: int
    tell: Tell
    answers: int = ANSWERS

    @cached_property
    def picks(self) -> Tensor:
        """The prompts' resamples."""
        return resamples([len(group) for group in self.tasks.values()])

    def run(self, way: Way) -> Answers:
        """Answer every prompt."""
        self.tell(way.label)
        answers: Answers = {family: [] for family in self.tasks}
        for number, batch in enumerate(zip(*self.tasks.values(), strict=True)):
            params = SamplingParams(
                n=self.answers,
                max_tokens=self.max_tokens,
                temperature=way.temperature,
                min_p=way.min_p,
                seed=1000 * self.seed + number,
            )
            for family, result in zip(answers, generate(self.engine, batch, params, way.router), strict=True):
                answers[family].append(result)
        return answers

    def count(self, answers: Answers) -> dict[str, list[Counts]]:
        """Count what the oracle says, prompt by prompt."""
        return {
            family: [count(task, result) for task, result in zip(tasks, answers[family], strict=True)]
            for family, tasks in self.tasks.items()
        }


def generate(engine: Engine, tasks: Sequence[Task], params: SamplingParams, router: Router) -> list[GenerationResult]:
    """Answer prompts, those without tools together; results come in the order of the tasks."""
    plain = [task for task in tasks if not task.tools]
    together = iter(engine.generate_batch([task.messages() for task in plain], params, router) if plain else [])
    return [_with_tools(engine, task, params, router) if task.tools else next(together) for task in tasks]


def _with_tools(engine: Engine, task: Task, params: SamplingParams, router: Router) -> GenerationResult:
    return engine.generate(task.messages(), params, router, tools=task.tools)


def flat(groups: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Line up what belongs to prompts, family by family."""
    return [each for group in groups.values() for each in group]


def match_rand(bench: Bench, share: float) -> tuple[str, dict[str, list[Counts]]]:
    """Measure the coin at a few thresholds, and where it gives the base the wanted share; return that label, and counts by label."""
    counts: dict[str, list[Counts]] = {}
    shares: dict[float, float] = {}

    def measure(threshold: float) -> None:
        way = ways.rand(threshold)
        counts[way.label] = flat(bench.count(bench.run(way)))
        shares[threshold] = base_share(counts[way.label])

    for threshold in ways.RAND_THRESHOLDS:
        measure(threshold)
    for _ in range(MATCHES):
        wanted = ways.threshold_for(share, shares)
        if wanted in shares or min(abs(reached - share) for reached in shares.values()) <= MATCHED:
            break
        measure(wanted)
    nearest = min(shares, key=lambda threshold: abs(shares[threshold] - share))
    return ways.rand(nearest).label, counts


def measure_closed(bench: Bench) -> tuple[dict[str, dict[str, Figure]], dict[str, dict[str, Figure]]]:
    """Measure what has one right answer: percentages by way and family, and the same relative to the aligned model."""
    counts = {way.label: bench.count(bench.run(way)) for way in ways.closed()}
    picks = {family: resamples([len(tasks)]) for family, tasks in bench.tasks.items()}
    right = {way: {family: scoring.right(group, picks[family]) for family, group in by.items()} for way, by in counts.items()}
    aligned = counts[ALIGNED.label]
    kept = {
        way: {family: scoring.kept(group, aligned[family], picks[family]) for family, group in by.items()}
        for way, by in counts.items()
        if way != ALIGNED.label
    }
    return right, kept


def by_family(counts: Mapping[str, Sequence[Counts]]) -> dict[str, Row]:
    """Score each family for itself."""
    return {family: scoring.score(group, resamples([len(group)])) for family, group in counts.items()}


def evaluate(engine: Engine, open_tasks: Tasks, closed_tasks: Tasks, seed: int, tell: Tell) -> Evaluation:
    """Measure everything."""
    bench = Bench(engine, open_tasks, OPEN_MAX_TOKENS, seed, tell)
    looked_into = {way.label for way in (ALIGNED, *ways.compared())}
    texts: dict[str, Answers] = {}
    groups: dict[str, dict[str, list[Counts]]] = {}
    for way in [*ways.alone(), *ways.routed(), *ways.cooled()]:
        answers = bench.run(way)
        groups[way.label] = bench.count(answers)
        if way.label in looked_into:
            texts[way.label] = answers
    counts = {label: flat(group) for label, group in groups.items()}
    default = counts[DEFAULT.label]
    matched, coins = match_rand(bench, base_share(default))
    counts |= coins
    rows = {label: scoring.score(each, bench.picks) for label, each in counts.items()}
    best = scoring.best(rows, DEFAULT.router.name)
    right, kept = measure_closed(Bench(engine, closed_tasks, CLOSED_MAX_TOKENS, seed, tell))
    alike, routed = look_into(bench, texts)
    return Evaluation(
        default=DEFAULT.label,
        matched_rand=matched,
        rows=rows,
        gains={label: scoring.gain(default, each, bench.picks) for label, each in counts.items()},
        best=best,
        best_gains={
            label: scoring.gain(counts[best], counts[label], bench.picks) for label in (scoring.best(rows, name) for name in RIVALS)
        },
        families={way.label: by_family(groups[way.label]) for way in (BASE, COOL_BASE, ALIGNED, DEFAULT, COOL_DEFAULT)},
        right=right,
        kept=kept,
        agreement=alike,
        routed=routed,
    )


def look_into(bench: Bench, texts: Mapping[str, Answers]) -> tuple[Agreement, dict[str, Routed]]:
    """Compare the models along the aligned model's answers, and along those of the routers on the base's largest probability."""
    bench.tell("agreement")
    # The default's results hold the prompts as both models read them; the aligned model's hold only its own.
    prompts = flat(texts[DEFAULT.label])
    found = {label: agreement.read_all(bench.engine.pair, prompts, flat(answers)) for label, answers in texts.items()}
    routed = {way.label: agreement.routed(found[way.label], bench.picks) for way in ways.compared()}
    return agreement.agreement(found[ALIGNED.label], bench.picks), routed


def step_count() -> int:
    """Give how many times `Tell` is called at most, for a progress bar."""
    coins = len(ways.RAND_THRESHOLDS) + MATCHES
    return len(ways.alone()) + len(ways.routed()) + len(ways.cooled()) + coins + len(ways.closed()) + 1
