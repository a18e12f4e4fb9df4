"""What the table of pairs says of this machine, and of what could not be checked."""

from dataclasses import replace

import pytest
from rich.console import Console

from baco.cli.pairs_table import fitting_form, pair_table, pairs_table
from baco.models.presets import get_preset

GB = 1_000_000_000
LLAMA = get_preset("llama-3.1-8b")
"""32.1 GB in bfloat16, 17.1 GB in int8, 11.5 GB in int4; while one model is still in bfloat16, 24.6 and 21.8 GB."""


def shown(table: object) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return " ".join(captured.get().split())


@pytest.mark.parametrize(
    ("device", "gigabytes", "form"),
    [
        ("cpu", 48, "bfloat16"),
        ("cpu", 32, "int8"),
        ("cpu", 28, "int4"),
        ("cpu", 24, "–"),
        ("mps", 32, "int8"),
        ("cuda", 80, "bfloat16"),
        ("cuda", 24, "int8"),
        ("cuda", 16, "int4"),
        ("cuda", 12, "–"),
    ],
)
def test_a_pair_fits_in_the_best_form_that_leaves_a_fifth_free(device: str, gigabytes: int, form: str) -> None:
    assert fitting_form(LLAMA, device, gigabytes * GB) == form


def test_where_the_memory_is_unknown_nothing_is_said_to_fit() -> None:
    assert fitting_form(LLAMA, "cpu", None) == "?"
    assert "fits as: ?, as this system does not tell its memory" in shown(pairs_table("cpu", None))


def test_the_caption_says_whose_memory_counts() -> None:
    assert "fits as: into 80% of the 24 GB for cuda" in shown(pairs_table("cuda", 24 * GB))


def test_what_could_not_be_checked_has_a_mark() -> None:
    doubtful = replace(LLAMA, unchecked=frozenset({"context", "sampling"}))
    text = shown(pair_table(doubtful, "cpu", 48 * GB))
    assert "context 131,072?" in text and "sampling 0.6 / 0.9 / –?" in text
    assert "calls llama3 " in text and "size 8.03 B " in text
