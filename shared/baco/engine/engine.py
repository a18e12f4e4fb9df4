"""`Engine`: what a user holds. Checks and resolves requests, and submits them to the pair's worker."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, TypedDict, Unpack

from baco.checks import check_keywords, is_integer, require
from baco.config import ResolvedSamplingParams, SamplingParams
from baco.engine.requests import Request, build_requests, build_scoring, check_scorable
from baco.engine.worker import submit
from baco.errors import ConfigError
from baco.forward.trial import check_runs
from baco.models.pair import ModelPair
from baco.parsing.tools import Tool, check_tools
from baco.results import GenerationResult, StreamEvent
from baco.routing import Router, calibration
from baco.text.chat_template import Message
from baco.text.prompts import build_prompt, check_base_prompt, own_template
from baco.text.template_variables import reasoning_part, template_variables

Messages = str | Sequence[Message]
MAX_WAITING = 4096


class CallOptions(TypedDict, total=False):
    """What a call may say of its answers, as `Engine.generate` describes it."""

    base_prompt: str
    chat_template_kwargs: Mapping[str, Any] | None
    reasoning: bool | str | None
    tools: Sequence[Tool] | None
    score: bool
    model_logprobs: bool


class Engine:
    """Decodes prompts with a pair of models.

    Engines are cheap. All engines of a pair, and all threads and tasks that use them, share one worker, whose passes serve everybody's
    requests together.

    Args:
        pair: the models.
        max_batch_size: rows (prompts times n) that are decoded together.
        max_model_len: longest prompt and answer together, in tokens; None takes the smaller of the models' windows.
        max_waiting: answers that may wait; with as many waiting, a further request, of any size, is refused with `QueueFullError`.

    Raises:
        ConfigError: a value is out of its range.
        UnsupportedModelError: a model of the pair cannot be run.
    """

    def __init__(
        self, pair: ModelPair, *, max_batch_size: int = 32, max_model_len: int | None = None, max_waiting: int = MAX_WAITING
    ) -> None:
        require(is_integer(max_batch_size) and max_batch_size >= 1, "max_batch_size", "an integer of at least 1", max_batch_size)
        require(is_integer(max_waiting) and max_waiting >= 1, "max_waiting", "an integer of at least 1", max_waiting)
        window = pair.context_window
        fits = max_model_len is None or (is_integer(max_model_len) and 2 <= max_model_len <= window)
        require(fits, "max_model_len", f"None or an integer in [2, {window}], the smaller of the models' windows", max_model_len)
        check_runs(pair)
        self.pair = pair
        self.max_batch_size = max_batch_size
        self.max_model_len = max_model_len or window
        self.max_waiting = max_waiting

    def generate(
        self,
        messages: Messages,
        params: SamplingParams | None = None,
        router: Router | None = None,
        *,
        base_prompt: str = "transcript",
        chat_template_kwargs: Mapping[str, Any] | None = None,
        reasoning: bool | str | None = None,
        tools: Sequence[Tool] | None = None,
        score: bool = False,
        model_logprobs: bool = False,
    ) -> GenerationResult:
        """Decode one prompt to its end.

        Args:
            messages: a user's text, or messages with "role" and "content"; an assistant's may have "tool_calls" in OpenAI's form.
            params: how to sample; None takes the defaults. What it leaves open is the maker's; the result's `sampling` says what that is.
            router: who speaks; None takes the default router.
            base_prompt: "transcript", "template" or a Jinja template: what the base model reads.
            chat_template_kwargs: variables of the aligned model's chat template, such as ``{"enable_thinking": False}``; a transcript has
                none. "strftime_now" is the moment that the template is told, in ISO 8601; today's date by default.
            reasoning: whether to reason before the answer, or how much ("low", "medium", "high"), in the variable that the chat template
                has for it. False asks for the least where there are only degrees. None leaves it to the template.
            tools: functions that the answer may call, in OpenAI's form. The calls are text, as the aligned model's family writes them;
                `result.format.read(text)` reads them.
            score: whether to fill in each candidate's `score` (see `Engine.score`); takes about one more pass of the aligned model.
            model_logprobs: whether to fill in each candidate's `model_logprobs`, under both models or the one that runs; takes about one
                more pass of each.

        Raises:
            PromptError: the prompt is empty, malformed or longer than the context window, or the chat template has no place for a part of
                it, or for tools.
            ConfigError: a setting is out of range, a tool is malformed, the chat template never reads a variable, or a score is asked for
                where the aligned model does not run.
        """
        options = CallOptions(
            base_prompt=base_prompt,
            chat_template_kwargs=chat_template_kwargs,
            reasoning=reasoning,
            tools=tools,
            score=score,
            model_logprobs=model_logprobs,
        )
        return self._run(self._requests([messages], params, router, **options))[0]

    def generate_batch(
        self, batch: Sequence[Messages], params: SamplingParams | None = None, router: Router | None = None, **options: Unpack[CallOptions]
    ) -> list[GenerationResult]:
        """Decode prompts of any lengths together; every one is checked before any is decoded. Arguments as in `generate`."""
        return self._run(self._requests(batch, params, router, **options))

    def stream(
        self, messages: Messages, params: SamplingParams | None = None, router: Router | None = None, **options: Unpack[CallOptions]
    ) -> Iterator[StreamEvent]:
        """Check a request, then decode it event by event; closing the iterator ends it. Arguments as in `generate`."""
        return self._events(self._requests([messages], params, router, **options)[0])

    async def agenerate(
        self, messages: Messages, params: SamplingParams | None = None, router: Router | None = None, **options: Unpack[CallOptions]
    ) -> GenerationResult:
        """Like `generate`, off the event loop; cancelling the task ends the decoding within one token."""
        return (await self.agenerate_batch([messages], params, router, **options))[0]

    async def agenerate_batch(
        self, batch: Sequence[Messages], params: SamplingParams | None = None, router: Router | None = None, **options: Unpack[CallOptions]
    ) -> list[GenerationResult]:
        """Like `generate_batch`, off the event loop; cancelling the task ends the decoding within one token."""
        return await self._arun(await asyncio.to_thread(self._requests, batch, params, router, **options))

    async def astream(
        self, messages: Messages, params: SamplingParams | None = None, router: Router | None = None, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[StreamEvent, None]:
        """Like `stream`, off the event loop; leaving the iteration ends the decoding within one token."""
        (request,) = await asyncio.to_thread(self._requests, [messages], params, router, **options)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[StreamEvent | Future[GenerationResult]] = asyncio.Queue()

        def hand_over(item: StreamEvent | Future[GenerationResult]) -> None:
            with suppress(RuntimeError):  # a loop that was closed meanwhile has no reader
                loop.call_soon_threadsafe(queue.put_nowait, item)

        request.on_event = hand_over
        request.done.add_done_callback(hand_over)
        with self._submitted([request]):
            while not isinstance(item := await queue.get(), Future):
                yield item
            item.result()

    def score(self, results: Sequence[GenerationResult]) -> list[GenerationResult]:
        """Fill in each candidate's `score`: the mean natural logarithm of its tokens' probabilities under the aligned model.

        A mean, so that a long answer is not worse for being long; temperature 1, no penalties and no truncation. An answer without tokens
        has minus infinity. The prompts come from the prefix cache where it holds them, the answers share passes with everything else that
        runs, and the results count these passes. Candidates with `model_logprobs` need no pass.

        Args:
            results: answers of this engine's pair.

        Raises:
            ConfigError: the aligned model has not read a prompt, since the router asks the base alone.
            OutOfMemoryError: a prompt with an answer does not fit into memory.
            QueueFullError: too many answers are waiting.
        """
        return [_with_scores(*both) for both in zip(results, self._run(self._scoring(results)), strict=True)]

    async def ascore(self, results: Sequence[GenerationResult]) -> list[GenerationResult]:
        """Like `score`, off the event loop; cancelling the task ends it within one pass."""
        return [_with_scores(*both) for both in zip(results, await self._arun(self._scoring(results)), strict=True)]

    def resolve(
        self,
        router: Router,
        base_prompt: str = "transcript",
        *,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        reasoning: bool | str | None = None,
    ) -> Router:
        """Turn a router's diversity into a threshold, measuring it first if this pair has not been calibrated for it.

        It is measured anew for each way to reason, which decides what most tokens are; other variables of the template leave it as it is.

        Raises:
            ConfigError: the router cannot reach this share of base tokens.
        """
        if router.diversity is None:
            return router
        template = own_template(base_prompt)
        reasons = reasoning_part(template_variables(self.pair.info.tokenizer, chat_template_kwargs, reasoning, template))
        key = calibration.map_key(router, base_prompt, reasons)
        shipped, measured = self.pair.info.calibration_file, calibration.cache_file(self.pair.fingerprint())
        found = calibration.load_map(key, [measured] if shipped is None else [shipped, measured])
        if found is None:
            calibration.save_map(key, found := self.calibrate(router, base_prompt, reasons), measured)
        return router.with_threshold(found.threshold(router.diversity, router.name))

    def calibrate(
        self, router: Router, base_prompt: str = "transcript", chat_template_kwargs: Mapping[str, Any] | None = None
    ) -> calibration.CalibrationMap:
        """Measure at temperature 1, without truncation, which threshold gives the base which share of the tokens.

        Shows progress on standard error.
        """
        title = f"calibrating router {router.name} on {self.pair.name}"
        options = CallOptions(base_prompt=base_prompt, chat_template_kwargs=chat_template_kwargs)
        return calibration.measure_map(router, self.pair.vocab_size, lambda grid: self._shares(router, grid, options), title)

    def _shares(self, router: Router, thresholds: Sequence[float], options: CallOptions) -> list[float]:
        """Decode the calibration prompts at each threshold; return the share of base tokens at each."""
        # A map is of the pair alone, so what makers recommend, which may change, does not count.
        params = ResolvedSamplingParams(n=calibration.SAMPLES_PER_PROMPT, max_tokens=calibration.MAX_TOKENS, seed=0)
        prompts = calibration.PROMPTS
        requests = [one for value in thresholds for one in self._requests(prompts, params, router.with_threshold(value), **options)]
        usages = [result.usage for result in self._run(requests)]
        groups = [usages[i : i + len(prompts)] for i in range(0, len(usages), len(prompts))]
        return [sum(usage.base_tokens for usage in group) / sum(usage.completion_tokens for usage in group) for group in groups]

    def _requests(
        self,
        batch: Sequence[Messages],
        params: SamplingParams | None,
        router: Router | None,
        base_prompt: str = "transcript",
        chat_template_kwargs: Mapping[str, Any] | None = None,
        reasoning: bool | str | None = None,
        tools: Sequence[Tool] | None = None,
        score: bool = False,
        model_logprobs: bool = False,
        **unknown: object,
    ) -> list[Request]:
        """Check and encode everything, so that nothing is decoded if anything is wrong."""
        check_keywords("a call of an Engine", unknown, CallOptions.__annotations__)
        params = SamplingParams() if params is None else params
        router = Router() if router is None else router
        require(isinstance(params, SamplingParams), "params", "None or a SamplingParams", params)
        require(isinstance(router, Router), "router", 'None or a Router, such as Router("p-punc")', router)
        require(isinstance(score, bool), "score", "True or False", score)
        require(isinstance(model_logprobs, bool), "model_logprobs", "True or False", model_logprobs)
        if score:
            check_scorable(router.name, router.models)
        if isinstance(batch, str) or not batch:
            raise ConfigError(f"`batch` must be a list of at least one prompt, but is {batch!r}")
        check_base_prompt(base_prompt)
        info, checked = self.pair.info, check_tools(tools)
        # Once for all prompts, so that they have the same date.
        variables = template_variables(info.tokenizer, chat_template_kwargs, reasoning, own_template(base_prompt))
        prompts = [
            build_prompt(
                info,
                messages,
                models=router.models,
                base_prompt=base_prompt,
                tools=checked,
                variables=variables,
                max_model_len=self.max_model_len,
            )
            for messages in batch
        ]
        router = self.resolve(router, base_prompt, chat_template_kwargs=chat_template_kwargs, reasoning=reasoning)
        sizes = {"max_model_len": self.max_model_len, "max_batch_size": self.max_batch_size}
        return build_requests(info, prompts, params, router, checked, score=score, model_logprobs=model_logprobs, **sizes)

    def _scoring(self, results: Sequence[GenerationResult]) -> list[Request]:
        return [build_scoring(result, self.max_batch_size) for result in results]

    def _submit(self, requests: Sequence[Request]) -> None:
        submit(self.pair, requests, self.max_waiting)

    @contextmanager
    def _submitted(self, requests: Sequence[Request]) -> Iterator[None]:
        """Submit requests; when the block is left, also by an error or an interrupt, end those that have not ended."""
        try:
            self._submit(requests)
            yield
        finally:
            for request in requests:
                request.cancel()

    def _run(self, requests: Sequence[Request]) -> list[GenerationResult]:
        """Decode requests to their end."""
        with self._submitted(requests):
            return [request.done.result() for request in requests]

    async def _arun(self, requests: Sequence[Request]) -> list[GenerationResult]:
        """Like `_run`, off the event loop."""
        with self._submitted(requests):
            return [await asyncio.wrap_future(request.done) for request in requests]

    def _events(self, request: Request) -> Iterator[StreamEvent]:
        """Submit a request once its first event is asked for."""
        queue: SimpleQueue[StreamEvent | Future[GenerationResult]] = SimpleQueue()
        request.on_event = queue.put
        request.done.add_done_callback(queue.put)
        with self._submitted([request]):
            while not isinstance(item := queue.get(), Future):
                yield item
            item.result()


def _with_scores(result: GenerationResult, scored: GenerationResult) -> GenerationResult:
    """Put the scored candidates into the result that they are of, and add the passes."""
    passes = replace(result.passes, base=result.passes.base + scored.passes.base, aligned=result.passes.aligned + scored.passes.aligned)
    return replace(result, candidates=scored.candidates, passes=passes)
