"""What the tests of `DiverseQueryEngine` share: a retriever that counts, query engines over it, and what their answers tell."""

from typing import Any

from llama_index.core.llms import LLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

import llamaindex_query_engine as example

QUESTION = "Suggest something to see at the Halden Museum."
HOT: dict[str, Any] = {"router": "p", "threshold": 0.6}


class Shelf(BaseRetriever):
    """Finds two passages, whatever is asked."""

    def __init__(self, count: int = 2) -> None:
        self.times = 0
        self.found = [NodeWithScore(node=TextNode(text=text, id_=f"node {i}")) for i, text in enumerate(example.TEXTS[2 : 2 + count])]
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.times += 1
        return list(self.found)


def engine_of(llm: LLM, shelf: Shelf | None = None, **settings: Any) -> RetrieverQueryEngine:
    return RetrieverQueryEngine.from_args(shelf or Shelf(), llm=llm, **settings)


def texts(answers: Any) -> list[str]:
    return [str(answer) for answer in answers]


def seeds(answers: Any) -> list[int]:
    return [answer.metadata["baco"]["seed"] for answer in answers]
