"""How a benchmark speaks: its conditions, tables of a fixed width, and one JSON object as the last line.

Knows figures; knows nothing of how they are taken.
"""

import json
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from benchmarks.agreement import Agreement
from benchmarks.measure import Measurement, Progress

WIDTH = 110

Facts = Mapping[str, str | int]


def conditions(device: str) -> dict[str, str | int]:
    """Say on what, and with what, figures were taken."""
    return {
        "processor": _processor(),
        "bfloat16": _bfloat16(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if device.startswith(("auto", "cuda")) and torch.cuda.is_available() else "none",
        "software": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("torch", "transformers", "baco"))]
        ),
    }


def open_console(facts: Facts) -> Console:
    """Make a console that is wide enough for the tables, and print the conditions on it."""
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    for name, value in facts.items():
        console.print(f"[bold]{name}[/]: {value}", soft_wrap=True)
    return console


@contextmanager
def progress_bar(total: int) -> Iterator[Progress]:
    """Show a bar on standard error, which goes on by one step whenever it is told what is done next."""
    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("loading", total=total)
        yield lambda text: bar.update(task, advance=1, description=text)


def new_table(title: str, *headings: str, left: Sequence[str] = ()) -> Table:
    """Begin a table; all columns but those named in `left` are aligned to the right."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table


def measurement_table(name: str, mine: Sequence[Measurement]) -> Table:
    """Lay out one pair's measurements."""
    first = mine[0]
    title = f"{name}: {first.pair}; prompt {first.prompt_tokens} tokens, {first.new_tokens} new, {first.repeats} repeats"
    headings = ["rows", "method", "tokens/s", "ttft ms", "ms/token", "passes", "kept", "base", "MB", "x loop", "x gen"]
    on_cuda = any(m.bandwidth_share is not None for m in mine)
    table = new_table(title, *headings, *["of bw"] * on_cuda, left=["method"])
    for done, m in enumerate(mine, 1):
        cells = [str(m.batch), m.method, f"{m.tokens_per_second:.1f}", f"{m.ttft_ms:.1f}", f"{m.tpot_ms:.2f}"]
        cells += [number(m.passes_per_token, ".2f"), number(m.acceptance, ".0%"), number(m.base_share, ".0%")]
        cells += [f"{m.device_peak_mb or m.weights_mb:,.0f}", f"{m.times_loop:.2f}", f"{m.times_generate:.2f}"]
        cells += [number(m.bandwidth_share, ".0%")] * on_cuda
        table.add_row(*cells, end_section=done == len(mine) or mine[done].batch != m.batch)
    return table


def agreement_line(agreement: Agreement) -> str:
    """Say how the two models differ along answers."""
    apart = f"{number(agreement.tv_base, '.2f')} where the base wrote and {number(agreement.tv_aligned, '.2f')} elsewhere"
    alike = f"same top token {agreement.top1:.0%}; base {agreement.base_share:.0%}"
    return f"along {agreement.tokens} tokens, total variation {apart}; {alike}"


def finish(document: Mapping[str, Any], output: Path | None) -> None:
    """Print a benchmark's figures as one line of JSON, and write it to a file where one is named."""
    line = json.dumps(_plain(document), allow_nan=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(line + "\n")
    print(line)


def _plain(value: Any) -> Any:
    """Turn figures into what JSON has: objects into dictionaries, floats to four significant places after the point, nan into null."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return _plain(vars(value)) if hasattr(value, "__dict__") else value


def number(value: float | None, form: str) -> str:
    """Format a figure; what was not measured is a dash."""
    return "-" if value is None or math.isnan(value) else format(value, form)


def _processor() -> str:
    """Name of the processor, where the system tells it."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _bfloat16() -> str:
    """Whether the processor multiplies bfloat16 itself, which decides what a pass of several tokens costs in it."""
    words = set(_cpuinfo().split())
    if not words:
        return "unknown"
    return next((f"native ({flag})" for flag in ("amx_bf16", "avx512_bf16", "bf16") if flag in words), "not native: computed in float32")


def _cpuinfo() -> str:
    """What Linux says of the processor; nothing elsewhere."""
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.is_file() else ""
