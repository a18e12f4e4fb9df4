"""From the core's results to LlamaIndex's responses: thought, text and calls of each answer.

Knows results and response types; knows no settings and no models. `Answer` is what all methods of `BacoLLM` produce; it becomes a
`ChatResponse` or a `CompletionResponse` at the very end. Nothing goes into a message's `additional_kwargs`, which LlamaIndex would print
into the next prompt.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

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

from baco.parsing.answer import AnswerParser, ParsedAnswer
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall, new_call_id
from baco.results import GenerationResult, StreamEvent
from llamaindex_baco.facts import logprobs_of, raw_result, spans

Response = TypeVar("Response", ChatResponse, CompletionResponse)


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
    left_out: int = 0
    """Calls that are not told, since only the first one counts."""

    def add(self, part: ParsedAnswer, single_call: bool) -> None:
        """Take what is new. A call too many is left out."""
        self.text += part.content
        self.thought += part.reasoning
        for call in part.calls:
            if isinstance(call, InvalidToolCall):
                self.broken.append(call.text)
            elif single_call and self.calls:
                self.left_out += 1
            else:
                self.calls.append(_call_block(call))

    def close(self, raw: dict[str, Any]) -> None:
        """Take it that nothing follows: broken calls become text behind the others."""
        self.text = "\n".join([self.text, *self.broken] if self.text else self.broken)
        self.raw = raw
        if self.left_out:
            raw["baco"]["calls_left_out"] = self.left_out

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
        part = result.format.read(candidate.text)
        answer = Answer(logprobs=logprobs_of(candidate.tokens))
        answer.add(part, single_call)
        answer.close(raw_result(result, candidate, part, model))
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
        self._reader: AnswerParser | None = None
        self._all = Answer()
        self._calls = Calls()

    def push(self, event: StreamEvent) -> Answer:
        """Take the next event.

        `raw["baco"]["delta"]` has the new spans of every chunk, as they were written, and `logprobs` the new tokens'. The last chunk is the
        whole answer, `raw` and `logprobs` included, and has a delta as well.
        """
        self._reader = self._reader or event.format.reader()
        new, before = self._reader.push(event.text, final=event.result is not None), len(self._all.text)
        self._all.add(new, self._single_call)
        self._calls += new.calls
        written, logprobs = {"delta": spans(event.tokens)}, logprobs_of(event.tokens)
        if event.result is None:
            self._all.raw = {"model": self._model, "baco": written}
        else:
            candidate = event.result.candidates[event.index]
            read_so_far = ParsedAnswer(self._all.thought, self._all.text, self._calls)
            self._all.close(raw_result(event.result, candidate, read_so_far, self._model))
            self._all.raw["baco"] |= written
            logprobs = logprobs_of(candidate.tokens)
        return replace(
            self._all,
            calls=list(self._all.calls),
            logprobs=logprobs,
            delta=self._all.text[before:],
            thought_delta=new.reasoning,
            final=event.result is not None,
        )


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


def _call_block(call: ToolCall) -> ToolCallBlock:
    return ToolCallBlock(tool_call_id=new_call_id(), tool_name=call.name, tool_kwargs=call.arguments)
