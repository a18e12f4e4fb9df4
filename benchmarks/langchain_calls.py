"""LangChain's calls on the embedded pair: `python benchmarks/langchain_calls.py [--quick] [--structured] [--output FILE]`.

Times `batch`, threads, tasks and `n` answers beside the same calls of `ChatBaco` one after another, and checks that the texts are the same.
With `--structured` it also asks for 1,000 structured outputs and checks each. Prints tables, and as its last line one JSON object.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from baco.routing.calibration import PROMPTS
from benchmarks.agents import TURNS
from benchmarks.measure import Progress
from benchmarks.report import conditions, finish, new_table, number, open_console, progress_bar
from benchmarks.schemas import SCHEMAS
from benchmarks.structured_outputs import Outputs, budgets, measure_outputs, total
from benchmarks.subjects import quiet_transformers
from benchmarks.together import MAX_TOKENS, Comparison, Size, compare, fresh_model, works

FULL = Size(prompts=32, agents=32, answers=8, asked=4, repeats=3)
QUICK = Size(prompts=3, agents=2, answers=2, asked=1, repeats=1)
OUTPUTS, QUICK_OUTPUTS, QUICK_SCHEMAS = 10, 1, 1
"""Outputs of a schema at each of its budgets; schemas of a quick run."""
SHOWN = 3
"""Complaints that are printed for a schema; the JSON line has them all."""


def main() -> None:
    """Measure and report."""
    arguments = _arguments()
    size = QUICK if arguments.quick else FULL
    names = list(SCHEMAS)[: (QUICK_SCHEMAS if arguments.quick else len(SCHEMAS)) if arguments.structured else 0]
    facts = conditions(arguments.device) | {
        "pair": "embedded, float32",
        "work": f"{size.prompts} prompts; {size.agents} agents of {TURNS} calls; answers of at most {MAX_TOKENS} tokens",
    }
    console = open_console(facts)
    with progress_bar(size.repeats * len(works(size)) + len(budgets(1)) * len(names)) as progress, quiet_transformers():
        comparisons = compare(size, arguments.device, progress)
        outputs = _structured(names, QUICK_OUTPUTS if arguments.quick else OUTPUTS, arguments.device, progress)
    console.print(comparison_table(comparisons))
    if outputs:
        show_outputs(console, outputs)
    document = {"benchmark": "langchain", "quick": arguments.quick, "conditions": facts, "results": comparisons, "structured": outputs}
    finish(document, arguments.output)


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Lay out what calls made together take."""
    headings = ("together", "one by one", "calls", "tokens", "one by one s", "together s", "times as fast", "equal")
    table = new_table(f"ChatBaco: calls together, medians of {comparisons[0].repeats} repeats", *headings, left=headings[:2])
    for done, one in enumerate(comparisons, 1):
        cells = [str(one.calls), str(one.tokens), f"{one.one_by_one_s:.2f}", f"{one.together_s:.2f}", f"{one.times_one_by_one:.1f}"]
        last = done == len(comparisons) or comparisons[done].work != one.work
        table.add_row(one.together, one.one_by_one, *cells, f"{one.equal} of {one.compared}", end_section=last)
    return table


def show_outputs(console: Console, outputs: Sequence[Outputs]) -> None:
    """Print what became of structured outputs, and why the invalid ones are."""
    headings = ("schema", "valid", "refused", "invalid", "stop", "length", "shortest", "seen", "tokens", "base", "outside", "s")
    title = f"{sum(one.outputs for one in outputs):,} structured outputs: without room refused, with room valid"
    table = new_table(title, *headings, left=["schema"])
    for one in (*outputs, total(outputs)):
        counts = [one.valid, one.refused, one.invalid, one.stopped, one.filled]
        lengths = [number(one.shortest, "d"), number(one.fewest_tokens, "d"), f"{one.tokens:,}"]
        shares = [number(one.base_share, ".0%"), str(one.base_outside), f"{one.seconds:.0f}"]
        table.add_row(one.schema, *map(str, counts), *lengths, *shares, end_section=one is outputs[-1])
    console.print(table)
    for one in outputs:
        for complaint in one.complaints[:SHOWN]:
            console.print(f"[bold]{one.schema}[/]: {escape(complaint)}", soft_wrap=True)


def _structured(names: Sequence[str], prompts: int, device: str, progress: Progress) -> list[Outputs]:
    return measure_outputs(fresh_model(device), {name: SCHEMAS[name] for name in names}, PROMPTS[:prompts], progress)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a few calls: shows that it works, not how fast it is")
    parser.add_argument("--structured", action="store_true", help="also 1,000 structured outputs over 20 schemas")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser.parse_args()


if __name__ == "__main__":
    main()
