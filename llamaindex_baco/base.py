"""`BacoLLM`: the LLM that a user of LlamaIndex holds.

Knows LlamaIndex's contract for LLMs; knows nothing of decoding. Every public method is decorated once and calls undecorated internals, so
that one call is one LLM event with one token count.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any, Literal

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
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.tools import BaseTool

from baco.answers.selection import Selection
from baco.checks import require
from baco.engine import Engine
from baco.engine.call_settings import PAIR_SETTINGS, CallSettings, load_pair
from baco.models.capabilities import fetch_capabilities
from baco.models.pair import loaded_pair
from baco.parsing.answer import readable
from baco.text.chat_template import Message
from llamaindex_baco.decoding import Call
from llamaindex_baco.messages import core_messages
from llamaindex_baco.prompt_budget import set_prompt_budget
from llamaindex_baco.raw_metadata import score_of
from llamaindex_baco.react import react_keywords, react_stop
from llamaindex_baco.responses import Answer, Response, raw_of, sampled
from llamaindex_baco.settings import BacoSettings
from llamaindex_baco.streams import closes_stream
from llamaindex_baco.structured import ENFORCED_MODES, Model, astream_object, object_call, read_object, stream_object
from llamaindex_baco.tools import openai_tools, selections

dispatcher = get_dispatcher(__name__)
Keywords = dict[str, Any]
Messages = str | Sequence[ChatMessage]
Distinct = float | Callable[[ChatResponse, ChatResponse], bool] | None
Rank = Literal["likelihood"] | Callable[[ChatResponse], float] | None


class BacoLLM(BacoSettings, CustomLLM, FunctionCallingLLM):
    """A base and an aligned model that write each answer together.

    The constructor checks the settings and loads nothing; the first call loads the pair, which the whole process shares. Copies, pickles
    and `to_dict` carry settings only. Every setting but those of the pair can be overridden by a keyword of one call, by a `using` block
    around pipelines that pass no keywords, and by `with_`, which makes a copy.

    Calls also take `tools` (in LlamaIndex's or OpenAI's form), `tool_choice` (None, "auto", "none", "required" or a tool's name),
    `parallel_tool_calls` and `response_format` (in OpenAI's form), and, except in streams, `n` and `score`. An unknown keyword is an error
    that names the nearest.

    `complete` gives its prompt to the models as one user message. As in LlamaIndex's other chat models, `system_prompt` is added by
    `predict`, `stream`, the structured methods and what is built on them (query engines), not by `chat` and `complete`. Your own
    `completion_to_prompt` is applied to the prompt of `complete` unless `formatted` is true; with your own `messages_to_prompt`, `chat`
    sends the text that it makes of the messages.

    The four structured methods hold both models to the schema. The models are not told the schema: say in the prompt what is wanted. With
    `pydantic_program_mode` "function" the answer is a forced call of a function with this schema, which the aligned model's chat template
    shows, and which a stream yields once it is whole. In any other mode but the default, LlamaIndex describes the schema in the prompt.

    `raw` of each response, and of the last chunk of a stream, is a plain dict: "model", "finish_reason" ("stop", "length", "tool_calls",
    "cancelled"), "seed", "usage" and "baco" with "router", "threshold", "sampling" (the settings in force), "spans", "base_tokens",
    "aligned_tokens" and "passes". "baco" also has, where they apply, "template_date" (the moment that the chat template was told),
    "thought" (the reasoning), "broken_calls" (those that cannot be parsed), "calls_left_out" (their number, where `parallel_tool_calls` is
    false and the models wrote several), "score", and with `logprobs` "logprobs": each token's log-probability under each model, whichever
    wrote it.
    """

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form."""
        return "BacoLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The limits and abilities that LlamaIndex plans with, read from the models' small files; no weights are loaded.

        `num_output`, the room that LlamaIndex keeps free for an answer, is `max_tokens`. Where that is the whole window or more, it is
        half of the window, so that a prompt fits (our own choice). `is_function_calling_model` is whether the aligned model's chat template
        has a place for tools.
        """
        known = fetch_capabilities(self.pair_config)
        assert known.context_window is not None, "the files that say it were read"
        window = known.context_window
        return LLMMetadata(
            context_window=window,
            num_output=self.max_tokens if self.max_tokens < window else window // 2,
            is_chat_model=True,
            is_function_calling_model=bool(known.has_tools),
            model_name=self.pair_name,
        )

    def to_payload(self) -> dict[str, Any]:
        """The settings, for callbacks and traces. Nothing else, since LlamaIndex asks for it at every call, on the event loop."""
        settings = {name: getattr(self, name) for name in BacoSettings.model_fields}
        return {"class_name": self.class_name(), "model_name": self.pair_name, **settings}

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer messages. With `n` above 1 the response is the first of n answers, and `raw["choices"]` has all of them."""
        return self._chat(messages, kwargs).respond()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a prompt, which the models read as one user message."""
        return self._completion(prompt, formatted, kwargs).respond()

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer messages chunk by chunk; closing the generator ends the decoding."""
        return self._chat(messages, kwargs, streams=True).stream()

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """Answer a prompt chunk by chunk; closing the generator ends the decoding."""
        return self._completion(prompt, formatted, kwargs, streams=True).stream()

    # The async methods check, and load the pair, in another thread: both read files.
    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Like `chat`, off the event loop; cancelling the task ends the decoding within one token."""
        return await (await asyncio.to_thread(self._chat, messages, kwargs)).arespond()

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Like `complete`, off the event loop; cancelling the task ends the decoding within one token."""
        return await (await asyncio.to_thread(self._completion, prompt, formatted, kwargs)).arespond()

    @closes_stream
    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """Like `stream_chat`, off the event loop; leaving the iteration ends the decoding within one token."""
        return (await asyncio.to_thread(self._chat, messages, kwargs, streams=True)).astream()

    @closes_stream
    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """Like `stream_complete`, off the event loop; leaving the iteration ends the decoding within one token."""
        return (await asyncio.to_thread(self._completion, prompt, formatted, kwargs, streams=True)).astream()

    @dispatcher.span
    def sample(
        self, prompt: Messages, n: int, *, distinct: Distinct = None, token_budget: int | None = None, rank: Rank = None, **kwargs: Any
    ) -> list[ChatResponse]:
        """Give n different answers to one prompt, which is prefilled once; the answers are decoded as one batch.

        Each response is whole, with a `raw` of its own; its "usage" counts all answers together, which are one LLM event.

        Args:
            prompt: a text, or messages.
            n: how many answers.
            distinct: drop an answer that is too similar to one before it, and draw others in its place. A number in (0, 1] is the lowest
                similarity (`baco.answers.similarity`: the share of words in common, in order) that is too similar, so that 1 drops answers
                of the same words only; or a function that says whether two responses are too similar.
            token_budget: tokens that all answers together may have, the dropped ones included, with `distinct`; when no further answer
                fits, fewer than n come back. None: twice n times `max_tokens` (our own choice).
            rank: put the best first: "likelihood" is the mean log-probability of an answer's tokens under the aligned model, found
                at `raw["baco"]["score"]`; or a function that gives a response a number. None leaves them as drawn.
            **kwargs: settings for this call, as in `chat`.

        Raises:
            ConfigError: a value is out of its range, or answers at temperature 0 are asked to differ.
        """
        messages, selection = self._chat_messages(prompt), self._selection(n, distinct, token_budget, rank, kwargs)
        for count, seed in selection.rounds():
            _take(selection, self.chat(messages, **{**kwargs, "n": count, "seed": seed, "score": rank == "likelihood"}))
        return selection.result()

    @dispatcher.span
    async def asample(
        self, prompt: Messages, n: int, *, distinct: Distinct = None, token_budget: int | None = None, rank: Rank = None, **kwargs: Any
    ) -> list[ChatResponse]:
        """Like `sample`, off the event loop; cancelling the task ends the decoding within one token."""
        messages, selection = self._chat_messages(prompt), self._selection(n, distinct, token_budget, rank, kwargs)
        for count, seed in selection.rounds():
            _take(selection, await self.achat(messages, **{**kwargs, "n": count, "seed": seed, "score": rank == "likelihood"}))
        return selection.result()

    def structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords | None = None, **prompt_args: Any
    ) -> Model:
        """Answer a prompt with an object.

        Raises:
            ConfigError: the schema cannot be enforced, or its shortest object does not fit into `max_tokens`.
            ValidationError: a validator of the class refuses what its schema allows.
        """
        if self.pydantic_program_mode not in ENFORCED_MODES:
            found: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return found
        return read_object(output_cls, self.chat(**object_call(self, output_cls, prompt, llm_kwargs, prompt_args)))

    async def astructured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords | None = None, **prompt_args: Any
    ) -> Model:
        """Like `structured_predict`, off the event loop."""
        if self.pydantic_program_mode not in ENFORCED_MODES:
            found: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return found
        return read_object(output_cls, await self.achat(**object_call(self, output_cls, prompt, llm_kwargs, prompt_args)))

    def stream_structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords | None = None, **prompt_args: Any
    ) -> Generator[Model | FlexibleModel, None, None]:
        """Answer a prompt with an object that grows.

        Yields the object each time that it has grown: of the class where it is valid already, else with the same fields, which are None
        until they are written. The last one is of the class.
        """
        if self.pydantic_program_mode not in ENFORCED_MODES:
            yield from super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return
        chunks = self.stream_chat(**object_call(self, output_cls, prompt, llm_kwargs, prompt_args))
        yield from stream_object(output_cls, chunks)

    async def astream_structured_predict(
        self, output_cls: type[Model], prompt: BasePromptTemplate, llm_kwargs: Keywords | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        """Like `stream_structured_predict`, off the event loop."""
        if self.pydantic_program_mode not in ENFORCED_MODES:
            return await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        chunks = await self.astream_chat(**object_call(self, output_cls, prompt, llm_kwargs, prompt_args))
        return astream_object(output_cls, chunks)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(role=MessageRole.USER, content=user_msg))
        if not tools and not tool_required:
            return {"messages": messages, **kwargs}
        # Without a choice the models decide, unless a call is required.
        choice = tool_choice if tool_choice not in (None, "auto") else "required" if tool_required else "auto"
        shown = {"tools": openai_tools(tools), "tool_choice": choice, "parallel_tool_calls": allow_parallel_tool_calls}
        return {"messages": messages, **shown, **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read the calls of a response, or of a chunk of a stream.

        Raises:
            ValueError: there are none, and `error_on_no_tool_call`.
        """
        found = selections(response.message)
        if error_on_no_tool_call and not found:
            raise ValueError(f"expected at least one call of a tool, but the answer is {response.message.content!r}")
        return found

    def predict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Let the models choose a tool, and call it.

        Where the aligned model's chat template has no place for tools, a ReAct prompt describes them.
        """
        if self.metadata.is_function_calling_model:
            return super().predict_and_call(tools, *args, **kwargs)
        return super(BacoLLM, self.with_(stop=react_stop(self.stop))).predict_and_call(tools, *args, **react_keywords(kwargs))

    async def apredict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Like `predict_and_call`, off the event loop."""
        if self.metadata.is_function_calling_model:
            return await super().apredict_and_call(tools, *args, **kwargs)
        return await super(BacoLLM, self.with_(stop=react_stop(self.stop))).apredict_and_call(tools, *args, **react_keywords(kwargs))

    def configure_settings(self) -> None:
        """Make this the LLM of LlamaIndex's global `Settings`, and let prompts be counted and cut by the pair's own tokenizer.

        Otherwise LlamaIndex counts with another model's tokenizer and forgets what the chat template adds, and prompts of retrieved texts
        can be longer than the window. Loads the pair.
        """
        call = self.for_call({})
        set_prompt_budget(self, self._engine().pair.info, call)

    def unload(self) -> None:
        """Free the pair's memory, for every LLM of this process that uses the pair; the next call loads it again.

        Answers that are being decoded are finished first.
        """
        pair = loaded_pair(self.pair_config)
        if pair is not None:
            pair.unload()

    def _engine(self) -> Engine:
        """Load the pair, or find it if this process holds it."""
        return Engine(load_pair({name: getattr(self, name) for name in PAIR_SETTINGS}))

    def _chat(self, messages: Sequence[ChatMessage], keywords: Keywords, streams: bool = False) -> Call[ChatResponse]:
        settings = self.for_call(keywords)
        assert self.messages_to_prompt is not None, "LLM sets it"
        if self.messages_to_prompt is not default_messages_to_prompt:
            messages = [ChatMessage(role=MessageRole.USER, content=self.messages_to_prompt(messages))]
        return self._call(Answer.chat, settings, core_messages(messages), keywords, streams)

    def _completion(self, prompt: str, formatted: bool, keywords: Keywords, streams: bool = False) -> Call[CompletionResponse]:
        settings = self.for_call(keywords)
        require(not settings.tools, "tools", "left out of completions, which cannot say calls; use chat", keywords.get("tools"))
        return self._call(Answer.completion, settings, self._from_prompt(prompt, formatted), keywords, streams)

    def _call(
        self, form: Callable[[Answer], Response], settings: CallSettings, messages: list[Message], keywords: Keywords, streams: bool
    ) -> Call[Response]:
        """Load the pair, once nothing is wrong with the call."""
        one = "1 in a stream, which is of one answer; use sample(…, n), or chat without streaming"
        require(not streams or settings.params.n == 1, "n", one, settings.params.n)
        single_call = keywords.get("parallel_tool_calls") is False
        return Call(engine=self._engine(), messages=messages, settings=settings, single_call=single_call, model=self.pair_name, form=form)

    def _from_prompt(self, prompt: str, formatted: bool) -> list[Message]:
        assert self.completion_to_prompt is not None, "LLM sets it"
        return [{"role": "user", "content": prompt if formatted else self.completion_to_prompt(prompt)}]

    def _chat_messages(self, prompt: Messages) -> list[ChatMessage]:
        if isinstance(prompt, str):
            (message,) = self._from_prompt(prompt, formatted=False)
            return [ChatMessage(role=MessageRole.USER, content=message["content"])]
        return list(prompt)

    def _selection(self, n: int, distinct: Distinct, token_budget: int | None, rank: Rank, keywords: Keywords) -> Selection[ChatResponse]:
        require("score" not in keywords, "score", 'left out here: rank="likelihood" asks for it', keywords.get("score"))
        params = self.for_call(keywords).params
        return Selection(n=n, params=params, distinct=distinct, rank=rank, token_budget=token_budget, text=_text, score=_score)


def _take(selection: Selection[ChatResponse], response: ChatResponse) -> None:
    selection.take(sampled(response), raw_of(response)["usage"]["completion_tokens"])


def _text(response: ChatResponse) -> str:
    return readable(response.message.content or "", [(call.tool_name, call.tool_kwargs) for call in selections(response.message)])


def _score(response: ChatResponse) -> float:
    return score_of(raw_of(response))
