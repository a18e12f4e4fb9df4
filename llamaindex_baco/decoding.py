"""`BacoDecoding`: the eight methods of a LlamaIndex LLM over the engine. Knows the framework's contract; knows no decoding.

Every public method is decorated once and calls undecorated internals, so that one call is one LLM event with one token count. The async
methods use the engine's own, and check and load in another thread, so that the event loop runs on; cancelling ends the decoding within
one token.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from llama_index.core.base.llms.generic_utils import messages_to_prompt as default_messages_to_prompt
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM

from baco.answers.scoring import with_model_logprobs, with_scores
from baco.checks import require
from baco.engine import Engine
from baco.engine.call_settings import PAIR_SETTINGS, CallSettings, load_pair
from baco.results import GenerationResult, StreamEvent
from baco.text.chat_template import Message
from llamaindex_baco.capture import collect
from llamaindex_baco.messages import core_messages
from llamaindex_baco.responses import CHAT, COMPLETION, Form, Response, StreamedAnswer, whole_answers
from llamaindex_baco.settings import BacoSettings
from llamaindex_baco.streams import closes_stream, opened

Prompt = Callable[[], list[Message]]
"""Makes a call's messages; called where the event loop does not wait."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call, checked, with the pair loaded."""

    engine: Engine
    messages: list[Message]
    settings: CallSettings
    single_call: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """What the engine's methods are asked with."""
        chosen = self.settings
        tools = chosen.tools or None
        return {
            "messages": self.messages,
            "params": chosen.params,
            "router": chosen.router,
            "base_prompt": chosen.base_prompt,
            "tools": tools,
        }

    @property
    def is_judged(self) -> bool:
        """Whether the models are asked what they think of the answers."""
        return self.settings.score or self.settings.params.logprobs is not None

    def judged(self, result: GenerationResult) -> GenerationResult:
        """Add what the models think of the answers, where that was asked for."""
        if self.settings.params.logprobs is not None:
            result = with_model_logprobs(self.engine.pair, result)
        return with_scores(self.engine.pair, [result])[0] if self.settings.score else result


class BacoDecoding(BacoSettings, CustomLLM):
    """One conversation or prompt at a time, whole or streamed, sync or async."""

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer messages. With `n` above 1 the response is the first of n answers, and `raw["choices"]` has all of them."""
        return self._respond(partial(self._from_messages, messages), kwargs, CHAT)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt, which the models read as one user message."""
        return self._respond(partial(self._from_prompt, prompt, formatted), kwargs, COMPLETION)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer messages chunk by chunk; closing the generator ends the decoding."""
        return self._stream(partial(self._from_messages, messages), kwargs, CHAT)

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt chunk by chunk; closing the generator ends the decoding."""
        return self._stream(partial(self._from_prompt, prompt, formatted), kwargs, COMPLETION)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer messages off the event loop; cancelling the task ends the decoding within one token."""
        return await self._arespond(partial(self._from_messages, messages), kwargs, CHAT)

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt off the event loop; cancelling the task ends the decoding within one token."""
        return await self._arespond(partial(self._from_prompt, prompt, formatted), kwargs, COMPLETION)

    @closes_stream
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Answer messages chunk by chunk off the event loop; leaving the iteration ends the decoding within one token."""
        return await self._astream(partial(self._from_messages, messages), kwargs, CHAT)

    @closes_stream
    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Answer a prompt chunk by chunk off the event loop; leaving the iteration ends the decoding within one token."""
        return await self._astream(partial(self._from_prompt, prompt, formatted), kwargs, COMPLETION)

    def _from_messages(self, messages: Sequence[ChatMessage]) -> list[Message]:
        """Turn messages into what the engine reads, through a `messages_to_prompt` of the user's own if there is one."""
        assert self.messages_to_prompt is not None, "LLM sets it"
        if self.messages_to_prompt is not default_messages_to_prompt:
            messages = [ChatMessage(role=MessageRole.USER, content=self.messages_to_prompt(messages))]
        return core_messages(messages)

    def _from_prompt(self, prompt: str, formatted: bool) -> list[Message]:
        """Turn a prompt into what the engine reads."""
        assert self.completion_to_prompt is not None, "LLM sets it"
        return [{"role": "user", "content": prompt if formatted else self.completion_to_prompt(prompt)}]

    def _engine(self) -> Engine:
        """Load the pair, or find it if this process holds it."""
        return Engine(load_pair({name: getattr(self, name) for name in PAIR_SETTINGS}))

    def _call(self, prompt: Prompt, keywords: Mapping[str, Any], says_calls: bool, streams: bool) -> Call:
        """Check a call, and load the pair once nothing is wrong with it."""
        settings = self.for_call(keywords)
        require(
            says_calls or not settings.tools, "tools", "left out of completions, which cannot say calls; use chat", keywords.get("tools")
        )
        one = "1 in a stream, which is of one answer; use sample(…, n), or chat without streaming"
        require(not streams or settings.params.n == 1, "n", one, settings.params.n)
        single_call = keywords.get("parallel_tool_calls") is False
        return Call(engine=self._engine(), messages=prompt(), settings=settings, single_call=single_call)

    def _respond(self, prompt: Prompt, keywords: Mapping[str, Any], form: Form[Response]) -> Response:
        call = self._call(prompt, keywords, form is CHAT, streams=False)
        result = call.judged(call.engine.generate(**call.arguments))
        return _collected(form.all(whole_answers(result, self.pair_name, call.single_call)))

    async def _arespond(self, prompt: Prompt, keywords: Mapping[str, Any], form: Form[Response]) -> Response:
        call = await asyncio.to_thread(self._call, prompt, keywords, form is CHAT, streams=False)
        result = await call.engine.agenerate(**call.arguments)
        if call.is_judged:
            result = await asyncio.to_thread(call.judged, result)
        return _collected(form.all(whole_answers(result, self.pair_name, call.single_call)))

    def _stream(self, prompt: Prompt, keywords: Mapping[str, Any], form: Form[Response]) -> Generator[Response, None, None]:
        """Check the request, then return its chunks."""
        call = self._call(prompt, keywords, form is CHAT, streams=True)
        return _chunks(call, call.engine.stream(**call.arguments), StreamedAnswer(self.pair_name, call.single_call), form)

    async def _astream(self, prompt: Prompt, keywords: Mapping[str, Any], form: Form[Response]) -> AsyncGenerator[Response, None]:
        """Check the settings and load the pair, then return the chunks."""
        call = await asyncio.to_thread(self._call, prompt, keywords, form is CHAT, streams=True)
        return opened(_achunks(call, call.engine.astream(**call.arguments), StreamedAnswer(self.pair_name, call.single_call), form))


def _chunks(call: Call, events: Iterator[StreamEvent], answer: StreamedAnswer, form: Form[Response]) -> Generator[Response, None, None]:
    with closing(events):  # type: ignore[type-var]
        for event in events:
            chunk = answer.push(event if event.result is None else replace(event, result=call.judged(event.result)))
            yield _collected(form.one(chunk)) if chunk.final else form.one(chunk)


async def _achunks(
    call: Call, events: AsyncGenerator[StreamEvent, None], answer: StreamedAnswer, form: Form[Response]
) -> AsyncGenerator[Response, None]:
    async with aclosing(events):
        async for event in events:
            if event.result is not None and call.is_judged:
                event = replace(event, result=await asyncio.to_thread(call.judged, event.result))
            chunk = answer.push(event)
            yield _collected(form.one(chunk)) if chunk.final else form.one(chunk)


def _collected(response: Response) -> Response:
    collect(response)
    return response
