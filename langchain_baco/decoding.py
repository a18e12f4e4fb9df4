"""`BacoDecoding`: what LangChain asks of a chat model for one prompt: an answer, a stream, a cached answer, a count of tokens."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.globals import get_llm_cache
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from baco import ConfigError
from baco.text.prompts import UNBOUNDED, build_prompt, text_ids
from langchain_baco import batching
from langchain_baco.errors import model_errors
from langchain_baco.fields import BacoFields
from langchain_baco.gathering import Order, place
from langchain_baco.messages import openai_tools, to_core
from langchain_baco.outputs import Chunks, to_chat_result
from langchain_baco.route_events import aannounce, announce
from langchain_baco.settings import Settings


class BacoDecoding(BacoFields):
    """One prompt at a time, by the engine."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors():
            order = Order(messages, self._settings(kwargs, stop))
            if not place(order):
                batching.serve([order], isolate=False)
            return to_chat_result(order.answer.result(), order.settings)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        with model_errors():
            order = Order(messages, self._settings(kwargs, stop))
            if not place(order):
                await batching.aserve([order], isolate=False)
            return to_chat_result(await asyncio.wrap_future(order.answer), order.settings)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        with model_errors():
            order = Order(messages, require_one_answer(self._settings(kwargs, stop)))
            chunks = Chunks(order.settings)
            with closing(batching.stream(order)) as events:  # type: ignore[type-var]
                for event in events:
                    if order.settings.route_events:
                        announce(event)
                    chunk = chunks.of(event)
                    if chunk is not None:
                        if run_manager is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        with model_errors():
            order = Order(messages, require_one_answer(self._settings(kwargs, stop)))
            chunks = Chunks(order.settings)
            async with aclosing(batching.astream(order)) as events:
                async for event in events:
                    if order.settings.route_events:
                        await aannounce(event)
                    chunk = chunks.of(event)
                    if chunk is not None:
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk

    def _generate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = self._past_the_cache(kwargs, stop)
        return super(BacoDecoding, model)._generate_with_cache(messages, stop=stop, run_manager=run_manager, **kwargs)

    async def _agenerate_with_cache(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = self._past_the_cache(kwargs, stop)
        return await super(BacoDecoding, model)._agenerate_with_cache(messages, stop=stop, run_manager=run_manager, **kwargs)

    def _past_the_cache(self, kwargs: dict[str, Any], stop: list[str] | None) -> "BacoDecoding":
        """Return this model, without the global cache where that would turn new samples into one old answer."""
        if self.cache is not None or get_llm_cache() is None or self._settings(kwargs, stop).is_reproducible:
            return self
        warnings.warn(
            "LangChain's global cache is not used for answers that are sampled without a seed: it would give the first one for ever. "
            f"{type(self).__name__}(cache=True) uses it all the same, cache=False keeps silent",
            stacklevel=2,
        )
        return self.model_copy(update={"cache": False})

    def get_token_ids(self, text: str) -> list[int]:
        """Encode a text on its own with the pair's tokenizer, without a token that opens or closes a sequence."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return text_ids(self._settings({}).engine().pair.tokenizer, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Count the tokens of a prompt exactly, as `usage_metadata["input_tokens"]` would. Never asks a hub for a local pair.

        Args:
            messages: the prompt.
            tools: the tools that it is sent with, in any form that `bind_tools` takes.
        """
        settings = self._settings({"tools": openai_tools(tools or ())})
        which = settings.router.models[-1]
        prompt = build_prompt(
            settings.engine().pair.info,
            to_core(messages),
            models=[which],
            base_prompt=settings.base_prompt,
            tools=settings.tools or (),
            max_model_len=UNBOUNDED,
        )
        return len(prompt.token_ids[which])


def require_one_answer(settings: Settings) -> Settings:
    """Return the settings of a call that can hand back only one answer.

    Raises:
        ConfigError: more are asked for.
    """
    if settings.params.n > 1:
        raise ConfigError(
            f"`n` must be 1 where LangChain returns one answer (invoke, stream, batch), but is {settings.params.n}; use generate()"
        )
    return settings
