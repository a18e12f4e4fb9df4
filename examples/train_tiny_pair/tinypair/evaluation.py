"""What the pair can do, measured on held-out prompts: variety, validity, facts, copying, agreement."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from baco import Engine, GenerationResult, Router, SamplingParams
from tinypair.check import distinct, distinct_and_valid, is_valid
from tinypair.families import FAMILIES, OPEN_FAMILIES, held_out
from tinypair.families.context import context_task
from tinypair.task import Task

PROMPTS_PER_FAMILY = 5
ANSWERS = 10
MAX_TOKENS = 80
ROUTERS = {
    "aligned": Router("aligned"),
    "base": Router("base"),
    "p, 0.3": Router("p", threshold=0.3),
    "p, 0.4": Router("p", threshold=0.4),
    "p, 0.5": Router("p", threshold=0.5),
}


@dataclass(frozen=True)
class Row:
    """One line of a table: means over prompts, of ``ANSWERS`` answers each."""

    distinct: float
    valid_percent: float
    distinct_and_valid: float
    base_percent: float


def open_tasks(seed: int) -> dict[str, list[Task]]:
    """Draw held-out prompts of every open family."""
    rng = random.Random(seed)
    tasks: dict[str, list[Task]] = {}
    for name in OPEN_FAMILIES:
        chosen: dict[str, Task] = {}
        while len(chosen) < PROMPTS_PER_FAMILY:
            task = FAMILIES[name][0](rng)
            if held_out(task):
                chosen[task.prompt] = task
        tasks[name] = list(chosen.values())
    return tasks


def closed_tasks(seed: int, wanted: str, count: int = 25) -> list[Task]:
    """Draw facts, or questions over made-up passages that are in no training text."""
    rng = random.Random(seed)
    draw: Callable[[random.Random], Task] = FAMILIES["fact"][0] if wanted == "fact" else context_task
    tasks: list[Task] = []
    while len(tasks) < count:
        task = draw(rng)
        if task.family == wanted:
            tasks.append(task)
    return tasks


def generate(engine: Engine, tasks: list[Task], router: Router, seed: int) -> list[GenerationResult]:
    """Answer every task ``ANSWERS`` times at temperature 1, each task with a seed of its own."""
    results = []
    for number, task in enumerate(tasks):
        params = SamplingParams(n=ANSWERS, max_tokens=MAX_TOKENS, seed=1000 * seed + number)
        results.append(engine.generate(_messages(task), params, router))
    return results


def _messages(task: Task) -> list[dict[str, str]]:
    """Give a task as messages."""
    system = [{"role": "system", "content": task.system}] if task.system else []
    return [*system, {"role": "user", "content": task.prompt}]


def score(tasks: list[Task], results: list[GenerationResult]) -> Row:
    """Average what the oracle says over the answers of all tasks."""
    texts = [[candidate.text for candidate in result.candidates] for result in results]
    pairs = list(zip(tasks, texts, strict=True))
    answers = sum(len(group) for group in texts)
    return Row(
        distinct=round(sum(distinct(group) for group in texts) / len(tasks), 2),
        valid_percent=round(100 * sum(is_valid(task, text) for task, group in pairs for text in group) / answers, 1),
        distinct_and_valid=round(sum(distinct_and_valid(task, group) for task, group in pairs) / len(tasks), 2),
        base_percent=round(100 * sum(r.usage.base_tokens for r in results) / sum(r.usage.completion_tokens for r in results), 1),
    )


@torch.inference_mode()
def agreement(engine: Engine, results: list[GenerationResult]) -> float:
    """Give the share of positions, over aligned answers, at which both models' top token is the same (ends left out)."""
    same = total = 0
    for result in results:
        for candidate in result.candidates[:3]:
            answer = candidate.token_ids[:-1]
            if not answer:
                continue
            tops = [
                engine.pair.model(which)(torch.tensor([ids + answer])).logits[0, -len(answer) - 1 : -1].argmax(-1)
                for which, ids in result.prompt_token_ids.items()
            ]
            same += int((tops[0] == tops[1]).sum())
            total += len(answer)
    return round(100 * same / total, 1)


def evaluate(engine: Engine, seed: int) -> dict[str, object]:
    """Measure the whole table: open families under every router, and what has one right answer."""
    families = open_tasks(seed)
    tasks = [task for group in families.values() for task in group]
    overall, by_family = {}, {}
    for name, router in ROUTERS.items():
        results = generate(engine, tasks, router, seed)
        overall[name] = asdict(score(tasks, results))
        starts = range(0, len(tasks), PROMPTS_PER_FAMILY)
        groups = [(tasks[i : i + PROMPTS_PER_FAMILY], results[i : i + PROMPTS_PER_FAMILY]) for i in starts]
        by_family[name] = {family: asdict(score(*group)) for family, group in zip(families, groups, strict=True)}
    closed = {
        wanted: {name: asdict(score(drawn, generate(engine, drawn, router, seed))) for name, router in ROUTERS.items()}
        for wanted in ("fact", "context", "context-open")
        for drawn in [closed_tasks(seed, wanted)]
    }
    aligned = generate(engine, tasks, Router("p", threshold=0.0), seed)
    return {
        "answers": ANSWERS,
        "prompts": len(tasks),
        "open_families": overall,
        "by_family": by_family,
        **closed,
        "top1_agreement_percent": agreement(engine, aligned),
    }
