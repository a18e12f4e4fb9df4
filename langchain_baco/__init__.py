"""`ChatBaco`, a LangChain chat model in which a base model and its aligned counterpart answer together.

>>> from langchain_baco import ChatBaco
>>> model = ChatBaco(max_tokens=24, seed=7)
>>> model.invoke("Name a pet rabbit.").response_metadata["model_name"]
'tiny'

- `chat_models.py`: `ChatBaco`, what LangChain's users call and what LangChain calls
- `fields.py`: its settings as constructor fields; how LangChain names, profiles, traces and caches a model with them
- `settings.py`: what one call asks of the core, checked
- `decoding.py`: one prompt, decoded by the engine, whole or as a stream
- `batching.py`: how many calls run side by side, and how an interrupt ends them
- `messages.py`, `outputs.py`: LangChain's messages and tools to the core's; the core's results to messages and chunks
- `binding.py`: tools and schemas that answers are held to
- `diverse.py`: `DiverseBaco`, n different answers as a runnable; `candidate_stream.py`: their stream, as one run
- `middleware.py`: `BestOfN`, an agent's turn drawn several times
- `route_events.py`: which model wrote each token of a stream, as custom events
- `errors.py`: the core's errors as LangChain's; another try where the queue was full
"""

from importlib.util import find_spec

from baco.errors import MissingExtraError

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain_core", "langchain")

from langchain_baco.chat_models import ChatBaco

__all__ = ["ChatBaco"]
