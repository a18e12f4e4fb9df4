"""From the core's results to LlamaIndex's responses: reasoning, text and calls of each answer.

Knows results and response types; knows nothing of settings or models. Every method of `BacoLLM` produces an `Answer`, which becomes a
`ChatResponse` or a `CompletionResponse` in the last step. Nothing goes into a message's `additional_kwargs`, which LlamaIndex would print
into the next prompt.
"""

import json
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

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
from baco.parsing.tool_call import Calls, InvalidToolCall, new_call_id
from baco.results import GenerationResult, StreamEvent
from llamaindex_baco.raw_metadata import logprobs_of, raw_metadata

Response = TypeVar("Response", ChatResponse, CompletionResponse)


class SampledResponse(ChatResponse):
    """The first of several answers to one prompt, which holds all of them."""

    _answers: "list[ChatResponse]" = PrivateAttr(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Answer:
    """A whole answer, or the part of one that has been streamed so far."""

    text: str = ""
    """Without reasoning and calls."""
    reasoning: str = ""
    calls: list[ToolCallBlock] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    logprobs: list[list[LogProb]] | None = None
    delta: str | None = None
    """The newest text, when streamed."""
    reasoning_delta: str = ""
    final: bool = True
    """Whether nothing follows."""
    invalid_calls: list[str] = field(default_factory=list)
    """Calls that cannot be parsed, as they were written."""
    num_left_out: int = 0
    """Valid calls after the first, where only the first one counts."""
    others: "list[Answer]" = field(default_factory=list)
    """The other answers to the same prompt, held by the first."""

    def add(self, part: ParsedAnswer, single_call: bool) -> None:
        """Append a newly parsed part. With `single_call`, calls after the first are counted and left out."""
        self.text += part.content
        self.reasoning += part.reasoning
        for call in part.calls:
            if isinstance(call, InvalidToolCall):
                self.invalid_calls.append(call.text)
            elif single_call and self.calls:
                self.num_left_out += 1
            else:
                self.calls.append(ToolCallBlock(tool_call_id=new_call_id(), tool_name=call.name, tool_kwargs=call.arguments))

    def finish(self, raw: dict[str, Any]) -> None:
        """Finish the answer; append unparsable tool calls as text."""
        self.text = "\n".join([self.text, *self.invalid_calls] if self.text else self.invalid_calls)
        self.raw = raw
        if self.num_left_out:
            raw["baco"]["calls_left_out"] = self.num_left_out

    def chat(self) -> ChatResponse:
        """Become a chat response: a message of the reasoning, the text and the calls. The first of several answers holds all of them."""
        blocks: list[ContentBlock] = [ThinkingBlock(content=self.reasoning)] if self.reasoning else []
        blocks += [TextBlock(text=self.text)] if self.text or not self.calls else []
        message = ChatMessage(role=MessageRole.ASSISTANT, blocks=[*blocks, *self.calls])
        extra = {"thinking_delta": self.reasoning_delta} if self.reasoning_delta else {}
        response = ChatResponse(message=message, raw=self.raw, delta=self.delta, logprobs=self.logprobs, additional_kwargs=extra)
        if not self.others:
            return response
        first = SampledResponse(**dict(response))
        first._answers = [response, *(other.chat() for other in self.others)]
        return first

    def completion(self) -> CompletionResponse:
        """Become a completion response."""
        return CompletionResponse(text=self.text, raw=self.raw, delta=self.delta, logprobs=self.logprobs)


def whole_answer(result: GenerationResult, model: str, single_call: bool) -> Answer:
    """Make the first answer of a finished request; where there are several, it holds the others, and its `raw` lists all as "choices".

    `model` is the pair's name. With `single_call`, only the first call of an answer counts.
    """
    answers = []
    for candidate in result.candidates:
        parsed = result.format.read(candidate.text)
        answer = Answer(logprobs=logprobs_of(candidate.tokens))
        answer.add(parsed, single_call)
        answer.finish(raw_metadata(result, candidate, parsed, model))
        answers.append(answer)
    first, *first.others = answers
    if first.others:
        first.raw = first.raw | {"choices": [_choice(index, answer) for index, answer in enumerate(answers)]}
    return first


def sampled(response: ChatResponse) -> list[ChatResponse]:
    """All answers of the call that a response came from."""
    return list(response._answers) if isinstance(response, SampledResponse) else [response]


class StreamedAnswer:
    """Accumulates the events of one request into answers that grow."""

    def __init__(self, model: str, single_call: bool) -> None:
        self._model, self._single_call = model, single_call
        self._parser: AnswerParser | None = None
        self._whole = Answer()
        self._calls = Calls()

    def push(self, event: StreamEvent) -> Answer:
        """Take the next event; return the answer so far.

        In every chunk `raw["baco"]["delta"]` has the new spans as they were written, and `logprobs` those of the new tokens. The last chunk
        is the whole answer, with its `raw` and all of its `logprobs`, and has a delta as well.
        """
        self._parser = self._parser or event.format.reader()
        new, before = self._parser.push(event.text, final=event.result is not None), len(self._whole.text)
        self._whole.add(new, self._single_call)
        self._calls += new.calls
        delta, logprobs = {"delta": [list(span) for span in event.spans()]}, logprobs_of(event.tokens)
        if event.result is None:
            self._whole.raw = {"model": self._model, "baco": delta}
        else:
            candidate = event.result.candidates[event.index]
            parsed = ParsedAnswer(self._whole.reasoning, self._whole.text, self._calls)
            self._whole.finish(raw_metadata(event.result, candidate, parsed, self._model))
            self._whole.raw["baco"] |= delta
            logprobs = logprobs_of(candidate.tokens)
        return replace(
            self._whole,
            calls=list(self._whole.calls),
            logprobs=logprobs,
            delta=self._whole.text[before:],
            reasoning_delta=new.reasoning,
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
    extra = {name: value for name, value in answer.raw["baco"].items() if name in ("spans", "base_tokens", "aligned_tokens", "score")}
    return {"index": index, "message": message, "finish_reason": answer.raw["finish_reason"], "baco": extra}


def raw_of(response: ChatResponse | CompletionResponse) -> dict[str, Any]:
    """The `raw` of a response of `BacoLLM`."""
    assert isinstance(response.raw, dict), "BacoLLM sets it"
    return response.raw
