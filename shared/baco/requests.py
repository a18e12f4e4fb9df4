"""Requests over the decode loop: rows become answers with text, answers become stream events and results.

Knows requests, rows and texts; knows nothing of routing or of models. One producer of events; `Engine.generate` and `Engine.stream`
both consume it.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from baco.config import SamplingParams
from baco.decode import Decoder, IdLogprobs, Row
from baco.detokenize import AnswerText
from baco.pair import ModelPair
from baco.prompts import Prompt
from baco.results import Candidate, FinishReason, GenerationResult, Model, Passes, StreamEvent, Token, TokenLogprob, TopLogprob, Usage
from baco.routers import Router
from baco.surface import Surface


@dataclass(kw_only=True)
class Request:
    """One prompt with its settings, checked and resolved; collects its answers."""

    prompt: Prompt
    params: SamplingParams
    router: Router
    seed: int
    max_model_len: int
    submitted: float = field(default_factory=time.monotonic)
    candidates: dict[int, Candidate] = field(default_factory=dict)
    passes: dict[int, dict[Model, int]] = field(default_factory=dict)
    """For each batch that decoded rows of this request: the passes that they took part in."""

    def row(self, sample_index: int) -> Row:
        """The decode loop's view of one answer."""
        room = self.max_model_len - max(len(ids) for ids in self.prompt.token_ids.values())
        return Row(
            prompt=self.prompt,
            params=self.params,
            router=self.router,
            seed=self.seed,
            sample_index=sample_index,
            max_tokens=min(self.params.max_tokens, room),
        )

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self.params.deadline is not None and time.monotonic() - self.submitted >= self.params.deadline

    def _passes(self, which: Model) -> int:
        return sum(batch.get(which, 0) for batch in self.passes.values())

    def result(self) -> GenerationResult:
        """Everything about the finished request."""
        candidates = tuple(self.candidates[index] for index in range(self.params.n))
        owners = [from_base for candidate in candidates for from_base in candidate.from_base]
        ids = self.prompt.token_ids
        return GenerationResult(
            candidates=candidates,
            prompt_token_ids=ids,
            usage=Usage(
                prompt_tokens=len(ids["aligned"] if "aligned" in ids else ids["base"]),
                completion_tokens=len(owners),
                base_tokens=sum(owners),
                aligned_tokens=len(owners) - sum(owners),
            ),
            passes=Passes(base=self._passes("base"), aligned=self._passes("aligned")),
            seed=self.seed,
            router=self.router.name,
            threshold=self.router.threshold,
        )


class _Answer:
    """One row's text so far."""

    def __init__(self, pair: ModelPair, number: int, request: Request, sample_index: int) -> None:
        self.pair = pair
        self.number = number
        self.request = request
        self.sample_index = sample_index
        self.text = AnswerText(pair.tokenizer, request.params.stop, request.prompt.base_stop)
        self.tokens: list[Token] = []

    def push(
        self, token_id: int, from_base: bool, logprobs: IdLogprobs | None, reason: FinishReason | None
    ) -> tuple[StreamEvent | None, bool]:
        """Take one token; return the event that it makes, if any, and whether the answer has ended."""
        tokens = self.text.push(token_id, from_base, self._logprob(token_id, from_base, logprobs))
        if self.text.stopped:
            reason = "stop"
        elif reason is None and self.request.is_late:
            reason = "cancelled"
        if reason is not None:
            tokens += self.text.finish()
        self.tokens += tokens
        if reason is not None:
            self.request.candidates[self.sample_index] = Candidate(index=self.sample_index, tokens=tuple(self.tokens), finish_reason=reason)
        event = StreamEvent(index=self.sample_index, tokens=tuple(tokens), finish_reason=reason) if tokens or reason else None
        return event, reason is not None

    def _logprob(self, token_id: int, from_base: bool, logprobs: IdLogprobs | None) -> TokenLogprob | None:
        if logprobs is None:
            return None
        name = Surface.of(self.pair.tokenizer).text
        top = tuple(TopLogprob(token_id=i, text=name(i), logprob=value) for i, value in logprobs.top)
        return TokenLogprob(token_id=token_id, text=name(token_id), logprob=logprobs.chosen, from_base=from_base, top=top)


def run(
    pair: ModelPair, requests: Sequence[Request], max_batch_size: int, cancelled: threading.Event | None = None
) -> Iterator[tuple[int, StreamEvent]]:
    """Decode requests, `max_batch_size` rows at a time; yield (index of the request, event).

    All requests must use the same models. Once `cancelled` is set, every answer ends as it stands, within one token.
    """
    samples = [(number, request, index) for number, request in enumerate(requests) for index in range(request.params.n)]
    for batch, start in enumerate(range(0, len(samples), max_batch_size)):
        answers = [_Answer(pair, *sample) for sample in samples[start : start + max_batch_size]]
        yield from _run_batch(pair, answers, batch, cancelled or threading.Event())


def _run_batch(pair: ModelPair, answers: list[_Answer], batch: int, cancelled: threading.Event) -> Iterator[tuple[int, StreamEvent]]:
    decoder = Decoder(pair, [answer.request.row(answer.sample_index) for answer in answers])
    for step in decoder.steps():
        for row, token_id, from_base, reason, logprobs in zip(
            step.rows, step.token_ids, step.from_base, step.finish_reasons, step.logprobs, strict=True
        ):
            answer = answers[row]
            if reason is None and cancelled.is_set():
                reason = "cancelled"
            event, ended = answer.push(token_id, from_base, logprobs, reason)
            if ended:
                decoder.finish(row)
                _count_passes(answer.request, batch, decoder.passes[row])
            if event is not None:
                yield answer.number, _with_result(event, answer.request)


def _count_passes(request: Request, batch: int, passes: dict[Model, int]) -> None:
    """Rows of one request in one batch share their passes: the longest row's count is the request's."""
    shared = request.passes.setdefault(batch, {})
    for which, count in passes.items():
        shared[which] = max(count, shared.get(which, 0))


def _with_result(event: StreamEvent, request: Request) -> StreamEvent:
    """Attach the result to the event that completes the request."""
    if event.finish_reason is None or len(request.candidates) < request.params.n:
        return event
    return StreamEvent(index=event.index, tokens=event.tokens, finish_reason=event.finish_reason, result=request.result())
