"""From the core's results to LangChain's messages: text, usage, metadata, log-probabilities and whose token each is.

Metadata is on a message, or on the last chunk of a stream, and on no other: LangChain joins texts and refuses unequal numbers when it
merges the metadata of two chunks.
"""

from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from baco import Candidate, GenerationResult, StreamEvent, TokenLogprob, TopLogprob
from langchain_baco.settings import Settings

PROVIDER = "baco"


def to_chat_result(result: GenerationResult, settings: Settings) -> ChatResult:
    """Turn all answers into generations. Each carries the usage of the whole request, as OpenAI's choices do."""
    return ChatResult(generations=[_generation(candidate, result, settings) for candidate in result.candidates])


def _generation(candidate: Candidate, result: GenerationResult, settings: Settings) -> ChatGeneration:
    message = AIMessage(
        content=candidate.text,
        usage_metadata=usage_metadata(result),
        response_metadata=response_metadata(candidate, result, settings),
    )
    return ChatGeneration(message=message, generation_info={"finish_reason": candidate.finish_reason})


def to_chunk(event: StreamEvent, settings: Settings) -> ChatGenerationChunk | None:
    """Turn an event into a chunk, or into None where no text became readable. The last event always becomes one."""
    if event.result is None:
        return ChatGenerationChunk(message=AIMessageChunk(content=event.text)) if event.text else None
    candidate = event.result.candidates[event.index]
    message = AIMessageChunk(
        content=event.text,
        usage_metadata=usage_metadata(event.result),
        response_metadata=response_metadata(candidate, event.result, settings),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message, generation_info={"finish_reason": candidate.finish_reason})


def usage_metadata(result: GenerationResult) -> UsageMetadata:
    """Exact token counts of a request over all of its answers, with those of each model under `output_token_details`."""
    usage = result.usage
    # The type lists what hosted models count; the protocol allows a provider's own counts beside them.
    details = cast(OutputTokenDetails, {"base": usage.base_tokens, "aligned": usage.aligned_tokens})
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        output_token_details=details,
    )


def response_metadata(candidate: Candidate, result: GenerationResult, settings: Settings) -> dict[str, Any]:
    """Everything about one answer that is neither text nor usage; JSON-able."""
    metadata: dict[str, Any] = {
        "finish_reason": candidate.finish_reason,
        "model_name": settings.model_name,
        "model_provider": PROVIDER,
        "seed": result.seed,
        "router": result.router,
        "baco": {
            "spans": [[text, _owner(from_base)] for text, from_base in candidate.spans()],
            "base_share": candidate.base_share,
            "passes": {"base": result.passes.base, "aligned": result.passes.aligned},
        },
    }
    if result.threshold is not None:
        metadata["threshold"] = result.threshold
    if settings.params.logprobs is not None:
        metadata["logprobs"] = {"content": [_token(token) for token in candidate.logprobs or ()]}
    return metadata


def _owner(from_base: bool) -> str:
    return "base" if from_base else "aligned"


def _token(token: TokenLogprob) -> dict[str, Any]:
    """One token in the form of OpenAI's log-probabilities, and whose it is."""
    return _scored(token) | {"top_logprobs": [_scored(top) for top in token.top], "source": _owner(token.from_base)}


def _scored(token: TokenLogprob | TopLogprob) -> dict[str, Any]:
    # A token that is part of a character has no text of its own, and so no bytes to tell.
    readable = "\N{REPLACEMENT CHARACTER}" not in token.text
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.text.encode()) if readable else None}
