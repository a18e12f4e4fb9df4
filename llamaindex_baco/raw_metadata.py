"""The `raw` of a response: counts, owners and log-probabilities, as plain JSON and in LlamaIndex's types.

Knows results; knows nothing of messages or models.
"""

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any

from llama_index.core.base.llms.types import LogProb

from baco.parsing.answer import ParsedAnswer
from baco.parsing.tool_call import InvalidToolCall
from baco.results import Candidate, GenerationResult, Token, TokenLogprob

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
"""Names of token counts that LlamaIndex's counters look for."""


def raw_metadata(result: GenerationResult, candidate: Candidate, parsed: ParsedAnswer, model: str) -> dict[str, Any]:
    """Describe one answer of a finished request, and what was parsed of it, as JSON. "usage" counts the whole request."""
    counts = result.usage.as_dict()
    return {
        "model": model,
        "finish_reason": candidate.finish_reason,
        "seed": result.seed,
        "usage": {**{name: counts[name] for name in COUNTS}, "prompt_tokens_details": {"cached_tokens": counts["cached_tokens"]}},
        "baco": {
            "router": result.router,
            "threshold": result.threshold,
            "spans": [list(span) for span in candidate.spans()],
            "base_tokens": sum(candidate.from_base),
            "aligned_tokens": len(candidate.tokens) - sum(candidate.from_base),
            "passes": result.passes.as_dict(),
            "sampling": result.sampling.as_dict(),
            **({} if result.template_date is None else {"template_date": result.template_date}),
            **_extra(candidate, parsed),
        },
    }


def _extra(candidate: Candidate, parsed: ParsedAnswer) -> dict[str, Any]:
    """Reasoning and invalid calls, where there are any; score and log-probabilities, where they were asked for."""
    extra: dict[str, Any] = {"thought": parsed.reasoning} if parsed.reasoning else {}
    if invalid := [{"text": call.text, "error": call.error} for call in parsed.calls if isinstance(call, InvalidToolCall)]:
        extra["broken_calls"] = invalid
    if candidate.score is not None:
        extra["score"] = _number(candidate.score)
    if (logprobs := candidate.model_logprobs) is not None:
        extra["logprobs"] = [
            {"token": token.text, "owner": token.owner, **{model: _number(values[place]) for model, values in logprobs.items()}}
            for place, token in enumerate(candidate.tokens)
        ]
    return extra


def _number(logprob: float) -> float | None:
    """A log-probability in JSON, which has no infinity: None for a token that a model cannot write."""
    return logprob if isfinite(logprob) else None


def logprobs_of(tokens: Iterable[Token]) -> list[list[LogProb]] | None:
    """For each token: the chosen one first, then its alternatives, best first. None where the request asked for none."""
    logprobs = [token.logprob for token in tokens if token.logprob is not None]
    return [_position(logprob) for logprob in logprobs] or None


def _position(chosen: TokenLogprob) -> list[LogProb]:
    others = [(other.text, other.logprob) for other in chosen.top if other.token_id != chosen.token_id]
    return [LogProb(token=text, logprob=value, bytes=list(text.encode())) for text, value in [(chosen.text, chosen.logprob), *others]]


def score_of(raw: Mapping[str, Any]) -> float:
    """The score in a `raw`, in nats per token; minus infinity for an answer without tokens."""
    score = raw["baco"]["score"]
    return -inf if score is None else float(score)
