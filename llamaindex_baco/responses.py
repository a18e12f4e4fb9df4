"""From the core's results to LlamaIndex's responses, with where every piece of text came from.

Knows results and response types; knows no settings and no models. `Answer` is what all methods of `BacoLLM` produce; it becomes a
`ChatResponse` or a `CompletionResponse` at the very end. Everything in `raw` is plain JSON. Nothing goes into a message's
`additional_kwargs`, which LlamaIndex would print into the next prompt.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Generic, TypeVar
from uuid import uuid4

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ContentBlock,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic import PrivateAttr

from baco.call_reader import BrokenCall, Calls, ToolCall
from baco.reading import AnswerReader, Reading, read
from baco.results import Candidate, GenerationResult, StreamEvent, Token, TokenLogprob

Response = TypeVar("Response", ChatResponse, CompletionResponse)
Spans = list[list[str]]
"""Runs of text with their owner: [["Call him ", "aligned"], ["Biscuit", "base"]]."""


class DrawnResponse(ChatResponse):
    """The first of several answers, which knows all of them."""

    _answers: "list[ChatResponse]" = PrivateAttr(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Answer:
    """A whole answer, or one as far as it is streamed."""

    text: str = ""
    """Without thought and calls."""
    thought: str = ""
    calls: list[ToolCallBlock] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    logprobs: list[list[LogProb]] | None = None
    delta: str | None = None
    """The newest text, when streamed."""
    thought_delta: str = ""
    final: bool = True
    """Whether nothing follows."""

    broken: list[str] = field(default_factory=list)
    """What is in the place of calls but is none, as it was written."""

    def add(self, part: Reading, single_call: bool) -> None:
        """Take what is new. A call too many is left out."""
        self.text += part.content
        self.thought += part.thought
        for call in part.calls:
            if isinstance(call, BrokenCall):
                self.broken.append(call.text)
            elif not (single_call and self.calls):
                self.calls.append(_call_block(call))

    def close(self) -> None:
        """Take it that nothing follows: broken calls become text behind the others."""
        self.text = "\n".join([self.text, *self.broken] if self.text else self.broken)

    def message(self) -> ChatMessage:
        """Become a message: the thought, the text, and the calls."""
        blocks: list[ContentBlock] = [ThinkingBlock(content=self.thought)] if self.thought else []
        blocks += [TextBlock(text=self.text)] if self.text or not self.calls else []
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=[*blocks, *self.calls])

    def chat(self) -> ChatResponse:
        """Become a chat response."""
        told = {"thinking_delta": self.thought_delta} if self.thought_delta else {}
        return ChatResponse(message=self.message(), raw=self.raw, delta=self.delta, logprobs=self.logprobs, additional_kwargs=told)

    def completion(self) -> CompletionResponse:
        """Become a completion response."""
        return CompletionResponse(text=self.text, raw=self.raw, delta=self.delta, logprobs=self.logprobs)


def whole_answers(result: GenerationResult, model: str, single_call: bool) -> list[Answer]:
    """Make the answers of a finished request; where there are several, the first one's `raw` tells of all of them.

    Args:
        result: the request's.
        model: the pair's name.
        single_call: whether only the first call of an answer counts.
    """
    answers = []
    for candidate in result.candidates:
        part = read(candidate.text, result)
        answer = Answer(logprobs=_logprobs(candidate.tokens))
        answer.add(part, single_call)
        answer.close()
        answer.raw = raw_result(result, candidate, part.calls, model)
        answers.append(answer)
    if len(answers) > 1:
        answers[0].raw = answers[0].raw | {"choices": [_choice(index, answer) for index, answer in enumerate(answers)]}
    return answers


@dataclass(frozen=True, slots=True)
class Form(Generic[Response]):
    """What answers become at the very end."""

    piece: Callable[[Answer], Response]
    """Of a part of an answer, or of one."""
    whole: Callable[[Sequence[Answer]], Response]
    """Of all answers to one prompt: the first of them, which knows the others."""
    says_calls: bool


def _chat_response(answers: Sequence[Answer]) -> ChatResponse:
    responses = [answer.chat() for answer in answers]
    if len(responses) == 1:
        return responses[0]
    first = DrawnResponse(**dict(responses[0]))
    first._answers = responses
    return first


CHAT: Form[ChatResponse] = Form(Answer.chat, _chat_response, says_calls=True)
COMPLETION: Form[CompletionResponse] = Form(Answer.completion, lambda answers: answers[0].completion(), says_calls=False)


def drawn(response: ChatResponse) -> list[ChatResponse]:
    """All answers of the call that a response answers."""
    return list(response._answers) if isinstance(response, DrawnResponse) else [response]


class StreamedAnswer:
    """Turns the events of one request into answers that grow."""

    def __init__(self, model: str, single_call: bool) -> None:
        self._model, self._single_call = model, single_call
        self._reader = AnswerReader()
        self._all = Answer()
        self._calls = Calls()

    def push(self, event: StreamEvent) -> Answer:
        """Take the next event.

        `raw["baco"]["delta"]` has the new spans of every chunk, as they were written, and `logprobs` the new tokens'. The last chunk is the
        whole answer, `raw` and `logprobs` included, and has a delta as well.
        """
        new, before = self._reader.push(event), len(self._all.text)
        self._all.add(new, self._single_call)
        self._calls += new.calls
        if event.result is not None:
            self._all.close()
        chunk = replace(self._all, calls=list(self._all.calls), delta=self._all.text[before:], thought_delta=new.thought)
        written = {"delta": spans(event.tokens)}
        if event.result is None:
            return replace(chunk, raw={"model": self._model, "baco": written}, logprobs=_logprobs(event.tokens), final=False)
        candidate = event.result.candidates[event.index]
        raw = raw_result(event.result, candidate, self._calls, self._model)
        return replace(chunk, raw=raw | {"baco": raw["baco"] | written}, logprobs=_logprobs(candidate.tokens))


def raw_result(result: GenerationResult, candidate: Candidate, calls: Calls, model: str) -> dict[str, Any]:
    """Write the facts about an answer as JSON; token counts, of the whole request, have the names that LlamaIndex's counters look for."""
    usage = result.usage
    return {
        "model": model,
        "finish_reason": "tool_calls" if calls and candidate.finish_reason == "stop" else candidate.finish_reason,
        "seed": result.seed,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        },
        "baco": {
            "router": result.router,
            "threshold": result.threshold,
            "spans": _candidate_spans(candidate),
            "base_tokens": sum(candidate.from_base),
            "aligned_tokens": len(candidate.tokens) - sum(candidate.from_base),
            "passes": {"base": result.passes.base, "aligned": result.passes.aligned},
            **_told_if_known(candidate, calls),
        },
    }


def _told_if_known(candidate: Candidate, calls: Calls) -> dict[str, Any]:
    """Broken calls, where there are any; scores and log-probabilities, where they were asked for."""
    told: dict[str, Any] = {}
    if broken := [{"text": call.text, "error": call.error} for call in calls if isinstance(call, BrokenCall)]:
        told["broken_calls"] = broken
    if candidate.score is not None:
        told["score"] = candidate.score
    if (opinions := candidate.model_logprobs) is not None:
        told["logprobs"] = [
            {"token": token.text, "owner": _owner(token.from_base), **{which: values[place] for which, values in opinions.items()}}
            for place, token in enumerate(candidate.tokens)
        ]
    return told


def _choice(index: int, answer: Answer) -> dict[str, Any]:
    """One of several answers, in the form of OpenAI's choices."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if answer.calls:
        message["tool_calls"] = [
            {"id": call.tool_call_id, "type": "function", "function": {"name": call.tool_name, "arguments": json.dumps(call.tool_kwargs)}}
            for call in answer.calls
        ]
    told = {name: value for name, value in answer.raw["baco"].items() if name in ("spans", "base_tokens", "aligned_tokens", "score")}
    return {"index": index, "message": message, "finish_reason": answer.raw["finish_reason"], "baco": told}


def spans(tokens: Iterable[Token]) -> Spans:
    """Join neighbouring tokens of one owner; tokens without text are left out."""
    visible = (token for token in tokens if token.text)
    return [["".join(token.text for token in run), _owner(from_base)] for from_base, run in groupby(visible, key=lambda t: t.from_base)]


def _call_block(call: ToolCall) -> ToolCallBlock:
    return ToolCallBlock(tool_call_id=f"call_{uuid4().hex}", tool_name=call.name, tool_kwargs=call.arguments)


def _candidate_spans(candidate: Candidate) -> Spans:
    return [[text, _owner(from_base)] for text, from_base in candidate.spans()]


def _owner(from_base: bool) -> str:
    return "base" if from_base else "aligned"


def _logprobs(tokens: Iterable[Token]) -> list[list[LogProb]] | None:
    """One list per token: the chosen token first, then its alternatives, best first; None where none were asked for."""
    found = [token.logprob for token in tokens if token.logprob is not None]
    return [_position(logprob) for logprob in found] or None


def _position(chosen: TokenLogprob) -> list[LogProb]:
    others = [(other.text, other.logprob) for other in chosen.top if other.token_id != chosen.token_id]
    return [LogProb(token=text, logprob=value, bytes=list(text.encode())) for text, value in [(chosen.text, chosen.logprob), *others]]
