"""`DiverseBaco`: a runnable that gives n different answers where a model gives one.

Knows the model's calls and the selection of answers; knows nothing of decoding.
"""

import operator
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from functools import reduce
from typing import Any, Literal, NamedTuple, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from pydantic import ConfigDict, Field, SkipValidation

from baco.answers.selection import Selection
from baco.checks import require
from baco.parsing import answer
from langchain_baco.batching import Configs, interruptible, wide_configs
from langchain_baco.binding import Method, Schema, bound_schema, bound_tools
from langchain_baco.candidate_stream import Candidates, astream_candidates, stream_candidates
from langchain_baco.fields import BacoFields
from langchain_baco.messages import LangChainTool

Likeness = float | Callable[[AIMessage, AIMessage], bool] | None
Rank = Literal["likelihood"] | Callable[[AIMessage], float] | None


class CandidateChunk(NamedTuple):
    """A piece of one of several answers."""

    candidate: int
    """Which answer, from 0."""
    chunk: AIMessageChunk


class DiverseBaco(RunnableSerializable[LanguageModelInput, list[AIMessage]]):
    """Made by `ChatBaco.diverse`, which says what its settings mean."""

    model: BacoFields
    n: SkipValidation[int]
    distinct: SkipValidation[Likeness] = None
    token_budget: SkipValidation[int | None] = None
    rank: SkipValidation[Rank] = None
    settings: dict[str, Any] = Field(default_factory=dict)

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def check(self) -> None:
        """Raise `ConfigError` for a value that is out of its range."""
        self._selection({})

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> list[AIMessage]:
        """Answer one prompt n times, with settings for this call.

        Raises:
            PromptError: the prompt is empty, has parts that are not text, or is longer than the context window.
            ConfigError: a setting is out of its range.
        """
        return self._call_with_config(cast(Any, self._draw), input, config, **kwargs)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any) -> list[AIMessage]:
        """Like `invoke`, off the event loop; cancelling the task stops decoding within one token."""
        return await self._acall_with_config(cast(Any, self._adraw), input, config, **kwargs)

    def batch(
        self, inputs: list[LanguageModelInput], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[list[AIMessage]]:
        """Answer each prompt n times, all of them as one batch on the models."""
        configs = wide_configs(config, len(inputs), self.n)
        return interruptible(super().batch, inputs, configs, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self, inputs: list[LanguageModelInput], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[list[AIMessage]]:
        """Like `batch`, off the event loop."""
        return await super().abatch(inputs, wide_configs(config, len(inputs), self.n), return_exceptions=return_exceptions, **kwargs)

    def stream(  # type: ignore[override]
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[CandidateChunk]:
        """Yield ``(candidate, chunk)`` as the answers are written. With `distinct` or `rank`, whole answers once they are chosen."""
        for candidates in self.transform(iter([input]), config, **kwargs):
            yield from _numbered(candidates)

    async def astream(  # type: ignore[override]
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[CandidateChunk]:
        """Like `stream`, off the event loop; leaving the iteration stops decoding within one token."""

        async def inputs() -> AsyncIterator[LanguageModelInput]:
            yield input

        async with aclosing(self.atransform(inputs(), config, **kwargs)) as pieces:  # type: ignore[type-var]
            async for candidates in pieces:
                for piece in _numbered(candidates):
                    yield piece

    def transform(
        self, input: Iterator[LanguageModelInput], config: RunnableConfig | None = None, **kwargs: Any | None
    ) -> Iterator[list[AIMessage]]:
        """Stream inside a chain: each item is a list of n, all None but the next piece of one answer; added up they are `invoke`'s list."""
        return self._transform_stream_with_config(input, cast(Any, self._pieces), config, **kwargs)

    def atransform(
        self, input: AsyncIterator[LanguageModelInput], config: RunnableConfig | None = None, **kwargs: Any | None
    ) -> AsyncIterator[list[AIMessage]]:
        """Like `transform`, off the event loop."""
        return self._atransform_stream_with_config(input, cast(Any, self._apieces), config, **kwargs)

    def bind_tools(self, tools: list[LangChainTool], **kwargs: Any) -> "DiverseBaco":
        """As `ChatBaco.bind_tools`; each of the answers may call them."""
        return self.model_copy(update={"settings": bound_tools(self.model, tools, {**self.settings, **kwargs})})

    def with_structured_output(
        self, schema: Schema, *, method: Method = "json_schema", include_raw: bool = False, strict: bool | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, list[Any]]:
        """As `ChatBaco.with_structured_output`, for each of the answers."""
        settings, parser = bound_schema(self.model, schema, method, include_raw, strict, {**self.settings, **kwargs})
        return self.model_copy(update={"settings": settings}) | parser.map()

    @property
    def _chooses(self) -> bool:
        """Whether answers must be complete before they are returned, since they are selected or ranked."""
        return self.distinct is not None or self.rank is not None

    def _selection(self, call: dict[str, Any]) -> Selection[AIMessage]:
        """Nothing selected yet, under the settings of a call."""
        require("n" not in call and "n" not in self.settings, "n", "left out here: it is the number given to `diverse`", call.get("n"))
        params = self.model._settings({**self.settings, **call}).call.params
        return Selection(
            n=self.n, params=params, distinct=self.distinct, rank=self.rank, token_budget=self.token_budget, text=readable, score=score
        )

    def _round(self, config: RunnableConfig, call: dict[str, Any], count: int, seed: int | None) -> dict[str, Any]:
        """The keywords of the call that draws one round of answers."""
        # LangChain would decode as a stream for some callbacks, and a stream is of one answer.
        drawn = {"n": count, "seed": seed, "stream": False, "score": self.rank == "likelihood"}
        return {**self.settings, **call, **drawn, "callbacks": config.get("callbacks")}

    def _streamed(self, prompt: LanguageModelInput, call: dict[str, Any]) -> tuple[list[BaseMessage], dict[str, Any]]:
        """The messages of the prompt, and the keywords of the call that streams all answers to it, checked."""
        self._selection(call)
        return self.model._convert_input(prompt).to_messages(), {**self.settings, **call, "n": self.n}

    def _draw(self, prompt: LanguageModelInput, config: RunnableConfig, **kwargs: Any) -> list[AIMessage]:
        selection, value = self._selection(kwargs), self.model._convert_input(prompt)
        for drawn in selection.rounds():
            _take(selection, self.model.generate_prompt([value], **self._round(config, kwargs, *drawn)))
        return selection.result()

    async def _adraw(self, prompt: LanguageModelInput, config: RunnableConfig, **kwargs: Any) -> list[AIMessage]:
        selection, value = self._selection(kwargs), self.model._convert_input(prompt)
        for drawn in selection.rounds():
            _take(selection, await self.model.agenerate_prompt([value], **self._round(config, kwargs, *drawn)))
        return selection.result()

    def _pieces(self, inputs: Iterator[LanguageModelInput], config: RunnableConfig, **kwargs: Any) -> Iterator[Any]:
        prompt = reduce(operator.add, inputs)
        if self._chooses:
            yield _whole(self._draw(prompt, config, **kwargs))
        else:
            messages, call = self._streamed(prompt, kwargs)
            yield from stream_candidates(self.model, messages, config, call)

    async def _apieces(self, inputs: AsyncIterator[LanguageModelInput], config: RunnableConfig, **kwargs: Any) -> AsyncIterator[Any]:
        prompt = reduce(operator.add, [part async for part in inputs])
        if self._chooses:
            yield _whole(await self._adraw(prompt, config, **kwargs))
            return
        messages, call = self._streamed(prompt, kwargs)
        async with aclosing(astream_candidates(self.model, messages, config, call)) as pieces:  # type: ignore[type-var]
            async for candidates in pieces:
                yield candidates


def score(message: AIMessage) -> float:
    """How likely the aligned model finds an answer: the mean log-probability of its tokens."""
    return cast(float, message.response_metadata["baco"]["score"])


def readable(message: AIMessage) -> str:
    """What an answer says: its text and its calls."""
    return answer.readable(message.text, ((call["name"], call["args"]) for call in message.tool_calls))


def _take(selection: Selection[AIMessage], result: LLMResult) -> None:
    messages = [cast(AIMessage, cast(ChatGeneration, generation).message) for generation in result.generations[0]]
    usage = messages[0].usage_metadata
    selection.take(messages, 0 if usage is None else usage["output_tokens"])


def _whole(messages: list[AIMessage]) -> Candidates:
    """Complete answers as chunks."""
    return Candidates(AIMessageChunk(**message.model_dump(exclude={"type"}), chunk_position="last") for message in messages)


def _numbered(candidates: Any) -> Iterator[CandidateChunk]:
    return (CandidateChunk(index, chunk) for index, chunk in enumerate(candidates) if chunk is not None)
