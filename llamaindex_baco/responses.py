"""From the core's results to LlamaIndex's responses, with where every piece of text came from.

Knows results and response types; knows no settings and no models. `Answer` is what all eight methods of `BacoLLM` produce; it becomes a
`ChatResponse` or a `CompletionResponse` at the very end. Everything in `raw` is plain JSON. Nothing goes into `additional_kwargs`, which
LlamaIndex would print into the next prompt.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LogProb, MessageRole

from baco.results import Candidate, GenerationResult, StreamEvent, Token, TokenLogprob

Spans = list[list[str]]
"""Runs of text with their owner: [["Call him ", "aligned"], ["Biscuit", "base"]]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer, or one as far as it is streamed."""

    text: str
    raw: dict[str, Any]
    logprobs: list[list[LogProb]] | None
    delta: str | None = None
    """The newest text, when streamed."""
    final: bool = True
    """Whether nothing follows."""

    @classmethod
    def whole(cls, result: GenerationResult, model: str) -> "Answer":
        """Make the answer of a finished request; `model` is the pair's name."""
        return cls(text=result.text, raw=raw_result(result, model), logprobs=_logprobs(result.candidates[0].tokens))

    def chat(self) -> ChatResponse:
        """Become a chat response."""
        message = ChatMessage(role=MessageRole.ASSISTANT, content=self.text)
        return ChatResponse(message=message, raw=self.raw, delta=self.delta, logprobs=self.logprobs)

    def completion(self) -> CompletionResponse:
        """Become a completion response."""
        return CompletionResponse(text=self.text, raw=self.raw, delta=self.delta, logprobs=self.logprobs)


@dataclass(slots=True)
class StreamedAnswer:
    """Turns the events of one request into answers that grow."""

    model: str
    """The pair's name."""
    text: str = field(default="", init=False)

    def push(self, event: StreamEvent) -> Answer:
        """Take the next event.

        `raw["baco"]["delta"]` has the new spans of every chunk, and `logprobs` the new tokens'. The last chunk is the whole answer,
        `raw` and `logprobs` included, and has a delta as well.
        """
        self.text += event.text
        delta = spans(event.tokens)
        if event.result is None:
            raw = {"model": self.model, "baco": {"delta": delta}}
            return Answer(text=self.text, raw=raw, logprobs=_logprobs(event.tokens), delta=event.text, final=False)
        whole = Answer.whole(event.result, self.model)
        whole.raw["baco"]["delta"] = delta
        return Answer(text=whole.text, raw=whole.raw, logprobs=whole.logprobs, delta=event.text)


def raw_result(result: GenerationResult, model: str) -> dict[str, Any]:
    """Write the facts about a finished request as JSON; token counts have the names that LlamaIndex's counters look for."""
    candidate, usage = result.candidates[0], result.usage
    return {
        "model": model,
        "finish_reason": candidate.finish_reason,
        "seed": result.seed,
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        },
        "baco": {
            "router": result.router,
            "threshold": result.threshold,
            "spans": _candidate_spans(candidate),
            "base_tokens": usage.base_tokens,
            "aligned_tokens": usage.aligned_tokens,
            "passes": {"base": result.passes.base, "aligned": result.passes.aligned},
        },
    }


def spans(tokens: Iterable[Token]) -> Spans:
    """Join neighbouring tokens of one owner; tokens without text are left out."""
    visible = (token for token in tokens if token.text)
    return [["".join(token.text for token in run), _owner(from_base)] for from_base, run in groupby(visible, key=lambda t: t.from_base)]


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
