"""The evaluation as tables: for a terminal, and as markdown for a model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich import box
from rich.markup import escape
from rich.table import Table

from tinypair.evaluation import Evaluation
from tinypair.scoring import Figure, Row
from tinypair.verdicts import Verdict
from tinypair.ways import ALIGNED, BASE

BAR_WIDTH = 20
MARKS = {True: "pass", False: "FAIL", None: "–"}
COLOURS = {"pass": "bold green", "FAIL": "bold red"}
INTERVALS = "In brackets: 95 % bootstrap intervals over prompts."


@dataclass(frozen=True)
class Sheet:
    """A table before it has a form."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    bars: tuple[float, ...] = ()
    """For each row a length in [0, 1], which only the terminal shows."""
    bold: frozenset[int] = frozenset()
    """Numbers of the rows that matter most."""
    gaps: frozenset[int] = frozenset()
    """Numbers of the rows after which the terminal draws a line."""


def shown(figure: Figure, digits: int = 2) -> str:
    """Write a figure with its interval."""
    return f"{figure.value:.{digits}f} ({figure.low:.{digits}f}–{figure.high:.{digits}f})"


def sheets(measured: Evaluation, judged: Sequence[Verdict], prompts: int) -> list[Sheet]:
    """Lay out everything that was measured; ``prompts`` is their number in each family."""
    return [open_sheet(measured, prompts), family_sheet(measured), closed_sheet(measured), routed_sheet(measured), verdict_sheet(judged)]


def open_sheet(measured: Evaluation, prompts: int) -> Sheet:
    """Open families together, one row for each way of decoding."""
    labels = list(measured.rows)
    groups = [label.split(",")[0] for label in labels]
    families = len(next(iter(measured.families.values())))
    return Sheet(
        f"Open questions: {families} families of {prompts} held-out prompts, 10 answers each",
        ("way of decoding", "distinct of 10", "valid %", "distinct and valid of 10", "base tokens %", f"{measured.default} gives ×"),
        [(label, *_row(row), shown(measured.gains[label])) for label, row in measured.rows.items()],
        note=f"{INTERVALS} Last column: different valid answers of {measured.default} over those of the row.",
        bars=tuple(row.joint.value / 10 for row in measured.rows.values()),
        bold=frozenset(map(labels.index, (measured.default, measured.best))),
        gaps=frozenset(i for i, (a, b) in enumerate(pairwise(groups)) if a != b),
    )


def _row(row: Row) -> tuple[str, str, str, str]:
    return shown(row.distinct), shown(row.valid_percent, 1), shown(row.joint), shown(row.base_percent, 1)


def family_sheet(measured: Evaluation) -> Sheet:
    """Each open family for itself: base, aligned and the default side by side."""
    names = tuple(measured.families)
    rows = []
    for family in measured.families[BASE.label]:
        found = [measured.families[name][family] for name in names]
        distinct = " · ".join(f"{row.distinct.value:.1f}" for row in found)
        valid = " · ".join(f"{row.valid_percent.value:.0f}" for row in found)
        rows.append((family, distinct, valid, " · ".join(f"{row.joint.value:.1f}" for row in found)))
    return Sheet(
        f"Each open family: {' · '.join(names)}",
        ("family", "distinct of 10", "valid %", "distinct and valid of 10"),
        rows,
    )


def closed_sheet(measured: Evaluation) -> Sheet:
    """What has one right answer."""
    kept = [name for name in measured.kept if not name.startswith(BASE.label)]
    rows = [
        (
            family,
            *(shown(by[family], 1) for by in measured.right.values()),
            *(shown(measured.kept[name][family], 1) for name in kept),
        )
        for family in measured.right[ALIGNED.label]
    ]
    columns = (*(f"{name}: right %" for name in measured.right), *(f"{name} / aligned, %" for name in kept))
    return Sheet("Questions with one right answer", ("family", *columns), rows, note=INTERVALS)


def routed_sheet(measured: Evaluation) -> Sheet:
    """Agreement of the models, along the aligned one's answers and where routers gave either of them the word."""
    alike = measured.agreement
    rows = [
        (
            label,
            shown(routed.at_base, 3),
            shown(routed.at_aligned, 3),
            shown(routed.at_aligned_inside, 3),
        )
        for label, routed in measured.routed.items()
    ]
    rows.insert(0, (ALIGNED.label, "–", shown(alike.variation, 3), shown(alike.variation_inside, 3)))
    return Sheet(
        "Total variation between the models, along the answers of",
        ("way of decoding", "base wrote", "aligned wrote", "the same, ends left out"),
        rows,
        note=f"Same top token along aligned answers, ends left out: {shown(alike.same_top_percent, 1)} %.",
    )


def verdict_sheet(judged: Sequence[Verdict]) -> Sheet:
    """What must be reached, and whether it is."""
    rows = [(each.item, f"{shown(each.figure)}{each.unit}", each.wanted, MARKS[each.passed]) for each in judged]
    held = [each.passed for each in judged if each.passed is not None]
    return Sheet("What the pair must reach", ("item", "measured", "wanted", ""), rows, note=f"{sum(held)} of {len(held)} hold.")


def terminal(sheet: Sheet) -> Table:
    """Draw a sheet for the terminal."""
    table = Table(title=sheet.title, caption=sheet.note or None, box=box.ROUNDED, title_style="bold", caption_justify="left")
    for number, column in enumerate(sheet.columns):
        table.add_column(escape(column), justify="right" if number else "left", no_wrap=number == 0)
    if sheet.bars:
        table.add_column("", no_wrap=True, style="green")
    for number, row in enumerate(sheet.rows):
        cells = [f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else escape(cell) for cell in row]
        bar = ["█" * round(BAR_WIDTH * sheet.bars[number])] if sheet.bars else []
        table.add_row(*cells, *bar, style="bold" if number in sheet.bold else None, end_section=number in sheet.gaps)
    return table


def markdown(sheet: Sheet) -> str:
    """Write a sheet as a markdown table under its title."""
    bold = [tuple(f"**{cell}**" for cell in row) if number in sheet.bold else row for number, row in enumerate(sheet.rows)]
    align = ("---", *("---:" for _ in sheet.columns[1:]))
    lines = [_line(sheet.columns), _line(align), *(_line(row) for row in bold)]
    note = f"\n{sheet.note}\n" if sheet.note else ""
    return f"### {sheet.title}\n\n" + "\n".join(lines) + "\n" + note


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
