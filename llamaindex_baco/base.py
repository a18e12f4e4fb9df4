"""`BacoLLM`: the eight methods of a LlamaIndex LLM over the engine. Knows the framework's contract; knows no decoding.

Every public method is decorated once and calls undecorated internals, so that one call is one LLM event with one token count. The async
methods use the engine's own, so the event loop runs on while tokens are decoded, and cancelling ends the decoding within one token.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any, TypeVar

from llama_index.core.base.llms.generic_utils import messages_to_prompt as default_messages_to_prompt
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM

from baco.call_settings import PAIR_SETTINGS, load_pair
from baco.engine import Engine
from baco.loading import context_window, load_config
from baco.results import StreamEvent
from llamaindex_baco.capture import collect
from llamaindex_baco.closing import closes_stream, opened
from llamaindex_baco.messages import core_messages
from llamaindex_baco.responses import Answer, StreamedAnswer
from llamaindex_baco.settings import BacoSettings

CoreMessages = list[dict[str, str]]
Response = TypeVar("Response", ChatResponse, CompletionResponse)


class BacoLLM(BacoSettings, CustomLLM):
    """A base and an aligned model that write each answer together.

    Making one checks the settings and loads nothing; the first call loads the pair, which all of this process shares. Copies, pickles and
    `to_dict` carry settings only. Each setting in `CALL_FIELDS` can be overridden by a keyword of one call.

    `complete` hands its prompt to the models as one user message. As in LlamaIndex's other chat models, `system_prompt` is added by
    `predict`, `stream` and what is built on them (query engines), not by `chat` and `complete`. A `completion_to_prompt` of your own is
    applied to the prompt of `complete` unless `formatted` is true; with a `messages_to_prompt` of your own, `chat` hands over the one text
    that it makes of the messages.

    `raw` of each response, and of the last chunk of a stream, is a plain dict: "model", "finish_reason", "seed", "usage" and "baco" with
    "router", "threshold", "spans", "base_tokens", "aligned_tokens" and "passes".
    """

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form."""
        return "BacoLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with, read from the models' configurations; no weights are loaded.

        `num_output`, the room that LlamaIndex keeps free for an answer, is `max_tokens`. Where that is the whole window or more, it is
        half of the window, so that a prompt fits (our own choice).
        """
        window = _context_window(*self.sources)
        return LLMMetadata(
            context_window=window,
            num_output=self.max_tokens if self.max_tokens < window else window // 2,
            is_chat_model=True,
            is_function_calling_model=False,
            model_name=self.pair_name,
        )

    def to_payload(self) -> dict[str, Any]:
        """Describe the LLM for callbacks and traces by its settings alone: it is read at every call, on the event loop."""
        settings = {name: getattr(self, name) for name in BacoSettings.model_fields}
        return {"class_name": self.class_name(), "model_name": self.pair_name, **settings}

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer messages."""
        return self._respond(self._from_messages(messages), kwargs, Answer.chat)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt, which the models read as one user message."""
        return self._respond(self._from_prompt(prompt, formatted), kwargs, Answer.completion)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer messages chunk by chunk; closing the generator ends the decoding."""
        return self._stream(self._from_messages(messages), kwargs, Answer.chat)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt chunk by chunk; closing the generator ends the decoding."""
        return self._stream(self._from_prompt(prompt, formatted), kwargs, Answer.completion)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer messages off the event loop; cancelling the task ends the decoding within one token."""
        return await self._arespond(self._from_messages(messages), kwargs, Answer.chat)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt off the event loop; cancelling the task ends the decoding within one token."""
        return await self._arespond(self._from_prompt(prompt, formatted), kwargs, Answer.completion)

    @closes_stream
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Answer messages chunk by chunk off the event loop; leaving the iteration ends the decoding within one token."""
        return await self._astream(self._from_messages(messages), kwargs, Answer.chat)

    @closes_stream
    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Answer a prompt chunk by chunk off the event loop; leaving the iteration ends the decoding within one token."""
        return await self._astream(self._from_prompt(prompt, formatted), kwargs, Answer.completion)

    def _from_messages(self, messages: Sequence[ChatMessage]) -> CoreMessages:
        """Turn messages into what the engine reads, through a `messages_to_prompt` of the user's own if there is one."""
        assert self.messages_to_prompt is not None, "LLM sets it"
        if self.messages_to_prompt is not default_messages_to_prompt:
            messages = [ChatMessage(role=MessageRole.USER, content=self.messages_to_prompt(messages))]
        return core_messages(messages)

    def _from_prompt(self, prompt: str, formatted: bool) -> CoreMessages:
        """Turn a prompt into what the engine reads."""
        assert self.completion_to_prompt is not None, "LLM sets it"
        return [{"role": "user", "content": prompt if formatted else self.completion_to_prompt(prompt)}]

    def _engine(self) -> Engine:
        """Load the pair, or find it if this process holds it."""
        return Engine(load_pair({name: getattr(self, name) for name in PAIR_SETTINGS}))

    def _respond(self, messages: CoreMessages, keywords: Mapping[str, Any], convert: Callable[[Answer], Response]) -> Response:
        call = self.for_call(keywords)
        result = self._engine().generate(messages, call.params, call.router, base_prompt=call.base_prompt)
        return _collected(convert(Answer.whole(result, self.pair_name)))

    async def _arespond(self, messages: CoreMessages, keywords: Mapping[str, Any], convert: Callable[[Answer], Response]) -> Response:
        call = self.for_call(keywords)
        engine = await asyncio.to_thread(self._engine)
        result = await engine.agenerate(messages, call.params, call.router, base_prompt=call.base_prompt)
        return _collected(convert(Answer.whole(result, self.pair_name)))

    def _stream(
        self, messages: CoreMessages, keywords: Mapping[str, Any], convert: Callable[[Answer], Response]
    ) -> Generator[Response, None, None]:
        """Check the request, then return its chunks."""
        call = self.for_call(keywords)
        events = self._engine().stream(messages, call.params, call.router, base_prompt=call.base_prompt)
        return _chunks(events, StreamedAnswer(self.pair_name), convert)

    async def _astream(
        self, messages: CoreMessages, keywords: Mapping[str, Any], convert: Callable[[Answer], Response]
    ) -> AsyncGenerator[Response, None]:
        """Check the settings and load the pair, then return the chunks."""
        call = self.for_call(keywords)
        engine = await asyncio.to_thread(self._engine)
        events = engine.astream(messages, call.params, call.router, base_prompt=call.base_prompt)
        return opened(_achunks(events, StreamedAnswer(self.pair_name), convert))


def _chunks(
    events: Iterator[StreamEvent], answer: StreamedAnswer, convert: Callable[[Answer], Response]
) -> Generator[Response, None, None]:
    for event in events:
        chunk = answer.push(event)
        yield _collected(convert(chunk)) if chunk.final else convert(chunk)


async def _achunks(
    events: AsyncGenerator[StreamEvent, None], answer: StreamedAnswer, convert: Callable[[Answer], Response]
) -> AsyncGenerator[Response, None]:
    async with aclosing(events):
        async for event in events:
            chunk = answer.push(event)
            yield _collected(convert(chunk)) if chunk.final else convert(chunk)


def _collected(response: Response) -> Response:
    collect(response)
    return response


@cache
def _context_window(*sources: str) -> int:
    """Longest prompt and answer together, in tokens: the smallest of the models' windows."""
    return min(context_window(load_config(source)) for source in sources)
