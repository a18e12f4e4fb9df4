"""A LlamaIndex embedding model that needs no download."""

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding

from minilm import embed


class OfflineEmbedding(BaseEmbedding):
    """Embeds texts with the model of `minilm`."""

    model_name: str = "all-MiniLM-L6-v2"

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return embed(texts)

    def _get_text_embedding(self, text: str) -> Embedding:
        return embed([text])[0]

    def _get_query_embedding(self, query: str) -> Embedding:
        return embed([query])[0]

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return self._get_query_embedding(query)
