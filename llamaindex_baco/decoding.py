"""`Call`: one request of `BacoLLM` to the engine, whole or streamed, sync or async.

Knows the engine, results and responses; knows nothing of LlamaIndex's messages or of how settings are merged. The async methods use
the engine's own, so that the event loop runs on; cancelling ends the decoding within one token.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, Generic

from baco.engine import Engine
from baco.engine.call_settings import CallSettings
from baco.results import GenerationResult, StreamEvent
from baco.text.chat_template import Message
from llamaindex_baco.capture import collect
from llamaindex_baco.responses import Answer, Response, StreamedAnswer, whole_answer
from llamaindex_baco.streams import opened


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[Response]):
    """A checked call whose pair is loaded."""

    engine: Engine
    messages: list[Message]
    settings: CallSettings
    single_call: bool
    """Whether only the first tool call of an answer counts."""
    model: str
    """The pair's name."""
    form: Callable[[Answer], Response]
    """Makes the response of an answer, or of a part of one."""

    def respond(self) -> Response:
        """Decode all answers and return their response."""
        return self._response(self.engine.generate(**self._arguments))

    async def arespond(self) -> Response:
        """Like `respond`, off the event loop."""
        return self._response(await self.engine.agenerate(**self._arguments))

    def stream(self) -> Generator[Response, None, None]:
        """Check the prompt and return the chunks of the answer. Closing the generator ends the decoding."""
        return self._chunks(self.engine.stream(**self._arguments))

    def astream(self) -> AsyncGenerator[Response, None]:
        """Like `stream`, off the event loop; the prompt is checked when the iteration begins."""
        return opened(self._achunks(self.engine.astream(**self._arguments)))

    @property
    def _arguments(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "messages": self.messages,
            "params": settings.params,
            "router": settings.router,
            "base_prompt": settings.base_prompt,
            "chat_template_kwargs": settings.chat_template_kwargs,
            "reasoning": settings.reasoning,
            "tools": settings.tools or None,
            "score": settings.score,
            "model_logprobs": settings.params.logprobs is not None,
        }

    def _response(self, result: GenerationResult) -> Response:
        response = self.form(whole_answer(result, self.model, self.single_call))
        collect(response)
        return response

    def _chunks(self, events: Iterator[StreamEvent]) -> Generator[Response, None, None]:
        answer = StreamedAnswer(self.model, self.single_call)
        with closing(events):  # type: ignore[type-var]
            for event in events:
                yield self._chunk(answer, event)

    async def _achunks(self, events: AsyncGenerator[StreamEvent, None]) -> AsyncGenerator[Response, None]:
        answer = StreamedAnswer(self.model, self.single_call)
        async with aclosing(events):
            async for event in events:
                yield self._chunk(answer, event)

    def _chunk(self, answer: StreamedAnswer, event: StreamEvent) -> Response:
        chunk = answer.push(event)
        response = self.form(chunk)
        if chunk.final:
            collect(response)
        return response
