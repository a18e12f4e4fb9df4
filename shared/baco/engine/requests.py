"""Requests: rows become answers with text and, where that is asked for, with scores; answers become stream events and a result.

Knows requests, rows and texts; knows nothing of models, passes or queues.
"""

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from math import inf

from baco.config import ResolvedSamplingParams, SamplingParams
from baco.decoding.row import PassCount, Row
from baco.decoding.scored import ScoredSequence
from baco.decoding.sequence import CommittedToken, Mode, SequenceState
from baco.errors import ConfigError
from baco.grammar.call_grammar import CallsGrammar
from baco.grammar.compiled import CompiledGrammar, GrammarVocabulary
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
    params: ResolvedSamplingParams
    router: Router
    seed: int
    max_tokens: int
    """Longest answer: as asked for, or as the context window allows."""
    max_batch_size: int
    """Rows of any requests that may run beside each of this request's."""
    grammar: CompiledGrammar | None = None
    """Its answers' grammar, if they have one."""
    format: AnswerFormat = PLAIN
    """How its answers write reasoning and tool calls."""
    score: bool = False
    """Whether the aligned model scores the answers."""
    model_logprobs: bool = False
    """Whether each model that runs says how likely it finds each token."""
    given: Sequence[Candidate] = ()
    """The n answers, if they exist already and are only scored."""
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
    def is_cancelled(self) -> bool:
        """Whether it was cancelled, by itself or with its context."""
        return self.cancelled or self.cancel_event.is_set()

    @property
    def is_late(self) -> bool:
        """Whether its deadline has passed."""
        return self.params.deadline is not None and time.monotonic() - self.submitted >= self.params.deadline

    @property
    def scoring_models(self) -> tuple[Model, ...]:
        """The models that score the answers."""
        if self.model_logprobs:
            return tuple(self.prompt.token_ids)
        return ("aligned",) if self.score else ()

    @property
    def mode(self) -> Mode:
        """Who writes."""
        if len(self.router.models) == 1:
            return self.router.models[0]
        return "lockstep" if self.router.reads_aligned else "speculative"

    def answers(self, info: PairInfo) -> "list[Answer]":
        """Make the answers that have something to decode: n empty ones, or those of the given ones that are not scored yet."""
        answers = [Answer(info, self, index) for index in range(self.params.n)]
        if not self.given:
            return answers
        return [answer for answer, candidate in zip(answers, self.given, strict=True) if not answer.finish(candidate)]

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
            sampling=self.params.settings,
            template_date=self.prompt.template_date,
            format=self.format,
        )


def build_requests(
    info: PairInfo,
    prompts: Sequence[Prompt],
    params: SamplingParams,
    router: Router,
    tools: Sequence[Tool],
    *,
    score: bool,
    model_logprobs: bool,
    max_model_len: int,
    max_batch_size: int,
) -> list[Request]:
    """Make the requests of prompts, with their grammar and their calls in the pair's form.

    Where the caller set no temperature, top-p or top-k, they get what the pair's maker recommends.

    Raises:
        ConfigError: the grammar cannot be enforced, or asks for calls in a form that is not known.
        ChatTemplateError: the pair writes calls in a form that cannot be read.
    """
    resolved = params.resolve(info.sampling)
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
            params=resolved,
            router=router,
            seed=secrets.randbits(63) if params.seed is None else params.seed,
            max_tokens=min(params.max_tokens, max_model_len - max(len(ids) for ids in prompt.token_ids.values())),
            max_batch_size=max_batch_size,
            grammar=compiled,
            score=score,
            model_logprobs=model_logprobs,
            format=AnswerFormat(
                # What is held to a grammar begins with what it describes.
                reasoning=None if compiled is not None else reasoning_format(info.tokenizer, prompt.token_ids.get("aligned", [])),
                tool_calls=tool_call_format(info.tokenizer, prompt.token_ids.get("aligned", []), tools) if calls else None,
            ),
        )
        for prompt in prompts
    ]


def build_scoring(result: GenerationResult, max_batch_size: int) -> Request:
    """Make the request that scores the answers of a result.

    Raises:
        ConfigError: the aligned model has not read the prompt.
    """
    check_scorable(result.router, result.prompt_token_ids)
    return Request(
        prompt=Prompt(token_ids={"aligned": result.prompt_token_ids["aligned"]}, base_stop=()),
        # Nothing is drawn, so neither sampling nor routing matters.
        params=ResolvedSamplingParams(n=len(result.candidates), temperature=0),
        router=Router("aligned"),
        seed=result.seed,
        max_tokens=0,
        max_batch_size=max_batch_size,
        score=True,
        given=result.candidates,
    )


def check_scorable(router: str, models: Collection[Model]) -> None:
    """Check that the aligned model is among those that read the prompt; else answers of this router cannot be scored.

    Raises:
        ConfigError: it is not.
    """
    if "aligned" not in models:
        raise ConfigError(f"answers of router {router!r} cannot be scored: the aligned model scores, and it does not read their prompt")


class Answer:
    """One answer of a request: its row for the decoder, its text so far, and the candidate that it becomes."""

    def __init__(self, info: PairInfo, request: Request, sample_index: int) -> None:
        self.request = request
        self.sample_index = sample_index
        self.text = AnswerText(info.tokenizer, request.params.stop, request.prompt.base_stop, request.format.control_tokens)
        self.tokens: list[Token] = []
        self._unsent: list[Token] = []
        """The last tokens, which are sent together with the end."""
        self._candidate: Candidate | None = None
        """What was written, once that is over."""
        self._token_texts = TokenTexts.of(info.tokenizer)
        prompts = request.prompt.token_ids
        sequence = SequenceState(
            prompts=prompts,
            mode=request.mode,
            end_ids={which: info.end_ids(which) for which in prompts},
            max_tokens=request.max_tokens,
        )
        self.row = Row(
            params=request.params,
            router=request.router,
            seed=request.seed,
            sample_index=sample_index,
            sequence=sequence,
            passes=request.passes,
            guide=None if request.grammar is None else Guide(request.grammar, sequence.max_tokens),
        )

    @property
    def is_over(self) -> bool:
        """Whether it ends as it stands. A deadline ends the writing; what was written by then is still scored."""
        return self.request.is_cancelled or (self._candidate is None and self.request.is_late)

    def push(self, committed: Iterable[CommittedToken]) -> bool:
        """Take new tokens, up to a stop text, or the end of scoring, which has none; return whether the answer is complete."""
        if self._candidate is not None:
            assert isinstance(self.row.sequence, ScoredSequence), "what is written is only scored"
            return self._complete(self._candidate, self.row.sequence.logprobs)
        tokens: list[Token] = []
        for token in committed:
            tokens += self.text.push(token.token_id, token.from_base, self._logprob(token))
            reason: FinishReason | None = "stop" if self.text.stopped else token.finish_reason
            if reason is not None:
                return self._end(tokens, reason)
        if tokens:
            self.tokens += tokens
            self._tell(tokens)
        return False

    def cut(self) -> bool:
        """End the answer as it stands; return whether it is complete."""
        return self._end([], "cancelled") if self._candidate is None else self._complete(self._candidate, None)

    def finish(self, candidate: Candidate) -> bool:
        """Take the answer as written; return whether it is complete, or its row has to be scored first."""
        request, sequence = self.request, self.row.sequence
        self._candidate, models = candidate, request.scoring_models
        if not models or request.is_cancelled:
            return self._complete(candidate, None)
        if not candidate.tokens:
            return self._complete(candidate, {which: [] for which in models})
        if candidate.model_logprobs is not None:
            return self._complete(candidate, candidate.model_logprobs)
        self.row.sequence = ScoredSequence.of(sequence, candidate.token_ids, models)
        self.row.noise.clear()
        return False

    def _end(self, tokens: list[Token], reason: FinishReason) -> bool:
        """End the text; return whether the answer is complete."""
        self._unsent = tokens + self.text.finish()
        self.tokens += self._unsent
        self.request.proposed += self.row.sequence.proposed
        self.request.accepted += self.row.sequence.accepted
        if reason == "stop" and self.request.format.calls_tools("".join(token.text for token in self.tokens)):
            reason = "tool_calls"
        return self.finish(Candidate(index=self.sample_index, tokens=tuple(self.tokens), finish_reason=reason))

    def _complete(self, candidate: Candidate, logprobs: Mapping[Model, Sequence[float]] | None) -> bool:
        """Hand the candidate over, with what the models say of its tokens; the request ends with its last one."""
        request = self.request
        if logprobs is not None and request.score:
            values = logprobs["aligned"]
            candidate = replace(candidate, score=sum(values) / len(values) if values else -inf)
        if logprobs is not None and request.model_logprobs:
            candidate = replace(candidate, model_logprobs=logprobs)
        request.candidates[self.sample_index] = candidate
        result = request.result() if len(request.candidates) == request.params.n else None
        self._tell(self._unsent, candidate.finish_reason, result)
        if result is not None:
            request.done.set_result(result)
        return True

    def _tell(self, tokens: list[Token], reason: FinishReason | None = None, result: GenerationResult | None = None) -> None:
        request = self.request
        if request.on_event is not None:
            event = StreamEvent(index=self.sample_index, tokens=tuple(tokens), finish_reason=reason, result=result, format=request.format)
            request.on_event(event)

    def _logprob(self, token: CommittedToken) -> TokenLogprob | None:
        name, logprobs = self._token_texts.text, token.logprobs
        if logprobs is None:
            return None
        top = tuple(TopLogprob(token_id=i, text=name(i), logprob=value) for i, value in logprobs.top)
        return TokenLogprob(token_id=token.token_id, text=name(token.token_id), logprob=logprobs.chosen, from_base=token.from_base, top=top)


def vocabulary_of(info: PairInfo, which: Model) -> GrammarVocabulary:
    """A pair's tokens as grammars read them, for answers that this model ends.

    Raises:
        ConfigError: it has no end token.
        PairError: the tokenizer is not one that grammars can be used with.
    """
    return GrammarVocabulary.of(info.tokenizer, info.vocab_size, sorted(info.end_ids(which)))
