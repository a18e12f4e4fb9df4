"""Answers that are Pydantic objects, whole or streamed as they grow, constrained to their schema by a grammar.

Knows LlamaIndex's structured calls and their events; knows nothing of decoding. Both models are held to the schema, so that every answer is
valid, also where `max_tokens` is near.
"""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing, suppress
from typing import Any, Generic, TypeVar

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.llm import LLM
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from baco.grammar.schemas import rooted
from llamaindex_baco.tools import selections

dispatcher = get_dispatcher(__name__)
Model = TypeVar("Model", bound=BaseModel)
ENFORCED_MODES = (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION)
"""Modes in which a grammar enforces the schema. In the others LlamaIndex describes it in the prompt."""


def object_call(
    llm: LLM, output_cls: type[BaseModel], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None, prompt_args: dict[str, Any]
) -> dict[str, Any]:
    """The keywords of `chat` that ask for an object: the prompt's messages, and what holds the answer to the schema.

    Tells LlamaIndex that a structured prediction starts.
    """
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))
    call = {**(llm_kwargs or {}), "messages": llm._extend_messages(prompt.format_messages(llm=llm, **prompt_args))}
    if llm.pydantic_program_mode == PydanticProgramMode.FUNCTION:
        return {**call, "tools": [get_function_tool(output_cls)], "tool_choice": "required"}
    schema = {"name": output_cls.__name__, "schema": rooted(output_cls.model_json_schema())}
    return {**call, "response_format": {"type": "json_schema", "json_schema": schema}}


def read_object(output_cls: type[Model], response: ChatResponse) -> Model:
    """The object in a whole answer. Tells LlamaIndex that the structured prediction ends.

    Raises:
        ValidationError: a validator of the class refuses what its schema allows.
    """
    if calls := selections(response.message):
        found = output_cls.model_validate(calls[0].tool_kwargs)
    else:
        found = output_cls.model_validate_json(response.message.content or "")
    dispatcher.event(LLMStructuredPredictEndEvent(output=found))
    return found


def stream_object(output_cls: type[Model], chunks: Generator[ChatResponse, None, None]) -> Generator[Model | FlexibleModel, None, None]:
    """Yield the object each time that it grows, and the whole one last; closing the generator ends the decoding."""
    growing = _GrowingObject(output_cls)
    with closing(chunks):
        for chunk in chunks:
            yield from growing.push(chunk)
    yield from growing.finish()


async def astream_object(
    output_cls: type[Model], chunks: AsyncGenerator[ChatResponse, None]
) -> AsyncGenerator[Model | FlexibleModel, None]:
    """Like `stream_object`, off the event loop."""
    growing = _GrowingObject(output_cls)
    async with aclosing(chunks):
        async for chunk in chunks:
            for part in growing.push(chunk):
                yield part
    for whole in growing.finish():
        yield whole


class _GrowingObject(Generic[Model]):
    """An object that is being written."""

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls, self._flexible_cls = output_cls, create_flexible_model(output_cls)
        self._last: ChatResponse | None = None
        self._written: Any = None
        self._part: Model | FlexibleModel | None = None

    def push(self, chunk: ChatResponse) -> Iterator[Model | FlexibleModel]:
        """Take the next chunk; yield the object as it is now, if it has changed."""
        self._last = chunk
        written = _written_so_far(chunk)
        if written is None or written == self._written:
            return
        self._written = written
        self._part = self._validated(written)
        if self._part is not None:
            dispatcher.event(LLMStructuredPredictInProgressEvent(output=self._part))
            yield self._part

    def _validated(self, written: Any) -> Model | FlexibleModel | None:
        for cls in (self._output_cls, self._flexible_cls):
            with suppress(ValidationError):
                return cls.model_validate(written)
        return None

    def finish(self) -> Iterator[Model]:
        """End the object; yield it, unless its last part was it already."""
        assert self._last is not None, "a stream has a last chunk"
        whole = read_object(self._output_cls, self._last)
        if self._part != whole:
            yield whole


def _written_so_far(response: ChatResponse) -> Any:
    """The arguments of a call, or the beginning of a JSON text, as far as they are written. None where there is nothing yet."""
    if calls := selections(response.message):
        return calls[0].tool_kwargs
    with suppress(ValueError):
        return from_json(response.message.content or "", allow_partial="trailing-strings")
    return None
