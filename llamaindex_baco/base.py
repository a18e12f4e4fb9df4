"""`BacoLLM`: what a user of LlamaIndex holds."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]

from baco.answers.selection import Selection
from baco.checks import require
from baco.models.capabilities import fetch_capabilities
from baco.models.pair import loaded_pair
from llamaindex_baco.prompt_budget import set_prompt_budget
from llamaindex_baco.raw_metadata import score_of
from llamaindex_baco.responses import sampled
from llamaindex_baco.settings import BacoSettings
from llamaindex_baco.structured import BacoStructured
from llamaindex_baco.tools import selections

dispatcher = get_dispatcher(__name__)
Messages = str | Sequence[ChatMessage]
Distinct = float | Callable[[ChatResponse, ChatResponse], bool] | None
Rank = Literal["likelihood"] | Callable[[ChatResponse], float] | None


class BacoLLM(BacoStructured):
    """A base and an aligned model that write each answer together.

    Making one checks the settings and loads nothing; the first call loads the pair, which all of this process shares. Copies, pickles and
    `to_dict` carry settings only. Each setting but those of the pair can be overridden by a keyword of one call, by a `using` block around
    pipelines that pass no keywords, and by `with_`, which makes a copy.

    Calls also take `tools` (LlamaIndex's or OpenAI's form), `tool_choice` (None, "auto", "none", "required" or a tool's name),
    `parallel_tool_calls` and `response_format` (OpenAI's form), and, where nothing is streamed, `n` and `score`. An unknown keyword is an
    error that names the nearest.

    `complete` hands its prompt to the models as one user message. As in LlamaIndex's other chat models, `system_prompt` is added by
    `predict`, `stream`, the structured methods and what is built on them (query engines), not by `chat` and `complete`. A
    `completion_to_prompt` of yours is applied to the prompt of `complete` unless `formatted` is true; with a `messages_to_prompt` of yours,
    `chat` hands over the one text that it makes of the messages.

    `raw` of each response, and of the last chunk of a stream, is a plain dict: "model", "finish_reason" ("stop", "length", "tool_calls",
    "cancelled"), "seed", "usage" and "baco" with "router", "threshold", "spans", "base_tokens", "aligned_tokens" and "passes". Where there
    are such, "baco" also has "thought", "broken_calls", "calls_left_out" (how many, where `parallel_tool_calls` is false and the models
    wrote several), "score", and with `logprobs` "logprobs": what each model, whoever wrote it, gives each token.
    """

    @classmethod
    def class_name(cls) -> str:
        """Name of the class in serialised form."""
        return "BacoLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with, read from the models' small files; no weights are loaded.

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
        """Describe the LLM for callbacks and traces by its settings alone: it is read at every call, on the event loop."""
        settings = {name: getattr(self, name) for name in BacoSettings.model_fields}
        return {"class_name": self.class_name(), "model_name": self.pair_name, **settings}

    @dispatcher.span
    def sample(
        self,
        prompt: Messages,
        n: int,
        *,
        distinct: Distinct = None,
        token_budget: int | None = None,
        rank: Rank = None,
        **kwargs: Any,
    ) -> list[ChatResponse]:
        """Give n different answers to one prompt, from one reading of it, decoded as one batch.

        Each response is whole, with a `raw` of its own; "usage" in it is that of all answers together, which are one LLM event.

        Args:
            prompt: a text, or messages.
            n: how many answers.
            distinct: drop an answer that is too much like one before it, and draw others in its place. A number in (0, 1] is the
                similarity (`baco.answers.similarity`: the share of words in common, in order) from which on it is dropped, so that 1 drops
                answers of the same words only; or a function that says whether two responses are too much alike.
            token_budget: tokens that all answers together may have, the dropped ones included, with `distinct`; when no further answer
                fits, fewer than n come back. None: twice n times `max_tokens` (our own choice).
            rank: put the best first: "likelihood" is the mean log-probability of an answer's tokens under the aligned model, which is then
                at `raw["baco"]["score"]`; or a function that gives a response a number. None leaves them as drawn.
            **kwargs: settings for this call, as in `chat`.

        Raises:
            ConfigError: a value is out of its range, or answers at temperature 0 are asked to differ.
        """
        messages, selection = self._messages(prompt), self._selection(n, distinct, token_budget, rank, kwargs)
        while selection.missing():
            _take(selection, self.chat(messages, **{**kwargs, **_draw(selection)}))
        return selection.result()

    @dispatcher.span
    async def asample(
        self,
        prompt: Messages,
        n: int,
        *,
        distinct: Distinct = None,
        token_budget: int | None = None,
        rank: Rank = None,
        **kwargs: Any,
    ) -> list[ChatResponse]:
        """Like `sample`, off the event loop; cancelling the task ends the decoding within one token."""
        messages, selection = self._messages(prompt), self._selection(n, distinct, token_budget, rank, kwargs)
        while selection.missing():
            _take(selection, await self.achat(messages, **{**kwargs, **_draw(selection)}))
        return selection.result()

    def configure_settings(self) -> None:
        """Make this the LLM of LlamaIndex's global `Settings`, and let prompts be counted and cut by the pair's own tokenizer.

        Else LlamaIndex counts with another model's tokenizer and forgets what the chat template adds, and prompts of what it retrieves
        can be longer than the window. Loads the pair.
        """
        call = self.for_call({})
        set_prompt_budget(self, self._engine().pair, call.router, call.base_prompt)

    def unload(self) -> None:
        """Forget the pair, for every LLM of this process that uses it, so that its memory is freed; the next call loads it again.

        What is being decoded goes on to its end.
        """
        pair = loaded_pair(self.pair_config)
        if pair is not None:
            pair.unload()

    def _messages(self, prompt: Messages) -> list[ChatMessage]:
        if isinstance(prompt, str):
            (message,) = self._from_prompt(prompt, formatted=False)
            return [ChatMessage(role=MessageRole.USER, content=message["content"])]
        return list(prompt)

    def _selection(
        self, n: int, distinct: Distinct, token_budget: int | None, rank: Rank, keywords: dict[str, Any]
    ) -> Selection[ChatResponse]:
        require("score" not in keywords, "score", 'left out here: rank="likelihood" asks for it', keywords.get("score"))
        params = self.for_call(keywords).params
        return Selection(n=n, params=params, distinct=distinct, rank=rank, token_budget=token_budget, text=readable, score=_score)


def readable(response: ChatResponse) -> str:
    """What a response says: its text and its calls."""
    calls = [json.dumps([call.tool_name, call.tool_kwargs], sort_keys=True, ensure_ascii=False) for call in selections(response.message)]
    return "\n".join([response.message.content or "", *calls])


def _draw(selection: Selection[ChatResponse]) -> dict[str, Any]:
    """Keywords of the call that draws what is missing."""
    return {"n": selection.missing(), "seed": selection.seed(), "score": selection.rank == "likelihood"}


def _take(selection: Selection[ChatResponse], response: ChatResponse) -> None:
    assert isinstance(response.raw, dict), "ours is"
    selection.take(sampled(response), response.raw["usage"]["completion_tokens"])


def _score(response: ChatResponse) -> float:
    assert isinstance(response.raw, dict), "ours is"
    return score_of(response.raw)
