"""LlamaIndex: one question to a query engine over a vector index, answered several times, each answer coloured by who wrote what.

Run: python examples/llamaindex_query_engine.py
"""

from collections.abc import Iterable

from llama_index.core import Document, VectorStoreIndex
from rich.console import Console

from baco.cli.terminal import Column, legend, needs_marks, side_by_side
from llamaindex_baco import BacoLLM, capture_responses
from offline_embedding import OfflineEmbedding

TEXTS = (
    "Velmora is a quiet town by the coast. Visitors can climb the old tower, visit the puppet museum, ride the steam train, "
    "rent a rowing boat or watch the night market. The mayor of Velmora is Clara Tandrel.",
    "Ostrin is an old market town. Ostrin is known for its blue pottery. The river Lume runs through Ostrin.",
    "The Halden Museum stands by the river. A ticket costs 12 euros. Visitors can see the map room, the whale skeleton or the roof garden.",
    "The brindle is a shy animal of the north. The brindle eats berries. It makes its home in pine forests.",
)
QUESTION = "Suggest an activity for a visitor to Velmora."
ROUTERS = ("aligned", "base", "p-punc")


def build_index(texts: Iterable[str] = TEXTS) -> VectorStoreIndex:
    """Embed texts and index them in memory."""
    return VectorStoreIndex.from_documents([Document(text=text) for text in texts], embed_model=OfflineEmbedding())


def ask(index: VectorStoreIndex, llm: BacoLLM, question: str, times: int) -> Column:
    """Ask a query engine the same question several times; a query engine returns text only, so the owners are captured beside it."""
    query_engine = index.as_query_engine(llm=llm, similarity_top_k=1)
    with capture_responses() as responses:
        for _ in range(times):
            query_engine.query(question)
    facts = [response.raw["baco"] for response in responses if response.raw]
    answers = [fact["spans"] for fact in facts]
    base, aligned = (sum(fact[f"{which}_tokens"] for fact in facts) for which in ("base", "aligned"))
    return Column(title=llm.router, answers=answers, base_share=base / (base + aligned))


def main(times: int = 6) -> None:
    """Ask the aligned model alone, the base model alone, and both together."""
    console = Console()
    index = build_index()
    columns = [ask(index, BacoLLM(router=router, max_tokens=40), QUESTION, times) for router in ROUTERS]
    marked = needs_marks(console)
    console.print(side_by_side(columns, marked=marked, title=QUESTION), legend(marked=marked))


if __name__ == "__main__":
    main()
