"""`BacoLLM` under the name that LlamaIndex's integrations have: `from llama_index.llms.baco import BacoLLM`.

`llama_index` and `llama_index.llms` are namespaces that many distributions share: they must have no `__init__.py` here.
"""

from llamaindex_baco import BacoLLM

__all__ = ["BacoLLM"]
