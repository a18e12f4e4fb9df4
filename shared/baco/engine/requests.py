"""Requests: rows become answers with text, answers become stream events and a result.

Knows requests, rows and texts; knows nothing of models, passes or queues.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from baco.config import SamplingParams
from baco.decoding.row import PassCount, Row
from baco.decoding.sequence import CommittedToken, IdLogprobs, Mode, SequenceState
from baco.errors import ConfigError
from baco.grammar.compiled import CompiledGrammar, GrammarVocabulary
from baco.grammar.grammar import CallsGrammar
from baco.grammar.guide import Guide
from baco.models.info import PairInfo
from baco.parsing.answer import PLAIN, AnswerFormat
from baco.parsing.detection import detect_tool_calls, reasoning_format, tool_call_format, unknown_format
from baco.parsing.tools import Tool
from baco.results import Candidate, FinishReason, GenerationResult, Model, Passes, StreamEvent, Token, TokenLogprob, TopLogprob, Usage
from baco.routing import Router
from baco.text.detokenize import AnswerText
from baco.text.prompts import Prompt
from baco.vocab.token_text import TokenTexts

_NEVER = threading.Event()
cancel_event: ContextVar[threading.Event] = ContextVar("baco_cancel_event", default=_NEVER)
"""Once set, it cancels every request that was made in its context, in whatever thread: for a caller that waits for several threads."""


@dataclass(kw_only=True, eq=False)
class Request:
    """One prompt with its settings, checked and resolved; collects its answers."""

    prompt: Prompt
    params: SamplingParams
    router: Router
    seed: int
    max_model_len: int
    max_batch_size: int
    """Rows of any requests that may run beside each of this request's."""
    grammar: CompiledGrammar | None = None
    """Its answers' grammar, if they have one."""
    format: AnswerFormat = PLAIN
    """How its answers write reasoning and tool calls."""
    on_event: Callable[[StreamEvent], None] | None = None
    """Called by the worker with every event, the last of which carries the result."""
    done: "Future[GenerationResult]" = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)
    candidates: dict[int, Candidate] = field(default_factory=dict)
    passes: PassCount = field(default_factory=PassCount)
    proposed: int = 0
    accepted: int = 0
    cancelled: bool = False
    cancel_event: threading.Event = field(default_factory=cancel_event.get)

    def __post_init__(self) -> None:
        if self.grammar is not None and self.grammar.min_tokens > self.max_tokens:
            raise ConfigError(
                f"an answer can have {self.max_tokens} tokens here, but the shortest that was found for `grammar` takes "
                f"{self.grammar.min_tokens}; raise `max_tokens`, or shorten the prompt"
            )
        # From now on a caller who gives up cannot cancel the future itself, only the request.
        self.done.set_running_or_notify_cancel()

    def cancel(self) -> None:
        """End every answer as it stands, within one step. Safe from any thread, and after the end."""
        self.cancelled = True

    @property
    def max_tokens(self) -> int:
        """Longest answer: as asked for, or as the context window allows."""
        return min(self.params.max_tokens, self.max_model_len - max(len(ids) for ids in self.prompt.token_ids.values()))

    @property
    def is_over(self) -> bool:
        """Whether the request was cancelled or its deadline has passed."""
        late = self.params.deadline is not None and time.monotonic() - self.submitted >= self.params.deadline
        return self.cancelled or self.cancel_event.is_set() or late

    @property
    def mode(self) -> Mode:
        """Who writes."""
        if len(self.router.models) == 1:
            return self.router.models[0]
        return "lockstep" if self.router.reads_aligned else "speculative"

    def answers(self, info: PairInfo) -> "list[Answer]":
        """Make the n answers, with nothing in them yet."""
        return [Answer(info, self, index) for index in range(self.params.n)]

    def result(self) -> GenerationResult:
        """Everything about the finished request."""
        candidates = tuple(self.candidates[index] for index in range(self.params.n))
        owners = [from_base for candidate in candidates for from_base in candidate.from_base]
        ids = self.prompt.token_ids
        counted: Model = "aligned" if "aligned" in ids else "base"
        return GenerationResult(
            candidates=candidates,
            prompt_token_ids=ids,
            usage=Usage(
                prompt_tokens=len(ids[counted]),
                completion_tokens=len(owners),
                base_tokens=sum(owners),
                aligned_tokens=len(owners) - sum(owners),
                cached_tokens=self.passes.reused.get(counted, 0),
            ),
            passes=Passes(base=self.passes.base, aligned=self.passes.aligned, proposed=self.proposed, accepted=self.accepted),
            seed=self.seed,
            router=self.router.name,
            threshold=self.router.threshold,
            format=self.format,
        )


def build_requests(
    info: PairInfo,
    prompts: Sequence[Prompt],
    params: SamplingParams,
    router: Router,
    tools: Sequence[Tool],
    *,
    max_model_len: int,
    max_batch_size: int,
) -> list[Request]:
    """Make the requests of prompts, with their grammar and their calls in the pair's form.

    Raises:
        ConfigError: the grammar cannot be enforced, or asks for calls in a form that is not known.
        ChatTemplateError: the pair writes calls in a form that cannot be read.
    """
    grammar, calls = params.grammar, bool(tools)
    if isinstance(grammar, CallsGrammar):
        known = detect_tool_calls(info.tokenizer)
        if known is None:
            raise ConfigError(
                f"a call cannot be forced with this pair: its chat template writes calls in {unknown_format()}; leave the choice to the "
                "models, or choose another pair"
            )
        grammar, calls = grammar.in_format(known), True
    compiled = None if grammar is None else vocabulary_of(info, router.models[-1]).compile(grammar)
    return [
        Request(
            prompt=prompt,
            params=params,
            router=router,
            seed=secrets.randbits(63) if params.seed is None else params.seed,
            max_model_len=max_model_len,
            max_batch_size=max_batch_size,
            grammar=compiled,
            format=AnswerFormat(
                # What is held to a grammar begins with what it describes.
                reasoning=None if compiled is not None else reasoning_format(info.tokenizer, prompt.token_ids.get("aligned", [])),
                tool_calls=tool_call_format(info.tokenizer, prompt.token_ids.get("aligned", []), tools) if calls else None,
            ),
        )
        for prompt in prompts
    ]


class Answer:
    """One answer of a request: its row for the decoder, and its text so far."""

    def __init__(self, info: PairInfo, request: Request, sample_index: int) -> None:
        self.request = request
        self.sample_index = sample_index
        shown = () if request.format.tool_calls is None else request.format.tool_calls.control_tokens
        self.text = AnswerText(info.tokenizer, request.params.stop, request.prompt.base_stop, shown)
        self.tokens: list[Token] = []
        self._token_texts = TokenTexts.of(info.tokenizer)
        prompts = request.prompt.token_ids
        sequence = SequenceState(
            prompts=prompts,
            mode=request.mode,
            end_ids={which: info.end_ids(which) for which in prompts},
            max_tokens=request.max_tokens,
        )
        self.row = Row(
            prompt=request.prompt,
            params=request.params,
            router=request.router,
            seed=request.seed,
            sample_index=sample_index,
            sequence=sequence,
            passes=request.passes,
            guide=None if request.grammar is None else Guide(request.grammar, sequence.max_tokens),
        )

    def push(self, committed: Iterable[CommittedToken]) -> bool:
        """Take new tokens, up to a stop text; say whether the answer has ended."""
        tokens: list[Token] = []
        for token in committed:
            tokens += self.text.push(token.token_id, token.from_base, self._logprob(token))
            reason: FinishReason | None = "stop" if self.text.stopped else token.finish_reason
            if reason is not None:
                self._end(tokens, reason)
                return True
        if tokens:
            self.tokens += tokens
            self._tell(tokens, None)
        return False

    def cut(self) -> None:
        """End the answer as it stands."""
        self._end([], "cancelled")

    def _end(self, tokens: list[Token], reason: FinishReason) -> None:
        tokens += self.text.finish()
        self.tokens += tokens
        request, sequence = self.request, self.row.sequence
        if reason == "stop" and request.format.calls_tools("".join(token.text for token in self.tokens)):
            reason = "tool_calls"
        request.candidates[self.sample_index] = Candidate(index=self.sample_index, tokens=tuple(self.tokens), finish_reason=reason)
        request.proposed += sequence.proposed
        request.accepted += sequence.accepted
        self._tell(tokens, reason)

    def _tell(self, tokens: list[Token], reason: FinishReason | None) -> None:
        request = self.request
        if request.on_event is None and reason is None:
            return
        event = StreamEvent(
            index=self.sample_index,
            tokens=tuple(tokens),
            finish_reason=reason,
            format=request.format,
        )
        complete = reason is not None and len(request.candidates) == request.params.n
        result = request.result() if complete else None
        if request.on_event is not None:
            request.on_event(event if result is None else replace(event, result=result))
        if result is not None:
            request.done.set_result(result)

    def _logprob(self, token: CommittedToken) -> TokenLogprob | None:
        logprobs: IdLogprobs | None = token.logprobs
        if logprobs is None:
            return None
        name = self._token_texts.text
        top = tuple(TopLogprob(token_id=i, text=name(i), logprob=value) for i, value in logprobs.top)
        return TokenLogprob(token_id=token.token_id, text=name(token.token_id), logprob=logprobs.chosen, from_base=token.from_base, top=top)


def vocabulary_of(info: PairInfo, which: Model) -> GrammarVocabulary:
    """A pair's tokens as grammars read them, for answers that this model ends.

    Raises:
        ConfigError: it has no end token.
        PairError: the tokenizer is not one that grammars can be used with.
    """
    return GrammarVocabulary.of(info.tokenizer, info.vocab_size, sorted(info.end_ids(which)))
