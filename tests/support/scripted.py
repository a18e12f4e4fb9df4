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
    """Let every answer be one of the given texts, three characters a token. Prompts, metadata, usage and scores are real."""
    score = Engine._submit

    def write(*texts: str, reason: Any = "stop") -> list[Request]:
        seen: list[Request] = []

        def submit(engine: Engine, requests: Sequence[Request]) -> None:
            seen.extend(requests)
            for number, request in enumerate(requests):
                if not request.given:
                    for index in range(request.params.n):
                        _write(request, index, texts[(number + index) % len(texts)], reason)
                if request.scoring_models:
                    request.given = request.given or [request.candidates.pop(index) for index in range(request.params.n)]
                    score(engine, [request])

        monkeypatch.setattr(Engine, "_submit", submit)
        return seen

    return write


def _write(request: Request, index: int, text: str, reason: Any) -> None:
    """Complete one answer, event by event, and its request with the last one; but for the scores, where they are asked for."""
    tokens = tuple(Token(token_id=5, text=text[start : start + PIECE], from_base=False) for start in range(0, len(text), PIECE))
    events = [StreamEvent(index=index, tokens=(token,), format=request.format) for token in tokens[:-1]]
    reason = "tool_calls" if reason == "stop" and request.format.calls_tools(text) else reason
    request.candidates[index] = Candidate(index=index, tokens=tokens, finish_reason=reason)
    complete = len(request.candidates) == request.params.n and not request.scoring_models
    result = request.result() if complete else None
    ending = None if request.scoring_models else reason
    events.append(StreamEvent(index=index, tokens=tokens[-1:], finish_reason=ending, result=result, format=request.format))
    if request.on_event is not None:
        for event in events:
            request.on_event(event)
    if result is not None:
        request.done.set_result(result)
