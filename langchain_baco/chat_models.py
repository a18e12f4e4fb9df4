"""`ChatBaco`: LangChain's chat model, with its calls for many prompts decoded as one batch."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Literal
from uuid import UUID

from langchain_core.callbacks import Callbacks
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig, RunnablePassthrough

from langchain_baco import batches, batching
from langchain_baco.batches import outcomes
from langchain_baco.binding import BacoBinding
from langchain_baco.decoding import require_one_answer
from langchain_baco.diverse import DiverseBaco
from langchain_baco.gathering import MAX_THREADS, arun_together, run_together
from langchain_baco.route_events import within_run


class ChatBaco(BacoBinding):
    """A chat model in which a base model and its aligned counterpart write together, token by token: varied answers that stay good.

    Setup:
        ``pip install 'baco[langchain]'``. Nothing else: without arguments a tiny pair that ships with the package answers.

    Instantiate:
        >>> from langchain_baco import ChatBaco
        >>> model = ChatBaco(router="p-punc", diversity=0.3, max_tokens=24)
        >>> model = ChatBaco(model="qwen2.5-0.5b")
        >>> model = ChatBaco(base="Qwen/Qwen3-0.6B-Base", aligned="Qwen/Qwen3-0.6B", dtype="bfloat16")

        The constructor checks the settings and loads nothing. Models come with the first answer, are loaded once per process and are
        shared by all instances, which are cheap to make, copy, pickle and configure.

    Invoke, stream, batch:
        >>> model = ChatBaco(max_tokens=24)
        >>> answer = model.invoke("Name a pet rabbit.", seed=1)
        >>> chunks = list(model.stream("Name a pet rabbit.", seed=1))
        >>> "".join(chunk.text for chunk in chunks) == answer.text
        True
        >>> answers = model.batch(["Name a pet rabbit.", "Name a pet cat."])

        `batch` and `abatch` decode all of their prompts as one batch, `generate` with ``n=8`` gives eight answers to each. The async forms
        do not hold up the event loop, and a cancelled task stops decoding within one token.

    Settings:
        Every field of the pair, the router and the sampling is also a keyword of a call and of `bind`, and holds for that call. What
        the constructor said gives way to a call that says it otherwise: ``diversity`` to a call's ``threshold``, ``threshold`` to
        ``diversity``, both of them to ``router`` (they belonged to another rule), ``base`` and ``aligned`` to ``model``, and the
        reverse. An unknown keyword is an error that names the nearest.

    Tool calling:
        >>> from langchain_core.tools import tool
        >>> @tool
        ... def weather(city: str) -> str:
        ...     "Say what the weather is like in a city."
        ...     return "sunny"
        >>> calling = ChatBaco(model="qwen2.5-0.5b").bind_tools([weather])

        Calls come as `tool_calls`, in a stream each as one `tool_call_chunks` once it is complete; what cannot be read as a call comes as
        `invalid_tool_calls`. The aligned model's chat template must have a place for tools. Whether to call is left to the models, unless
        ``tool_choice`` forces a call: then a grammar makes it one, with arguments that the tool's schema allows.

    Structured output:
        >>> from pydantic import BaseModel
        >>> class Rabbit(BaseModel):
        ...     name: str
        ...     age: int
        >>> rabbit = ChatBaco(max_tokens=40).with_structured_output(Rabbit).invoke("Name a pet rabbit, and say how old it is.", seed=1)
        >>> isinstance(rabbit, Rabbit)
        True

        Both models are held to the schema, so that every answer is valid, also where ``max_tokens`` is near. The base model writes only
        inside strings that are values.

    Response metadata:
        ``finish_reason`` ("stop", "length", "cancelled", "tool_calls"), ``model_name``, ``model_provider``, ``seed``, ``router``,
        ``threshold``, ``logprobs`` (if asked for, in OpenAI's form, each token with its ``source``), and ``baco``: ``spans`` (the answer
        as it was written, calls included, in runs of one model, ``[[text, "base" | "aligned"], …]``), ``base_share``, ``passes`` of each
        model. `usage_metadata` counts exactly, and the tokens of each model under ``output_token_details``. A stream has all of it on its
        last chunk.

    Caching:
        LangChain's global cache is used for answers that come out the same again (greedy or seeded, without a timeout). With
        ``cache=True`` it is used for others too.

    Raises:
        UnknownKeywordError: a keyword does not exist.
        ConfigError: a setting is out of its range, or two contradict each other.
        ModelNotFoundError: there is no such preset or folder.
    """

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> AIMessage:
        """Answer one prompt.

        Raises:
            PromptError: the prompt is empty, has parts that are not text, or is longer than the context window.
            ConfigError: a setting is out of its range, or `n` is above 1, for which there is `generate`.
        """
        require_one_answer(self._settings(kwargs, stop))
        return super().invoke(input, config, stop=stop, **kwargs)

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> AIMessage:
        """Like `invoke`, off the event loop; cancelling the task stops decoding within one token."""
        require_one_answer(self._settings(kwargs, stop))
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    def diverse(
        self,
        n: int,
        *,
        distinct: float | Callable[[AIMessage, AIMessage], bool] | None = None,
        token_budget: int | None = None,
        rank: Literal["likelihood"] | Callable[[AIMessage], float] | None = None,
        **kwargs: Any,
    ) -> DiverseBaco:
        """Make a runnable that gives `n` different answers where the model gives one, from one reading of the prompt.

        Its `invoke` gives ``list[AIMessage]``, each with the usage of the whole request; its `batch` decodes prompts times n as one batch;
        its `stream` gives pairs ``(candidate, chunk)`` as they come. ``model.diverse(5).with_structured_output(Schema)`` gives
        ``list[Schema]``.

        Args:
            n: how many answers.
            distinct: drop an answer that is too much like one before it, and draw others in its place. A number in (0, 1] is the
                similarity (`baco.answers.similarity`: the share of words in common, in order) from which on it is dropped, so that 1 drops
                answers of the same words only; or a function that says whether two answers are too much alike.
            token_budget: tokens that all answers together may have, the dropped ones included, with `distinct`; when no further answer
                fits, fewer than n come back. None: twice n times `max_tokens` (our own choice).
            rank: put the best first: "likelihood" is the mean log-probability of an answer's tokens under the aligned model, which is
                then at ``response_metadata["baco"]["score"]``; or a function that gives an answer a number. None leaves them as drawn.
            **kwargs: settings for these calls, as in `bind`.

        Raises:
            ConfigError: a value is out of its range, or answers at temperature 0 are asked to differ.
        """
        made = DiverseBaco(model=self, n=n, distinct=distinct, token_budget=token_budget, rank=rank, settings=kwargs)
        made.check()
        return made

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Answer one prompt chunk by chunk; closing the iterator stops decoding. The last chunk has the metadata and the usage."""
        alone = self._settings(kwargs, stop).route_events and not within_run(config)
        run: Any = (self | RunnablePassthrough()).stream if alone else super().stream
        yield from run(input, config, stop=stop, **kwargs)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Like `stream`, off the event loop; leaving the iteration stops decoding within one token."""
        alone = self._settings(kwargs, stop).route_events and not within_run(config)
        run: Any = (self | RunnablePassthrough()).astream if alone else super().astream
        async with aclosing(run(input, config, stop=stop, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer several prompts as one batch, or as batches of `max_concurrency` where the configuration sets it.

        Args:
            inputs: the prompts.
            config: one configuration for all, or one for each. Each prompt is a run of its own for callbacks and traces.
            return_exceptions: whether a prompt that fails leaves its exception in its place. Otherwise one prompt that cannot be decoded
                fails the batch before anything is decoded.
            **kwargs: settings for this call.
        """
        return batches.batch(partial(self.invoke, **kwargs), inputs, config, return_exceptions)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Like `batch`, off the event loop; cancelling the task stops decoding within one token."""
        return await batches.abatch(partial(self.ainvoke, **kwargs), inputs, config, return_exceptions)

    def generate(
        self,
        messages: Sequence[LanguageModelInput],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        run_id: UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Give each prompt `n` answers, all of them decoded as one batch; each answer carries the usage of all of its prompt's.

        Args:
            messages: the prompts, each in a form that `invoke` takes too: a text, or messages.
            stop: texts that end an answer.
            callbacks: for the run of each prompt.
            run_id: of the first prompt's run.
            **kwargs: settings for this call, and `tags`, `metadata` and `run_name` for its runs.
        """
        prompts = [self._convert_input(prompt).to_messages() for prompt in messages]
        if len(prompts) < 2:
            return super().generate(prompts, stop, callbacks, run_id=run_id, **kwargs)
        one, results = super().generate, list[LLMResult]()
        for start in range(0, len(prompts), MAX_THREADS):
            calls = [
                partial(one, [prompt], stop, callbacks, run_id=None if index else run_id, **kwargs)
                for index, prompt in enumerate(prompts[start : start + MAX_THREADS], start)
            ]
            results += outcomes(run_together(calls, partial(batching.serve, isolate=False)), False)
        return _joined(results)

    async def agenerate(
        self,
        messages: Sequence[LanguageModelInput],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        run_id: UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Like `generate`, off the event loop; cancelling the task stops decoding within one token."""
        prompts = [self._convert_input(prompt).to_messages() for prompt in messages]
        if len(prompts) < 2:
            return await super().agenerate(prompts, stop, callbacks, run_id=run_id, **kwargs)
        one = super().agenerate
        calls = [
            partial(one, [prompt], stop, callbacks, run_id=None if index else run_id, **kwargs) for index, prompt in enumerate(prompts)
        ]
        return _joined(outcomes(await arun_together(calls, partial(batching.aserve, isolate=False)), False))


def _joined(results: Sequence[LLMResult]) -> LLMResult:
    """Put the results of single prompts together as the result of all of them."""
    runs = [run for result in results for run in result.run or ()]
    return LLMResult(generations=[result.generations[0] for result in results], llm_output={}, run=runs or None)
