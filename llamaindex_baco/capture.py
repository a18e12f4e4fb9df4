"""`capture_responses`: the responses of `BacoLLM` inside a pipeline that returns their text only, such as a query engine.

Knows responses; knows nothing of LLMs. Each context (task, thread, `with` block) collects its own answers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse

Response = ChatResponse | CompletionResponse

_collectors: ContextVar[tuple[list[Response], ...]] = ContextVar("baco_response_collectors", default=())


@contextmanager
def capture_responses() -> Iterator[list[Response]]:
    """Collect the responses of every `BacoLLM` inside the `with` block, in the order in which the answers end.

    A streamed answer is collected as its last chunk. Blocks may be nested: each collects everything inside it.

    >>> with capture_responses() as responses:
    ...     answer = query_engine.query("What can a visitor do?")
    >>> responses[-1].raw["usage"], responses[-1].raw["baco"]["spans"]
    """
    responses: list[Response] = []
    token = _collectors.set((*_collectors.get(), responses))
    try:
        yield responses
    finally:
        _collectors.reset(token)


def collect(response: Response) -> None:
    """Add a finished response to the lists of all blocks around it."""
    for responses in _collectors.get():
        responses.append(response)
