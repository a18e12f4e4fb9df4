"""`ChatBaco`: LangChain's chat model, with its calls for many prompts decoded as one batch."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

from langchain_core.callbacks import Callbacks
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list

from langchain_baco import batching
from langchain_baco.binding import BacoBinding
from langchain_baco.decoding import require_one_answer
from langchain_baco.gathering import MAX_THREADS, arun_together, run_together

Outcome = TypeVar("Outcome")


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
        answers: list[AIMessage] = []
        for group in _groups(inputs, config, MAX_THREADS):
            calls = [partial(self.invoke, prompt, settings, **kwargs) for prompt, settings in group]
            answers += _outcomes(run_together(calls, partial(batching.serve, isolate=return_exceptions)), return_exceptions)
        return answers

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Like `batch`, off the event loop; cancelling the task stops decoding within one token."""
        answers: list[AIMessage] = []
        for group in _groups(inputs, config, len(inputs)):
            calls = [partial(self.ainvoke, prompt, settings, **kwargs) for prompt, settings in group]
            answers += _outcomes(await arun_together(calls, partial(batching.aserve, isolate=return_exceptions)), return_exceptions)
        return answers

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
            results += _outcomes(run_together(calls, partial(batching.serve, isolate=False)), False)
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
        return _joined(_outcomes(await arun_together(calls, partial(batching.aserve, isolate=False)), False))


def _groups(
    inputs: Sequence[LanguageModelInput], config: RunnableConfig | list[RunnableConfig] | None, widest: int
) -> Iterator[list[tuple[LanguageModelInput, RunnableConfig]]]:
    """Pair inputs with their configurations, in groups that may run at once."""
    pairs = list(zip(inputs, get_config_list(config, len(inputs)), strict=True))
    width = min(widest, pairs[0][1].get("max_concurrency") or widest) if pairs else widest
    return (pairs[start : start + width] for start in range(0, len(pairs), width or 1))


def _outcomes(outcomes: list[Outcome | BaseException], return_exceptions: bool) -> list[Outcome]:
    """Raise the first failure, or leave each in its place, as LangChain does although its types do not say so."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not (return_exceptions and isinstance(outcome, Exception)):
            raise outcome
    return cast(list[Outcome], outcomes)


def _joined(results: Sequence[LLMResult]) -> LLMResult:
    """Put the results of single prompts together as the result of all of them."""
    runs = [run for result in results for run in result.run or ()]
    return LLMResult(generations=[result.generations[0] for result in results], llm_output={}, run=runs or None)
