"""`BacoLLM`: base and aligned models decoding together, as an LLM of LlamaIndex.

>>> from llamaindex_baco import BacoLLM
>>> llm = BacoLLM(router="p-punc", threshold=0.4, max_tokens=24)
>>> answer = llm.complete("Name a pet rabbit.")
>>> owners = answer.raw["baco"]["spans"]  # [["Hello, how about ", "aligned"], ["Clover", "base"], …]

The files, from what a user holds downwards:

- `questions.py`: `QuestionDatasetGenerator`, synthetic questions over nodes
- `diverse_query_engine.py`: `DiverseQueryEngine`, several answers over one retrieval
- `base.py`: `BacoLLM`, every method that LlamaIndex or a user calls
- `settings.py`: its fields, merged with the overrides and the keywords of one call
- `decoding.py`: one checked call to the engine, whole or streamed, sync or async
- `structured.py`: answers that are Pydantic objects, whole or growing
- `react.py`: ReAct prompts, for models whose chat template has no place for tools
- `prompt_budget.py`: how much text fits into a prompt, by the pair's tokenizer and templates
- `tools.py`, `messages.py`: LlamaIndex's tools and messages in the core's form
- `responses.py`, `raw_metadata.py`: the core's results as LlamaIndex's responses, and their `raw`
- `capture.py`: `capture_responses`, the responses inside a pipeline that returns text only
- `streams.py`: a closed stream ends its decoding
- `dataset.py`: `QuestionDataset`, questions and their file
- `tasks.py`: concurrent coroutines, and a coroutine run from sync code
- `testing/`: a conformance suite for LLMs of any maker, which uses nothing else of this package

`llama_index/llms/baco/` has the same class under the name that LlamaIndex's integrations have.
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
