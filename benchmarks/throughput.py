"""Tokens per second of this engine beside transformers: `python benchmarks/throughput.py [--quick] [--output FILE]`.

Prints the conditions, tables, and as its last line one JSON object. Progress goes to standard error.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from rich.console import Console

from baco import Router, SamplingParams
from baco.models.loading import resolve_device
from benchmarks.agreement import measure_agreement
from benchmarks.copying_pair import copying_prompt, save_copying_pair
from benchmarks.measure import MEGABYTE, Measurement, Plan, Progress, measure
from benchmarks.methods import THRESHOLD
from benchmarks.random_pair import QUICK, SHAPES, Shape
from benchmarks.report import agreement_line, conditions, finish, measurement_table, open_console, progress_bar
from benchmarks.shared_prompt import measure_shared_prompt
from benchmarks.subjects import MAX_ROWS, Subject, embedded_subject, made_subject, quiet_transformers
from benchmarks.timing import peak_resident_bytes

AGES = ("older", "younger", "dear", "busy", "quiet", "clever", "cheerful", "favourite")
RELATIONS = ("sister", "aunt", "niece", "cousin", "friend", "mother", "daughter", "teacher")
WHO = [f"{age} {relation}" for relation, age in product(RELATIONS, AGES)]
"""Whom a prompt is about: prompts differ near their beginning, so that no method has read one before."""
PROMPT = (
    "My {who} is moving to a small house by the sea next month. She likes music, long walks and cooking for friends, and she has no "
    "room for anything large. Suggest a gift for her, and say in one sentence why she would like it."
)
PARTS = ("embedded", "random", "copying", "shared-prompt")
LEGEND = (
    "ttft: time to the first token; ms/token: of each row, after the first; passes: of both models, for each token of a row; kept: share "
    "of proposed tokens that were accepted; base: share of the base's tokens; MB: weights (on CUDA: the peak); x: times as fast"
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured."""

    embedded: Plan
    random: Plan
    copying: Plan
    shared_tokens: int
    shared_repeats: int
    agreement_rows: int
    agreement_tokens: int


FULL = Size(
    embedded=Plan(batches=(1, 8, 32), new_tokens=128, repeats=5),
    random=Plan(batches=(1, 8, 32), new_tokens=32, repeats=3),
    copying=Plan(batches=(1,), new_tokens=64, repeats=3),
    shared_tokens=64,
    shared_repeats=5,
    agreement_rows=8,
    agreement_tokens=32,
)
CUDA_TOKENS = 128
"""New tokens of the random pair on CUDA, which a CPU would take minutes for."""
SHORT = Size(
    embedded=Plan(batches=(1, 8), new_tokens=8, repeats=1),
    random=Plan(batches=(1, 8), new_tokens=8, repeats=1),
    copying=Plan(batches=(1,), new_tokens=16, repeats=1),
    shared_tokens=8,
    shared_repeats=1,
    agreement_rows=2,
    agreement_tokens=8,
)


@dataclass
class Run:
    """One run of the benchmark: on what, where it reports to, and what it has found."""

    size: Size
    device: str
    dtype: str
    compile: bool
    console: Console
    progress: Progress
    results: list[dict[str, Any]] = field(default_factory=list)
    agreement: list[dict[str, Any]] = field(default_factory=list)
    shared_prompt: list[dict[str, Any]] = field(default_factory=list)

    def time_methods(self, workload: str, subject: Subject, plan: Plan, prompts: Iterator[str]) -> None:
        """Time all methods on a pair."""
        found: list[Measurement] = measure(subject, plan, prompts, self.progress)
        self.console.print(measurement_table(workload, found))
        self.results += [{"workload": workload} | vars(measurement) for measurement in found]

    def compare_models(self, subject: Subject) -> None:
        """Measure how the two models differ along answers such as those that are timed."""
        self.progress(f"{subject.title}: how the two models differ")
        params = SamplingParams(n=self.size.agreement_rows, max_tokens=self.size.agreement_tokens, seed=0)
        router, prompts = Router("p-punc", threshold=THRESHOLD), [PROMPT.format(who=who) for who in WHO[-4:]]
        results = subject.engine.generate_batch(prompts, params, router, base_prompt="template")
        agreement = measure_agreement(results, subject.base, subject.aligned)
        self.console.print(f"{subject.title}: {agreement_line(agreement)}")
        self.agreement.append({"pair": subject.title} | vars(agreement))

    def share_prompt(self, subject: Subject, prompts: Iterator[str]) -> None:
        """Time n answers at once beside n calls."""
        size = self.size
        found = measure_shared_prompt(subject, prompts, self.progress, new_tokens=size.shared_tokens, repeats=size.shared_repeats)
        self.console.print(
            f"{found.pair}: {found.answers} answers to one prompt in one call take {found.together_s:.2f} s, as {found.answers} calls "
            f"{found.one_by_one_s:.2f} s: {found.times_one_by_one:.1f} times as fast"
        )
        self.shared_prompt.append(vars(found))


def main() -> None:
    """Measure everything and report it."""
    arguments = _arguments()
    facts = conditions(arguments.device) | {
        "sampling": "temperature 1, no truncation; no end token, so every answer has the same length",
        "routing": f"p-punc, threshold {THRESHOLD}; the two-model loop without word boundaries",
        "rows": "n answers to one prompt, written together; every repeat has a prompt of its own",
        "figures": "medians; the methods take turns within each repeat, after a warm-up",
        "engine's passes": "compiled" if arguments.compile else "not compiled",
    }
    console = open_console(facts)
    console.print(LEGEND)
    size = _size(arguments.quick, arguments.rows, arguments.tokens, resolve_device(arguments.device).type)
    shapes = {"quick": QUICK} if arguments.quick else {name: SHAPES[name] for name in arguments.shapes}
    with progress_bar(_steps(size, arguments.only, len(shapes))) as progress, quiet_transformers():
        run = Run(size, arguments.device, arguments.dtype, arguments.compile, console, progress)
        _measure_all(run, arguments.only, shapes)
    console.print(f"largest resident set of the process, with the models of all methods: {peak_resident_bytes() / MEGABYTE:,.0f} MB")
    document = {"benchmark": "throughput", "quick": arguments.quick, "conditions": facts}
    finish(document | {"agreement": run.agreement, "results": run.results, "shared_prompt": run.shared_prompt}, arguments.output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="small sizes and one repeat: shows that it works, not how fast it is")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="NAME", help=f"parts to run: {', '.join(PARTS)}")
    parser.add_argument(
        "--rows", nargs="+", type=int, choices=range(1, MAX_ROWS + 1), metavar="N", help="batch sizes, in place of 1, 8 and 32"
    )
    parser.add_argument("--tokens", type=int, metavar="N", help="new tokens of the random pair's answers (default: 32, on CUDA 128)")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16", help="of the pairs with made-up weights")
    parser.add_argument("--compile", action="store_true", help="compile the engine's passes; the other methods stay as they are")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["0.5b"], help="sizes of the pairs with made-up weights")
    return parser.parse_args()


def _size(quick: bool, rows: Sequence[int] | None, tokens: int | None, device: str) -> Size:
    """How much is measured, with other sizes where the caller names some; a copying pair always writes one row."""
    size = SHORT if quick else FULL
    tokens = tokens or (CUDA_TOKENS if device == "cuda" and not quick else size.random.new_tokens)
    size = replace(size, random=replace(size.random, new_tokens=tokens))
    if rows is None:
        return size
    batches = tuple(rows)
    return replace(size, embedded=replace(size.embedded, batches=batches), random=replace(size.random, batches=batches))


def _steps(size: Size, only: Sequence[str], shapes: int) -> int:
    """How often the bar goes on."""
    steps = {
        "embedded": size.embedded.runs + 1,
        "random": shapes * (size.random.runs + 2),
        "copying": shapes * (size.copying.runs + 1),
        "shared-prompt": 2 * (size.shared_repeats + 1),
    }
    return sum(steps[part] for part in only)


def _measure_all(run: Run, only: Sequence[str], shapes: Mapping[str, Shape]) -> None:
    """Run the parts. Each holds its pair alone and lets go of it at its end, so that only one is in memory."""
    if "embedded" in only or "shared-prompt" in only:
        _on_embedded(run, only)
    for name, shape in shapes.items():
        if "random" in only:
            _on_random(run, name, shape)
        if "copying" in only:
            _on_copying(run, name, shape)


def _on_embedded(run: Run, only: Sequence[str]) -> None:
    with embedded_subject(run.device, run.compile) as subject:
        prompts = (PROMPT.format(who=who) for who in WHO)
        if "embedded" in only:
            run.time_methods("answering", subject, run.size.embedded, prompts)
            run.compare_models(subject)
        if "shared-prompt" in only:
            run.share_prompt(subject, prompts)


def _on_random(run: Run, name: str, shape: Shape) -> None:
    run.progress(f"making a random pair of shape {name}")
    with made_subject(f"random {name}", shape, run.device, run.dtype, compile=run.compile) as subject:
        run.time_methods("answering", subject, run.size.random, (PROMPT.format(who=who) for who in WHO))
        run.compare_models(subject)


def _on_copying(run: Run, name: str, shape: Shape) -> None:
    run.progress(f"making a copying pair of shape {name}")
    with made_subject(f"copying {name}", shape, run.device, run.dtype, save_copying_pair, compile=run.compile) as subject:
        run.time_methods("copying", subject, run.size.copying, (copying_prompt(who) for who in WHO))


if __name__ == "__main__":
    main()
