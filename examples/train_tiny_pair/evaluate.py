"""Measure a trained pair and write the table into its report.

Run ``python examples/train_tiny_pair/evaluate.py --pair FOLDER``. It needs `baco` itself.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from baco import Engine, ModelPair
from tinypair.evaluation import evaluate


def main() -> None:
    """Evaluate, print the table, and add it to report.json beside the weights."""
    parser = argparse.ArgumentParser(description="Evaluate the embedded base/aligned pair.")
    parser.add_argument("--pair", type=Path, required=True, help="folder with base/ and aligned/")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    pair = ModelPair.from_pretrained(base=str(arguments.pair / "base"), aligned=str(arguments.pair / "aligned"))
    measured = evaluate(Engine(pair), arguments.seed)
    path = arguments.pair / "report.json"
    report = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**report, "evaluation": measured}, indent=2) + "\n")
    show(measured)


def show(measured: dict[str, object]) -> None:
    """Print the tables."""
    console = Console()
    for title in ("open_families", "fact", "context", "context-open"):
        rows = measured[title]
        assert isinstance(rows, dict)
        table = Table("router", "distinct of 10", "valid %", "distinct and valid", "base tokens %", title=title)
        for name, row in rows.items():
            table.add_row(name, *(str(value) for value in row.values()))
        console.print(table)
    console.print(f"top-1 agreement on aligned answers: {measured['top1_agreement_percent']} %")


if __name__ == "__main__":
    main()
