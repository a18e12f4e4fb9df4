"""`ChatBaco`, a LangChain chat model in which a base model and its aligned counterpart answer together.

>>> from langchain_baco import ChatBaco
>>> model = ChatBaco(max_tokens=24, seed=7)
>>> model.invoke("Name a pet rabbit.").response_metadata["model_name"]
'tiny'
"""

from importlib.util import find_spec

from baco.errors import MissingExtraError

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain_core", "langchain")

from langchain_baco.chat_models import ChatBaco

__all__ = ["ChatBaco"]
