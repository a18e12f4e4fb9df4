"""LlamaIndex: one retrieval, several answers that differ, the likeliest first, each coloured by who wrote what.

`DiverseQueryEngine` is put around a query engine of LlamaIndex; whatever that retrieves, reranks and prompts with stays as it is. All
answers are decoded as one batch, and those that say the same as one before are dropped and drawn again.

Each answer is checked against what was found: the embedded pair makes some of them up, as larger models do.

Run: python examples/llamaindex_diverse_rag.py
"""

import re

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from baco.cli.terminal import legend, needs_marks, owned_text
from baco.vocab.function_words import FUNCTION_WORDS
from llamaindex_baco import BacoLLM, DiverseQueryEngine
from llamaindex_baco.diverse_query_engine import Answer
from llamaindex_query_engine import build_index

QUESTION = "Suggest something to see at the Halden Museum."


def build_engine(llm: BacoLLM, answers: int) -> DiverseQueryEngine:
    """Make a query engine over the index of `llamaindex_query_engine.py` that gives several answers."""
    engine = build_index().as_query_engine(llm=llm, similarity_top_k=1)
    return DiverseQueryEngine(engine, llm, answers, distinct=1.0, rank="likelihood", router="p", threshold=0.6)


def is_borne_out(answer: Answer) -> bool:
    """Whether each word of an answer that says something stands in what was found or in the question."""
    found = " ".join(node.get_content() for node in answer.source_nodes)
    return _words(str(answer)) <= _words(f"{found} {QUESTION}")


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - FUNCTION_WORDS


def show(answers: list[Answer], *, marked: bool) -> Table:
    """Lay out answers with their owners, their scores, and whether they are borne out."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "answer", "score", ""):
        table.add_column(heading, justify="right" if heading == "score" else "left", header_style="bold")
    for number, answer in enumerate(answers, start=1):
        told = (answer.metadata or {})["baco"]
        spans = told["responses"][-1]["baco"]["spans"]
        verdict = "[green]in the passage[/]" if is_borne_out(answer) else "[red]made up[/]"
        table.add_row(str(number), owned_text(spans, marked=marked), f"{told['score']:.2f}", verdict)
    return table


def main(answers: int = 6) -> None:
    """Ask once, show what was found, and every answer."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    found = build_engine(BacoLLM(max_tokens=40, seed=1), answers).answers(QUESTION)
    passage = found[0].source_nodes[0].get_content()
    console.print(f"[bold]{QUESTION}[/]", f"[dim]found once:[/] {passage}", legend(marked=marked), sep="\n\n")
    console.print(show(found, marked=marked), "[dim]score: mean log-probability of a token under the aligned model[/]", sep="")


if __name__ == "__main__":
    main()
