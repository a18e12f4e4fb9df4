"""`BacoLLM`: base and aligned models decoding together, as an LLM of LlamaIndex.

>>> from llamaindex_baco import BacoLLM
>>> llm = BacoLLM(router="p-punc", threshold=0.4, max_tokens=24)
>>> answer = llm.complete("Name a pet rabbit.")
>>> owners = answer.raw["baco"]["spans"]  # [["Hello, how about ", "aligned"], ["Clover", "base"], …]
"""

from baco.errors import MissingExtraError

try:
    import llama_index.core  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in ("llama_index", "llama_index.core"):
        raise
    raise MissingExtraError("llama_index.core", "llamaindex") from error

from llamaindex_baco.base import BacoLLM
from llamaindex_baco.capture import capture_responses
from llamaindex_baco.dataset import QuestionDataset, QuestionExample
from llamaindex_baco.diverse_query_engine import DiverseQueryEngine
from llamaindex_baco.questions import QuestionDatasetGenerator

__all__ = ["BacoLLM", "DiverseQueryEngine", "QuestionDataset", "QuestionDatasetGenerator", "QuestionExample", "capture_responses"]
