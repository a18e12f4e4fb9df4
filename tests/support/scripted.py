"""An engine that writes a script: for tests of what is done with answers, not of how they are decoded."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from baco import Candidate, Engine, StreamEvent, Token
from baco.engine.requests import Request

Script = Callable[..., list[Request]]
"""Takes the texts of the answers, and the reason of their end; returns the list of the requests that come."""
PIECE = 3
"""Characters a token."""


def scripted(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Let every answer be one of the given texts, three characters a token. Prompts, metadata and usage are real."""

    def write(*texts: str, reason: Any = "stop") -> list[Request]:
        seen: list[Request] = []

        def submit(engine: Engine, requests: Sequence[Request]) -> None:
            seen.extend(requests)
            for number, request in enumerate(requests):
                for index in range(request.params.n):
                    _write(request, index, texts[(number + index) % len(texts)], reason)

        monkeypatch.setattr(Engine, "_submit", submit)
        return seen

    return write


def _write(request: Request, index: int, text: str, reason: Any) -> None:
    """Complete one answer, event by event; and its request with the last one."""
    tokens = tuple(Token(token_id=5, text=text[start : start + PIECE], from_base=False) for start in range(0, len(text), PIECE))
    events = [StreamEvent(index=index, tokens=(token,), format=request.format) for token in tokens[:-1]]
    reason = "tool_calls" if reason == "stop" and request.format.calls_tools(text) else reason
    request.candidates[index] = Candidate(index=index, tokens=tokens, finish_reason=reason)
    result = request.result() if len(request.candidates) == request.params.n else None
    events.append(StreamEvent(index=index, tokens=tokens[-1:], finish_reason=reason, result=result, format=request.format))
    if request.on_event is not None:
        for event in events:
            request.on_event(event)
    if result is not None:
        request.done.set_result(result)
