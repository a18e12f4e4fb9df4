"""`BacoStructured`: answers that are Pydantic objects, whole or as they grow, held to their schema by a grammar."""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, closing, suppress
from typing import Any, Generic, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.program.function_program import get_function_tool
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from baco.grammar.schemas import rooted
from llamaindex_baco.calling import BacoCalling
from llamaindex_baco.tools import selections

dispatcher = get_dispatcher(__name__)
Keywords = dict[str, Any] | None
Model = TypeVar("Model", bound=BaseModel)


class BacoStructured(BacoCalling):
    """The four structured methods. Both models are held to the schema, so that every answer is valid, also where `max_tokens` is near.

    The models are not told the schema: say in the prompt what is wanted. With `pydantic_program_mode` "function" the answer is a forced
    call of a function with this schema, which the aligned model's chat template shows, and which a stream has once it is whole. Any other
    mode but the default goes LlamaIndex's own way, through a schema in the prompt.
    """

    def structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords = None, **prompt_args: Any
    ) -> Model:
        """Answer a prompt with an object.

        Raises:
            ConfigError: the schema cannot be enforced, or its shortest object does not fit into `max_tokens`.
            ValidationError: a validator of the class refuses what its schema allows.
        """
        if self._goes_llamaindex_way:
            found: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return found
        _tell_start(output_cls, prompt, prompt_args)
        messages, keywords = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        return _told_end(_whole(output_cls, self.chat(messages, **keywords)))

    async def astructured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords = None, **prompt_args: Any
    ) -> Model:
        """Like `structured_predict`, off the event loop."""
        if self._goes_llamaindex_way:
            found: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return found
        _tell_start(output_cls, prompt, prompt_args)
        messages, keywords = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        return _told_end(_whole(output_cls, await self.achat(messages, **keywords)))

    def stream_structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords = None, **prompt_args: Any
    ) -> Generator[Model | FlexibleModel, None, None]:
        """Answer a prompt with an object that grows.

        Yields an object for every piece that changes it: of the class where what there is makes one already, else with the same fields, of
        which those that are not written yet are None. The last one is of the class.
        """
        if self._goes_llamaindex_way:
            yield from super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return
        _tell_start(output_cls, prompt, prompt_args)
        messages, keywords = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        growing = Growing(output_cls)
        with closing(self.stream_chat(messages, **keywords)) as chunks:
            for chunk in chunks:
                if (part := growing.push(chunk)) is not None:
                    yield part
        yield from growing.rest()

    async def astream_structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords = None, **prompt_args: Any
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        """Like `stream_structured_predict`, off the event loop."""
        if self._goes_llamaindex_way:
            return await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        _tell_start(output_cls, prompt, prompt_args)
        messages, keywords = self._structured(output_cls, prompt, llm_kwargs, prompt_args)
        return _grown(Growing(output_cls), await self.astream_chat(messages, **keywords))

    @property
    def _goes_llamaindex_way(self) -> bool:
        return self.pydantic_program_mode not in (PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION)

    def _structured(
        self, output_cls: type[BaseModel], prompt: BasePromptTemplate, llm_kwargs: Keywords, prompt_args: dict[str, Any]
    ) -> tuple[list[ChatMessage], dict[str, Any]]:
        """The messages, the system prompt among them, and the keywords that hold their answer to the schema."""
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        if self.pydantic_program_mode == PydanticProgramMode.FUNCTION:
            return messages, {**(llm_kwargs or {}), "tools": [get_function_tool(output_cls)], "tool_choice": "required"}
        schema = {"name": output_cls.__name__, "schema": rooted(output_cls.model_json_schema())}
        return messages, {**(llm_kwargs or {}), "response_format": {"type": "json_schema", "json_schema": schema}}


class Growing(Generic[Model]):
    """An object that is being written."""

    def __init__(self, output_cls: type[Model]) -> None:
        self._output_cls, self._flexible_cls = output_cls, create_flexible_model(output_cls)
        self._last: ChatResponse | None = None
        self._shown: Any = None
        self._part: Model | FlexibleModel | None = None

    def push(self, chunk: ChatResponse) -> Model | FlexibleModel | None:
        """Take the next chunk; return the object as it is now, or None where nothing has changed."""
        self._last = chunk
        found = _written(chunk)
        if found is None or found == self._shown:
            return None
        self._shown = found
        self._part = self._read(found)
        if self._part is not None:
            dispatcher.event(LLMStructuredPredictInProgressEvent(output=self._part))
        return self._part

    def _read(self, found: Any) -> Model | FlexibleModel | None:
        with suppress(ValidationError):
            return self._output_cls.model_validate(found)
        with suppress(ValidationError):
            return self._flexible_cls.model_validate(found)
        return None

    def rest(self) -> Iterator[Model]:
        """End the object; yield it, unless its last part was it already."""
        assert self._last is not None, "a stream has a last chunk"
        whole = _told_end(_whole(self._output_cls, self._last))
        if self._part != whole:
            yield whole


def _written(response: ChatResponse) -> Any:
    """What is there of an object: the arguments of a call, or the beginning of a JSON text. None where there is nothing yet."""
    if calls := selections(response.message):
        return calls[0].tool_kwargs
    with suppress(ValueError):
        return from_json(response.message.content or "", allow_partial="trailing-strings")
    return None


async def _grown(growing: Growing[Model], chunks: AsyncGenerator[ChatResponse, None]) -> AsyncGenerator[Model | FlexibleModel, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            if (part := growing.push(chunk)) is not None:
                yield part
    for whole in growing.rest():
        yield whole


def _whole(output_cls: type[Model], response: ChatResponse) -> Model:
    if calls := selections(response.message):
        return output_cls.model_validate(calls[0].tool_kwargs)
    return output_cls.model_validate_json(response.message.content or "")


def _tell_start(output_cls: type[BaseModel], prompt: BasePromptTemplate, prompt_args: dict[str, Any]) -> None:
    dispatcher.event(LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args))


def _told_end(found: Model) -> Model:
    dispatcher.event(LLMStructuredPredictEndEvent(output=found))
    return found
