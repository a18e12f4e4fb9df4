"""Measure a trained pair on held-out prompts, print the tables, and keep them in its report.

Run ``python examples/train_tiny_pair/evaluate.py --pair FOLDER``. It needs `baco` itself, and half an hour; ``--quick`` needs two minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from baco import Engine, ModelPair
from tinypair.evaluation import ANSWERS, CLOSED_MAX_TOKENS, OPEN_MAX_TOKENS, Evaluation, evaluate, step_count
from tinypair.families import CLOSED_FAMILIES, OPEN_FAMILIES, held_out_tasks
from tinypair.scoring import RESAMPLES
from tinypair.tables import markdown, sheets, terminal
from tinypair.task import Task
from tinypair.verdicts import Verdict, verdicts

QUICK_PROMPTS = 3
ROWS = 96
"""Answers decoded together: a batch is one prompt of each family, 10 answers each."""


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Evaluate the embedded base/aligned pair.")
    parser.add_argument("--pair", type=Path, required=True, help="folder with base/ and aligned/")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prompts", type=int, default=40, help="held-out prompts of each family")
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK_PROMPTS} prompts of each family")
    parser.add_argument("--markdown", action="store_true", help="print the tables as markdown")
    parser.add_argument("--quantization", choices=("int8", "int4"), help="measure the pair with its weights kept like this; writes nothing")
    parser.add_argument("--no-write", action="store_true", help="leave report.json as it is")
    return parser.parse_args()


def main() -> None:
    """Evaluate, print the tables, and write what was measured into report.json beside the weights."""
    arguments = parse_arguments()
    # Models of this size fit a core's caches: a second thread waits more than it works.
    torch.set_num_threads(1)
    base, aligned = (str(arguments.pair / which) for which in ("base", "aligned"))
    pair = ModelPair.from_pretrained(base=base, aligned=aligned, quantization=arguments.quantization)
    prompts = QUICK_PROMPTS if arguments.quick else arguments.prompts
    started = time.monotonic()
    measured = measure(Engine(pair, max_batch_size=ROWS), prompts, arguments.seed)
    judged = verdicts(measured)
    if not arguments.no_write and arguments.quantization is None:
        facts = settings(pair, prompts, arguments.seed) | {"seconds": round(time.monotonic() - started, 1)}
        keep(arguments.pair / "report.json", as_json(measured, judged) | facts)
    console = Console()
    for sheet in sheets(measured, judged, prompts):
        if arguments.markdown:
            print(markdown(sheet))
        else:
            console.print(terminal(sheet), "")


def measure(engine: Engine, prompts: int, seed: int) -> Evaluation:
    """Draw the prompts and measure, with a progress bar on standard error."""
    open_tasks, closed_tasks = draw(OPEN_FAMILIES, prompts, seed), draw(CLOSED_FAMILIES, prompts, seed)
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("", total=step_count(), completed=-1)
        measured = evaluate(
            engine, open_tasks, closed_tasks, seed, lambda what: progress.update(bar, description=what, advance=1, refresh=True)
        )
        progress.update(bar, description="done", total=1, completed=1)
    return measured


def draw(families: tuple[str, ...], prompts: int, seed: int) -> dict[str, list[Task]]:
    """Draw held-out prompts of each family."""
    return {family: held_out_tasks(family, prompts, seed) for family in families}


def settings(pair: ModelPair, prompts: int, seed: int) -> dict[str, Any]:
    """Say how it was measured."""
    return {
        "settings": {
            "seed": seed,
            "prompts_per_family": prompts,
            "answers": ANSWERS,
            "open_max_tokens": OPEN_MAX_TOKENS,
            "closed_max_tokens": CLOSED_MAX_TOKENS,
            "resamples": RESAMPLES,
            "dtype": str(pair.dtype).removeprefix("torch."),
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("baco", "torch", "transformers")}},
    }


def as_json(measured: Evaluation, judged: list[Verdict]) -> dict[str, Any]:
    """Give everything that was measured as it is kept in the report."""
    return {"verdicts": [each.as_json() for each in judged], **asdict(measured)}


def keep(path: Path, evaluation: dict[str, Any]) -> None:
    """Put the evaluation into the report and leave the rest of it; the file is replaced whole or not at all."""
    report = json.loads(path.read_text()) if path.exists() else {}
    new = path.with_suffix(".json.new")
    new.write_text(json.dumps({**report, "evaluation": evaluation}, indent=2) + "\n")
    os.replace(new, path)


if __name__ == "__main__":
    main()
