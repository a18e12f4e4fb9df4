"""Answers in the terminal, with each model's text in its colour or in marks: as lines, tables and side by side.

Knows rich and spans of text; knows nothing of models. Where colours cannot show (a file, a pipe, NO_COLOR), the base model's text stands
in «guillemets» instead.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baco.results import GenerationResult, Model, Span

BASE_STYLE = "bold dark_orange"
ALIGNED_STYLE = "sky_blue3"
MARKS = ("«", "»")
ORDER: tuple[Model, Model] = ("aligned", "base")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


DISTINCT_MEANS = "distinct: different after lower-casing and without punctuation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """The answers of one decoding method, as a comparison shows them."""

    title: str
    answers: Sequence[Sequence[Span]]
    base_share: float
    """Share of all tokens that the base model wrote, 0 to 1."""

    @classmethod
    def from_result(cls, title: str, result: GenerationResult) -> "Column":
        """Show a result under a title."""
        share = result.usage.base_tokens / result.usage.completion_tokens
        return cls(title=title, answers=[candidate.spans() for candidate in result.candidates], base_share=share)


def count_distinct(texts: Iterable[str]) -> int:
    """Count texts that differ after lower-casing and without punctuation and extra spaces (our own choice)."""
    lettered = ("".join(char for char in text.lower() if not unicodedata.category(char).startswith("P")) for text in texts)
    return len({" ".join(text.split()) for text in lettered})


def summary(column: Column) -> str:
    """State how many answers are distinct, and the base model's share of their tokens."""
    distinct = count_distinct("".join(text for text, _ in answer) for answer in column.answers)
    return f"distinct {distinct} of {len(column.answers)} · base {column.base_share:.0%}"


def needs_marks(console: Console) -> bool:
    """Whether a console cannot show colours, so that owners must be marked in the text."""
    return console.color_system is None or console.no_color


def owned_text(answer: Iterable[Span], *, marked: bool) -> Text:
    """Render a whole answer (see `OwnedStream`)."""
    stream = OwnedStream(marked=marked)
    return Text.assemble(*(stream.push(piece, owner) for piece, owner in answer), stream.end())


def legend(*, marked: bool) -> Text:
    """Explain the colours or the marks."""
    aligned, base = (owned_text([(f"{name} model", name)], marked=marked) for name in ORDER)
    return Text.assemble("written by the ", aligned, " · by the ", base)


def answers_table(result: GenerationResult, *, marked: bool) -> Table:
    """Number the answers to one prompt, with each one's share of base tokens."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column(overflow="fold")
    table.add_column(justify="right", style="dim", no_wrap=True)
    for candidate in result.candidates:
        table.add_row(str(candidate.index + 1), owned_text(candidate.spans(), marked=marked), f"{candidate.base_share:.0%} base")
    return table


def side_by_side(columns: Sequence[Column], *, marked: bool, title: str, caption: str | None = None) -> Table:
    """Lay out decoding methods as columns: a row for each answer, and below them how varied they are.

    All columns have the same number of answers.
    """
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, show_footer=True, expand=True, pad_edge=False)
    table.title_style, table.title_justify, table.caption_justify = "bold", "left", "left"
    table.add_column("", justify="right", style="dim")
    for column in columns:
        footer = summary(column).replace(" · ", "\n")
        table.add_column(column.title, footer=footer, ratio=1, overflow="fold", header_style="bold", footer_style="bold")
    for number, row in enumerate(zip(*(column.answers for column in columns), strict=True), start=1):
        table.add_row(str(number), *(owned_text(answer, marked=marked) for answer in row))
    return table


class OwnedStream:
    """Renders an answer piece by piece, each in its owner's colour, or the base's in marks.

    Whitespace around the answer is dropped, and whitespace between two pieces is held until the second, so that it stays outside of marks.
    Control characters, which a terminal would interpret, are replaced.
    """

    def __init__(self, *, marked: bool) -> None:
        self.marked = marked
        self._begun = False
        self._in_marks = False
        self._space = ""

    def push(self, piece: str, owner: Model) -> Text:
        """Render the next piece."""
        piece = self._space + CONTROL.sub("\N{REPLACEMENT CHARACTER}", piece)
        body = piece.rstrip()
        self._space = piece[len(body) :] if body or self._begun else ""
        if not body:
            return Text()
        if not self._begun:
            body = body.lstrip()
        self._begun = True
        if self.marked:
            return Text(self._switch(body, owner == "base"))
        return Text(body, style=BASE_STYLE if owner == "base" else ALIGNED_STYLE)

    def end(self) -> Text:
        """Close what is open."""
        return Text(MARKS[1] if self._in_marks else "")

    def _switch(self, body: str, from_base: bool) -> str:
        if from_base == self._in_marks:
            return body
        self._in_marks = from_base
        if not from_base:
            return MARKS[1] + body
        word = body.lstrip()
        return body[: len(body) - len(word)] + MARKS[0] + word
