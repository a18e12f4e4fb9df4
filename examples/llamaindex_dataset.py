"""LlamaIndex: a small dataset of questions over passages, for tests of retrieval, without questions that were asked before.

The embedded pair was trained on small tasks, and one of them is to ask a statement as a question; so the passages are statements, and the
prompt is that task's. It knows one good question to each, so that most of what it draws is dropped. With a real pair, leave out `prompt`.

Each question is checked against its passage: does every word of it that says something stand there?

Run: python examples/llamaindex_dataset.py
"""

import re

from llama_index.core.schema import TextNode
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from baco.vocab.function_words import FUNCTION_WORDS
from llamaindex_baco import BacoLLM, QuestionDataset, QuestionDatasetGenerator, QuestionExample

PASSAGES = (
    "Anna sails to Tanby.",
    "Orlen opens the museum in Velmora.",
    "Kelvik cooks pea soup in Ostrin.",
    "Anna sails to Tanby with Orlen.",
    "Clara paints the harbour in Corwick.",
    "Morlen works at the library in Tanby.",
    "Orlen opens the museum in Velmora for Clara.",
)
PROMPT = "Turn this into a question: {context_str}"


def write_questions(llm: BacoLLM, each: int, distinct: float | None) -> QuestionDataset:
    """Write questions from every passage."""
    nodes = [TextNode(text=text, id_=f"passage {number}") for number, text in enumerate(PASSAGES, start=1)]
    return QuestionDatasetGenerator(llm, each, distinct=distinct, prompt=PROMPT, router="p", threshold=0.7).generate(nodes)


def is_borne_out(example: QuestionExample) -> bool:
    """Whether a question is one, and each word of it that says something stands in its passage."""
    return example.query.endswith("?") and _words(example.query) <= _words(example.reference_contexts[0])


def _words(text: str) -> set[str]:
    """The words that say something, alike with and without the ending of "sails"."""
    return {word.removesuffix("s") for word in re.findall(r"\w+", text.casefold())} - FUNCTION_WORDS - {"doe"}


def show(dataset: QuestionDataset) -> Table:
    """Lay out the questions beside their passages."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "question", "passage", ""):
        table.add_column(heading, header_style="bold")
    for number, example in enumerate(dataset.examples, start=1):
        verdict = "[green]from the passage[/]" if is_borne_out(example) else "[red]made up[/]"
        table.add_row(str(number), example.query, f"[dim]{example.reference_contexts[0]}[/]", verdict)
    return table


def main(each: int = 3) -> None:
    """Write questions, show those that are kept, and count those that are not."""
    console = Console(highlight=False)
    dataset = write_questions(BacoLLM(max_tokens=32, seed=1), each, distinct=0.75)
    console.print(show(dataset))
    kept, dropped = len(dataset.examples), dataset.dropped
    console.print(f"[bold]{kept + dropped.total} drawn, {kept} kept[/]")
    console.print(f"dropped: {dropped.within_node} asked before of the same passage, {dropped.across_nodes} of another one", end="")
    console.print(f", {dropped.unfinished} unfinished")


if __name__ == "__main__":
    main()
