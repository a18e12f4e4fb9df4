"""From the core's results to LangChain's messages: text, calls, usage, metadata, and log-probabilities with each token's owner.

Of a stream only the last chunk has metadata: LangChain joins texts and refuses unequal numbers when it merges the metadata of two chunks.
Knows results and messages; knows nothing of engines and callbacks.
"""

import json
from collections.abc import Iterator
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from baco import Candidate, GenerationResult, StreamEvent, TokenLogprob, TopLogprob
from baco.parsing.answer import AnswerParser
from baco.parsing.tool_call import InvalidToolCall, ToolCall, new_call_id
from langchain_baco.settings import Settings

PROVIDER = "baco"


def to_chat_result(result: GenerationResult, settings: Settings) -> ChatResult:
    """Turn all answers into generations. Each carries the usage of the whole request, as OpenAI's choices do."""
    return ChatResult(generations=[_generation(candidate, result, settings) for candidate in result.candidates])


def _generation(candidate: Candidate, result: GenerationResult, settings: Settings) -> ChatGeneration:
    whole = result.format.read(candidate.text)
    metadata = response_metadata(candidate, result, settings)
    message = AIMessage(
        content=whole.content,
        additional_kwargs=_reasoning(whole.reasoning),
        tool_calls=[tool_call(name=call.name, args=call.arguments, id=new_call_id()) for call in whole.calls if isinstance(call, ToolCall)],
        invalid_tool_calls=[
            invalid_tool_call(args=call.text, error=call.error, id=new_call_id())
            for call in whole.calls
            if isinstance(call, InvalidToolCall)
        ],
        usage_metadata=usage_metadata(result),
        response_metadata=metadata,
    )
    return ChatGeneration(message=message, generation_info={"finish_reason": metadata["finish_reason"]})


class Chunks:
    """Turns the events of one streamed answer into chunks which, merged, are the message that `to_chat_result` gives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parser: AnswerParser | None = None
        self._calls = 0

    def of(self, event: StreamEvent) -> Iterator[ChatGenerationChunk]:
        """Turn an event into a chunk, or into none where nothing became readable. The last event always becomes one."""
        self._parser = self._parser or event.format.reader()
        new = self._parser.push(event.text, final=event.result is not None)
        calls = [self._call_chunk(call) for call in new.calls]
        ending: dict[str, Any] = {}
        if event.result is not None:
            metadata = response_metadata(event.result.candidates[event.index], event.result, self._settings)
            ending = {"usage_metadata": usage_metadata(event.result), "response_metadata": metadata, "chunk_position": "last"}
        if new.content or calls or new.reasoning or ending:
            message = AIMessageChunk(content=new.content, additional_kwargs=_reasoning(new.reasoning), tool_call_chunks=calls, **ending)
            info = {"finish_reason": metadata["finish_reason"]} if ending else None
            yield ChatGenerationChunk(message=message, generation_info=info)

    def _call_chunk(self, call: ToolCall | InvalidToolCall) -> ToolCallChunk:
        self._calls += 1
        # A chunk's arguments are read leniently when chunks are merged; the markers in a broken call's text keep it broken.
        name = call.name if isinstance(call, ToolCall) else None
        args = json.dumps(call.arguments, ensure_ascii=False) if isinstance(call, ToolCall) else call.text
        return tool_call_chunk(name=name, args=args, id=new_call_id(), index=self._calls - 1)


def _reasoning(text: str) -> dict[str, Any]:
    """Reasoning where LangChain looks for it to make a block of it."""
    return {"reasoning_content": text} if text else {}


def usage_metadata(result: GenerationResult) -> UsageMetadata:
    """Exact token counts of a request over all of its answers, with those of each model and those of the prompt that were cached."""
    usage = result.usage
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details=InputTokenDetails(cache_read=usage.cached_tokens),
        # The type lists what hosted models count; the protocol allows a provider's own counts beside them.
        output_token_details=cast(OutputTokenDetails, {"base": usage.base_tokens, "aligned": usage.aligned_tokens}),
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
            "spans": [list(span) for span in candidate.spans()],
            "base_share": candidate.base_share,
            "passes": result.passes.as_dict(),
            "sampling": result.sampling.as_dict(),
        },
    }
    if result.threshold is not None:
        metadata["threshold"] = result.threshold
    if result.template_date is not None:
        metadata["baco"]["template_date"] = result.template_date
    if candidate.score is not None:
        metadata["baco"]["score"] = candidate.score
    if settings.call.params.logprobs is not None:
        metadata["logprobs"] = {"content": [_token(token) for token in candidate.logprobs or ()]}
    return metadata


def _token(token: TokenLogprob) -> dict[str, Any]:
    """One token in the form of OpenAI's log-probabilities, with its owner."""
    return _scored(token) | {"top_logprobs": [_scored(top) for top in token.top], "source": token.owner}


def _scored(token: TokenLogprob | TopLogprob) -> dict[str, Any]:
    # A token that is part of a character has no text, and so no bytes.
    readable = "\N{REPLACEMENT CHARACTER}" not in token.text
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.text.encode()) if readable else None}
