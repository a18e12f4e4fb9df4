"""LangChain: one retrieval, several answers. What was found is read once, and the answers to it differ.

Each answer is checked against what was found: the embedded pair makes some of them up, as larger models do. Those that are borne out come
first.

Run: python examples/langchain_rag.py
"""

import re
from operator import itemgetter
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from rich.console import Console
from rich.table import Table

from baco.cli.terminal import legend, needs_marks, owned_text
from baco.vocab.function_words import FUNCTION_WORDS
from langchain_baco import ChatBaco
from minilm import embed

TEXTS = (
    "The Halden Museum stands by the river. A ticket costs 12 euros. "
    "Visitors can see the map room, the whale skeleton, the mask gallery, the clock tower or the roof garden.",
    "Tandrel is a family shop near the station. On the shelves there are lanterns, kites, music boxes and old coins.",
    "The brindle is a shy animal of the north. The brindle eats berries. It makes its home in pine forests.",
    "Velmora is a quiet town by the coast. The mayor of Velmora is Clara Tandrel.",
)
QUESTION = "Suggest something to see at the Halden Museum."
PROMPT = ChatPromptTemplate.from_template("Context:\n{context}\n\nQuestion: {question}")


class OfflineEmbeddings(Embeddings):
    """LangChain's form of `embed`."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages."""
        return embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed a question."""
        return embed([text])[0]


def build_chain(model: ChatBaco, answers: int) -> Runnable[dict[str, str], dict[str, Any]]:
    """Look up, then answer several times: {"question"} becomes {"question", "context", "answers"}."""
    retriever = InMemoryVectorStore.from_texts(list(TEXTS), OfflineEmbeddings()).as_retriever(search_kwargs={"k": 1})
    context = itemgetter("question") | retriever | _joined
    several = PROMPT | model.diverse(answers, distinct=1.0)
    return RunnablePassthrough.assign(context=context) | RunnablePassthrough.assign(answers=several)


def _joined(documents: list[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)


def is_borne_out(answer: AIMessage, found: dict[str, Any]) -> bool:
    """Whether each word of an answer that says something stands in the passage or in the question."""
    said, known = (_words(text) for text in (answer.text, f"{found['context']} {found['question']}"))
    return said <= known


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold())) - FUNCTION_WORDS


def main(answers: int = 6) -> None:
    """Ask once, show what was found, and every answer with its owners and whether it is borne out."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    found = build_chain(ChatBaco(max_tokens=40, seed=1), answers).invoke({"question": QUESTION})
    console.print(f"[bold]{QUESTION}[/]", f"[dim]found:[/] {found['context']}", legend(marked=marked), sep="\n\n", end="\n\n")
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    ordered = sorted(found["answers"], key=lambda answer: not is_borne_out(answer, found))
    for number, answer in enumerate(ordered, start=1):
        spans = answer.response_metadata["baco"]["spans"]
        verdict = "[green]in the passage[/]" if is_borne_out(answer, found) else "[red]made up[/]"
        table.add_row(str(number), owned_text(spans, marked=marked), verdict)
    console.print(table)


if __name__ == "__main__":
    main()
