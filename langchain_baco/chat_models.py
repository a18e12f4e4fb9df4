"""`ChatBaco`: LangChain's chat model. What LangChain's users call, and what LangChain calls.

Knows LangChain's calls and the functions beside it; knows nothing of how a prompt is decoded.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnablePassthrough
from langchain_core.runnables.config import ContextThreadPoolExecutor

from baco.checks import require
from baco.grammar.constraints import forced_tool
from baco.text.prompts import UNBOUNDED, build_prompt, own_template, text_ids
from baco.text.template_variables import template_variables
from langchain_baco.batching import Configs, interruptible, num_calls, wide_configs
from langchain_baco.binding import BoundBaco, Method, Schema, bound_schema, bound_tools
from langchain_baco.decoding import adecode, astream_events, decode, stream_events
from langchain_baco.diverse import DiverseBaco, Likeness, Rank
from langchain_baco.errors import model_errors
from langchain_baco.fields import AsyncRun, BacoFields, Run
from langchain_baco.messages import LangChainTool, openai_tools, to_core
from langchain_baco.outputs import Chunks, to_chat_result
from langchain_baco.route_events import within_run


class ChatBaco(BacoFields):
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

        `generate` with ``n=8`` gives eight answers to each. The async forms do not block the event loop.

    Settings:
        Every field of the pair, the router and the sampling is also a keyword of a call and of `bind`, and holds for that call. What
        a call says in another form replaces what the constructor said: ``threshold`` replaces ``diversity`` and the reverse, ``router``
        both of them (they belonged to another rule), ``model`` replaces ``base`` and ``aligned`` and the reverse. An unknown keyword is
        an error that names the nearest.

    Tool calling:
        >>> from langchain_core.tools import tool
        >>> @tool
        ... def weather(city: str) -> str:
        ...     "Say what the weather is like in a city."
        ...     return "sunny"
        >>> calling = ChatBaco(model="qwen2.5-0.5b").bind_tools([weather])

        Calls come as `tool_calls`, in a stream each as one `tool_call_chunks` once it is complete; what cannot be read as a call comes as
        `invalid_tool_calls`. The aligned model's chat template must have a place for tools. A call that ``tool_choice`` forces is held to
        the tool's schema by a grammar.

    Structured output:
        >>> from pydantic import BaseModel
        >>> class Rabbit(BaseModel):
        ...     name: str
        ...     age: int
        >>> rabbit = ChatBaco(max_tokens=40).with_structured_output(Rabbit).invoke("Name a pet rabbit, and say how old it is.", seed=1)
        >>> isinstance(rabbit, Rabbit)
        True

        Both models are held to the schema. The base model writes only inside strings that are values.

    Response metadata:
        ``finish_reason`` ("stop", "length", "cancelled", "tool_calls"), ``model_name``, ``model_provider``, ``seed``, ``router``,
        ``threshold``, ``logprobs`` (if asked for, in OpenAI's form, each token with its ``source``), and ``baco``: ``spans`` (the answer
        as it was written, calls included, in runs of one model, ``[[text, "base" | "aligned"], …]``), ``base_share``, ``sampling`` (the
        settings in force) and ``passes`` (of each model, and how many draft tokens were proposed and accepted). `usage_metadata` counts
        exactly, and the tokens of each model under ``output_token_details``. A stream has all of it on its last chunk.

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
        self._check_one(kwargs)
        return super().invoke(input, config, stop=stop, **kwargs)

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> AIMessage:
        """Like `invoke`, off the event loop; cancelling the task stops decoding within one token."""
        self._check_one(kwargs)
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Answer one prompt chunk by chunk; closing the iterator stops decoding. The last chunk has the metadata and the usage."""
        alone = kwargs.get("route_events", self.route_events) and not within_run(config)
        run: Any = (self | RunnablePassthrough()).stream if alone else super().stream
        yield from run(input, config, stop=stop, **kwargs)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, *, stop: list[str] | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Like `stream`, off the event loop; leaving the iteration stops decoding within one token."""
        alone = kwargs.get("route_events", self.route_events) and not within_run(config)
        run: Any = (self | RunnablePassthrough()).astream if alone else super().astream
        async with aclosing(run(input, config, stop=stop, **kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    def batch(
        self, inputs: list[LanguageModelInput], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[AIMessage]:
        """Answer several prompts as one batch on the models: LangChain's own `batch`, with a thread for each of up to 256 prompts.

        Each prompt is a run of its own for callbacks and traces. An interrupt stops the decoding of all prompts within one token.

        Args:
            inputs: the prompts.
            config: one for all or one for each; `max_concurrency` in the first is the number of prompts at once in place of 256.
            return_exceptions: whether a failure takes its prompt's place. Otherwise the first is raised once the other prompts have ended.
            **kwargs: settings for this call.
        """
        return interruptible(super().batch, inputs, wide_configs(config, len(inputs)), return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self, inputs: list[LanguageModelInput], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[AIMessage]:
        """Like `batch`, off the event loop; cancelling the task stops decoding within one token."""
        return await super().abatch(inputs, wide_configs(config, len(inputs)), return_exceptions=return_exceptions, **kwargs)

    def generate(
        self, messages: Sequence[LanguageModelInput], stop: list[str] | None = None, callbacks: Callbacks = None, **kwargs: Any
    ) -> LLMResult:
        """Give each prompt `n` answers, all of them decoded as one batch; each answer carries the usage of all of its prompt's.

        Args:
            messages: the prompts, each in a form that `invoke` takes too: a text, or messages.
            stop: texts that end an answer.
            callbacks: for the run of each prompt.
            **kwargs: settings for this call; `tags`, `metadata` and `run_name` for its runs, and `run_id` for that of the first prompt.
        """
        prompts, one, later = self._prompts(messages), super().generate, {**kwargs, "run_id": None}
        if len(prompts) < 2:
            return one(prompts, stop, callbacks, **kwargs)

        def answer(index: int) -> LLMResult:
            return one([prompts[index]], stop, callbacks, **(later if index else kwargs))

        def answer_all() -> list[LLMResult]:
            with ContextThreadPoolExecutor(num_calls(len(prompts), kwargs.get("n", self.n))) as pool:
                return list(pool.map(answer, range(len(prompts))))

        return _joined(interruptible(answer_all))

    async def agenerate(
        self, messages: Sequence[LanguageModelInput], stop: list[str] | None = None, callbacks: Callbacks = None, **kwargs: Any
    ) -> LLMResult:
        """Like `generate`, off the event loop; cancelling the task stops decoding within one token."""
        prompts, several, later = self._prompts(messages), super().agenerate, {**kwargs, "run_id": None}
        width = num_calls(len(prompts), kwargs.get("n", self.n))
        parts = [(start, prompts[start : start + width]) for start in range(0, len(prompts), width)]
        return _joined([await several(part, stop, callbacks, **(later if start else kwargs)) for start, part in parts])

    def _prompts(self, inputs: Sequence[LanguageModelInput]) -> list[list[BaseMessage]]:
        return [self._convert_input(one).to_messages() for one in inputs]

    def diverse(
        self, n: int, *, distinct: Likeness = None, token_budget: int | None = None, rank: Rank = None, **kwargs: Any
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

    def bind_tools(
        self,
        tools: Sequence[LangChainTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools that answers may call, or must.

        Args:
            tools: LangChain tools, functions, Pydantic classes, TypedDicts, or schemas in OpenAI's form.
            tool_choice: None or "auto" leaves the choice to the models; "any", "required" or True makes the answer a call of one of the
                tools, and a tool's name, or OpenAI's or Anthropic's form of it, a call of that tool; "none" binds no tools.
            parallel_tool_calls: whether an answer that must call may call several times. None: once (our own choice).
            strict: True asks that calls are held to their schemas. Forced ones are in any case; others are not yet, so that True without a
                forced call is refused.
            **kwargs: settings to bind with them.

        Raises:
            ConfigError: there is no such tool, a tool is malformed, or its schema cannot be enforced.
        """
        holds = forced_tool(tool_choice) is not None or "response_format" in kwargs
        require(strict is not True or holds, "strict", 'left out, or beside tool_choice="any" or a tool\'s name', strict)
        choice = {"tool_choice": tool_choice, "parallel_tool_calls": parallel_tool_calls}
        return self.bind(**bound_tools(self, tools, {**kwargs, **choice}))

    def bind(self, **kwargs: Any) -> "BoundBaco":  # type: ignore[override]
        """Bind settings: the calls of what is returned have them."""
        return BoundBaco(bound=self, kwargs=kwargs, config={})

    def with_structured_output(
        self, schema: Schema, *, method: Method = "json_schema", include_raw: bool = False, strict: bool | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer with JSON that a schema describes. It is valid by construction, also where `max_tokens` is near.

        The models are not told the schema: say in the prompt what is wanted.

        Args:
            schema: a Pydantic class, whose instances come back; or a TypedDict, a JSON schema with a title, or a tool in OpenAI's form,
                for which dicts do.
            method: "json_schema": the answer is the JSON. "function_calling": the answer is a call of a tool with this schema, so that the
                aligned model's chat template must have a place for tools. "json_mode": as "json_schema".
            include_raw: whether to return `{"raw": message, "parsed": …, "parsing_error": …}`.
            strict: accepted for the sake of other models' settings; here every schema is enforced.
            **kwargs: settings to bind with it.

        Raises:
            ConfigError: no such method, or a schema that cannot be enforced.
        """
        settings, parser = bound_schema(self, schema, method, include_raw, strict, kwargs)
        return self.bind(**settings) | parser

    def _generate(self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Run = None, **kwargs: Any) -> ChatResult:
        with model_errors():
            settings = self._settings(kwargs, stop)
            return to_chat_result(decode(messages, settings), settings)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncRun = None, **kwargs: Any
    ) -> ChatResult:
        with model_errors():
            settings = self._settings(kwargs, stop)
            return to_chat_result(await adecode(messages, settings), settings)

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Run = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        with model_errors():
            self._check_one(kwargs)
            settings = self._settings(kwargs, stop)
            chunks = Chunks(settings)
            with closing(stream_events(messages, settings)) as events:
                for event in events:
                    for chunk in chunks.of(event):
                        if run_manager is not None:
                            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncRun = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        with model_errors():
            self._check_one(kwargs)
            settings = self._settings(kwargs, stop)
            chunks = Chunks(settings)
            async with aclosing(astream_events(messages, settings)) as events:
                async for event in events:
                    for chunk in chunks.of(event):
                        if run_manager is not None:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk

    def get_token_ids(self, text: str) -> list[int]:
        """Encode a text on its own with the pair's tokenizer, without a token that opens or closes a sequence."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return text_ids(self._settings({}).engine().pair.tokenizer, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Count the tokens of a prompt exactly, as `usage_metadata["input_tokens"]` would. Never asks a hub for a local pair.

        The tools that it is sent with may have any form that `bind_tools` takes.
        """
        settings = self._settings({"tools": openai_tools(tools or ())})
        call, info, which = settings.call, settings.engine().pair.info, settings.call.router.models[-1]
        variables = template_variables(info.tokenizer, call.chat_template_kwargs, call.reasoning, own_template(call.base_prompt))
        prompt = build_prompt(
            info,
            to_core(messages),
            models=[which],
            base_prompt=call.base_prompt,
            tools=call.tools,
            variables=variables,
            max_model_len=UNBOUNDED,
        )
        return len(prompt.token_ids[which])


def _joined(results: Sequence[LLMResult]) -> LLMResult:
    """Put the results of parts of the prompts together as the result of all of them."""
    generations = [answers for result in results for answers in result.generations]
    runs = [run for result in results for run in result.run or ()]
    return LLMResult(generations=generations, llm_output={}, run=runs or None)
