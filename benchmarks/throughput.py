"""Tokens per second of this engine beside transformers: `python benchmarks/throughput.py [--quick] [--output FILE]`.

Prints the conditions, a table, and as its last line one JSON object. Progress goes to standard error.
"""

import argparse
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from baco import Engine, ModelPair
from baco.prompts import build_prompt
from benchmarks.methods import METHODS, THRESHOLD, Timing, Work, endless
from benchmarks.random_pair import QUARTER, QWEN2_0_5B, build_random_pair, parameters

PROMPT = (
    "My sister is moving to a small house by the sea next month. She likes music, long walks and cooking for friends, and she has no "
    "room for anything large. Suggest a gift for her, and say in one sentence why she would like it."
)
WARM_UP_TOKENS = 4
TABLE_WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured on one pair."""

    batches: tuple[int, ...]
    new_tokens: int
    repeats: int


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Medians over the repeats of one method at one batch size."""

    pair: str
    method: str
    batch: int
    prompt_tokens: int
    new_tokens: int
    repeats: int
    tokens_per_second: float
    """New tokens of all rows over the wall-clock time of the whole call."""
    ttft_ms: float
    """From the call to the first token."""
    tpot_ms: float
    """Time per token of a row, after the first."""
    base_share: float | None


def main() -> None:
    """Measure everything and report it."""
    arguments = _arguments()
    console = Console(highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    facts = conditions(arguments.device)
    for name, value in facts.items():
        console.print(f"[bold]{name}[/]: {value}", soft_wrap=True)
    console.print(
        "ttft: time to the first token; ms/token: of each row, after the first; base: share of the base model's tokens; x: times as fast"
    )
    measurements: list[Measurement] = []
    for of_pair in _measure_all(arguments.quick, arguments.device):
        console.print(_table(of_pair))
        measurements += of_pair
    line = json.dumps({"benchmark": "throughput", "conditions": facts, "results": [_as_json(m) for m in measurements]})
    if arguments.output is not None:
        arguments.output.write_text(line + "\n")
    print(line)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes and one repeat: shows that it works, not how fast it is")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser.parse_args()


def conditions(device: str) -> dict[str, str | int]:
    """Say on what, with what and how the figures were taken."""
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if device in ("auto", "cuda") and torch.cuda.is_available() else "none",
        "software": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("torch", "transformers", "baco"))]
        ),
        "sampling": "temperature 1, no truncation; no end token, so every answer has the same length",
        "routing": f"p-punc, threshold {THRESHOLD}; the two-model loop without word boundaries",
        "batch": "n answers to one prompt, written together",
        "figures": "medians; the methods take turns within each repeat, after a warm-up",
    }


def _measure_all(quick: bool, device: str) -> Iterator[list[Measurement]]:
    """Measure pair by pair."""
    plans = {
        "embedded": Plan(batches=(1, 8), new_tokens=16, repeats=1) if quick else Plan(batches=(1, 8, 32), new_tokens=128, repeats=5),
        "random": Plan(batches=(1, 8), new_tokens=8, repeats=1) if quick else Plan(batches=(1, 8, 32), new_tokens=32, repeats=3),
    }
    with Progress(console=Console(stderr=True), transient=True) as progress:
        runs = sum(len(plan.batches) * (plan.repeats + 1) * len(METHODS) for plan in plans.values())
        bar = progress.add_task("loading the embedded pair", total=runs)
        yield _measure(ModelPair.from_pretrained(device=device), plans["embedded"], progress, bar)
        progress.update(bar, description="building a pair with random weights")
        yield _measure(build_random_pair(QUARTER if quick else QWEN2_0_5B, device), plans["random"], progress, bar)


def _measure(pair: ModelPair, plan: Plan, progress: Progress, bar: TaskID) -> list[Measurement]:
    pair = endless(pair)
    engine = Engine(pair, max_batch_size=max(plan.batches))
    encoded = build_prompt(pair, PROMPT, models=["aligned"], base_prompt="template", max_model_len=engine.max_model_len)
    name = f"{pair.name}, 2 x {parameters(pair.aligned) / 1e6:.0f} M, {str(pair.dtype).removeprefix('torch.')}"
    measurements = []
    for rows in plan.batches:
        timings: dict[str, list[Timing]] = {method: [] for method in METHODS}
        for repeat in range(plan.repeats + 1):
            new_tokens = plan.new_tokens if repeat else WARM_UP_TOKENS
            work = Work(prompt=PROMPT, token_ids=encoded.token_ids["aligned"], rows=rows, new_tokens=new_tokens)
            for method, run in METHODS.items():
                progress.update(bar, description=f"{name}: batch {rows}, {method}")
                timing = run(engine, work)
                progress.advance(bar)
                if repeat:
                    timings[method].append(timing)
        measurements += [_summarise(name, method, work, runs) for method, runs in timings.items()]
    return measurements


def _summarise(pair: str, method: str, work: Work, runs: list[Timing]) -> Measurement:
    return Measurement(
        pair=pair,
        method=method,
        batch=work.rows,
        prompt_tokens=len(work.token_ids),
        new_tokens=work.new_tokens,
        repeats=len(runs),
        tokens_per_second=median(run.tokens / run.total for run in runs),
        ttft_ms=median(run.ttft * 1000 for run in runs),
        tpot_ms=median((run.total - run.ttft) / (work.new_tokens - 1) * 1000 for run in runs),
        base_share=runs[0].base_share,
    )


def _table(mine: list[Measurement]) -> Table:
    """Lay out one pair's measurements."""
    first = mine[0]
    title = f"{first.pair}: prompt {first.prompt_tokens} tokens, {first.new_tokens} new, {first.repeats} repeats"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for heading in ("batch", "method", "tokens/s", "ttft ms", "ms/token", "base", "x loop", "x generate"):
        table.add_column(heading, justify="left" if heading == "method" else "right", no_wrap=True)
    last = list(METHODS)[-1]
    for m in mine:
        table.add_row(str(m.batch), m.method, *_cells(m, mine), end_section=m.method == last)
    return table


def _cells(m: Measurement, mine: list[Measurement]) -> list[str]:
    speed = {other.method: other.tokens_per_second for other in mine if other.batch == m.batch}
    _, loop, generate = METHODS
    share = "-" if m.base_share is None else f"{m.base_share:.0%}"
    ratios = [f"{m.tokens_per_second / speed[other]:.2f}" for other in (loop, generate)]
    return [f"{m.tokens_per_second:.1f}", f"{m.ttft_ms:.1f}", f"{m.tpot_ms:.2f}", share, *ratios]


def _as_json(measurement: Measurement) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(measurement).items()}


def _processor() -> str:
    """Name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
