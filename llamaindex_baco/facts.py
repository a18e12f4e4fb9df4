"""What a response tells of itself: counts, owners and log-probabilities, as plain JSON and as LlamaIndex has them.

Knows results; knows no messages and no models.
"""

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any

from llama_index.core.base.llms.types import LogProb

from baco import results
from baco.parsing.answer import ParsedAnswer
from baco.parsing.tool_call import InvalidToolCall
from baco.results import Candidate, GenerationResult, Token, TokenLogprob

Spans = list[list[str]]
"""Runs of text with their owner: [["Call him ", "aligned"], ["Biscuit", "base"]]."""


def raw_result(result: GenerationResult, candidate: Candidate, read: ParsedAnswer, model: str) -> dict[str, Any]:
    """Write the facts about an answer as JSON; token counts, of the whole request, have the names that LlamaIndex's counters look for."""
    usage = result.usage
    return {
        "model": model,
        "finish_reason": candidate.finish_reason,
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
            "spans": spans(candidate.tokens),
            "base_tokens": sum(candidate.from_base),
            "aligned_tokens": len(candidate.tokens) - sum(candidate.from_base),
            "passes": {"base": result.passes.base, "aligned": result.passes.aligned},
            **_told_if_known(candidate, read),
        },
    }


def _told_if_known(candidate: Candidate, read: ParsedAnswer) -> dict[str, Any]:
    """The thought and broken calls, where there are any; scores and log-probabilities, where they were asked for."""
    told: dict[str, Any] = {"thought": read.reasoning} if read.reasoning else {}
    if broken := [{"text": call.text, "error": call.error} for call in read.calls if isinstance(call, InvalidToolCall)]:
        told["broken_calls"] = broken
    if candidate.score is not None:
        told["score"] = _number(candidate.score)
    if (opinions := candidate.model_logprobs) is not None:
        told["logprobs"] = [
            {"token": token.text, "owner": token.owner, **{which: _number(values[place]) for which, values in opinions.items()}}
            for place, token in enumerate(candidate.tokens)
        ]
    return told


def _number(logprob: float) -> float | None:
    """A log-probability as JSON has it: None where it is minus infinity, as of a token that a model cannot write."""
    return logprob if isfinite(logprob) else None


def spans(tokens: Iterable[Token]) -> Spans:
    """Join neighbouring tokens of one owner; tokens without text are left out."""
    return [list(span) for span in results.spans(tokens)]


def logprobs_of(tokens: Iterable[Token]) -> list[list[LogProb]] | None:
    """One list per token: the chosen token first, then its alternatives, best first; None where none were asked for."""
    found = [token.logprob for token in tokens if token.logprob is not None]
    return [_position(logprob) for logprob in found] or None


def _position(chosen: TokenLogprob) -> list[LogProb]:
    others = [(other.text, other.logprob) for other in chosen.top if other.token_id != chosen.token_id]
    return [LogProb(token=text, logprob=value, bytes=list(text.encode())) for text, value in [(chosen.text, chosen.logprob), *others]]


def score_of(raw: Mapping[str, Any]) -> float:
    """The score that a response tells; minus infinity for an answer without tokens."""
    score = raw["baco"]["score"]
    return -inf if score is None else float(score)
