"""Scores of whole answers, against one plain forward pass of transformers over prompt and answer, whatever else the worker decodes."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

import pytest
import torch
from torch import Tensor

from baco import Candidate, ConfigError, Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.decoding.decode import SHORT_SEGMENT
from baco.forward.model_runner import PreparedPass
from baco.results import Model
from tests.support.gate import Gate, Pass, ahead_and_in_lockstep, fresh, settle, wait_until
from tests.support.pairs import ARCHITECTURES
from tests.unit.engine.test_worker import asked, told

PROMPT = "Tell me of a rabbit."
MIXED = Router("p", threshold=0.6)
Call = Literal["generate", "generate_batch", "stream", "agenerate", "astream", "score", "ascore"]
ROUTERS = [
    MIXED,
    Router("aligned"),
    Router("rand", threshold=0.5, word_boundary=False),
    Router("punc", probe="aligned"),
    Router("judge", judge=lambda prefix: "base" if len(prefix.text) % 3 else "aligned"),
]


def plain_logprobs(pair: ModelPair, result: GenerationResult, candidate: Candidate, which: Model) -> list[float]:
    """The log-probabilities of an answer's tokens by the model alone, prompt and answer in one pass."""
    prompt, answer, model = result.prompt_token_ids[which], candidate.token_ids, pair.model(which)
    # The aligned model may have a token that the base has not: it cannot write it, and reads its own end instead.
    rows = model.get_input_embeddings().weight.shape[0]
    read = [one if one < rows else min(pair.end_ids(which)) for one in [*prompt, *answer[:-1]]]
    with torch.inference_mode():
        logprobs = model(torch.tensor([read])).logits[0].float().log_softmax(-1)
    return [float(logprobs[len(prompt) + place - 1, one]) if one < rows else -torch.inf for place, one in enumerate(answer)]


def plain_scores(pair: ModelPair, result: GenerationResult) -> list[float]:
    """The mean log-probability of each answer by the aligned model alone."""
    logprobs = [plain_logprobs(pair, result, candidate, "aligned") for candidate in result.candidates]
    return [sum(values) / len(values) if values else -torch.inf for values in logprobs]


def assert_scored(pair: ModelPair, result: GenerationResult) -> None:
    """Check that each answer has the score that the aligned model alone gives it."""
    assert [one.score for one in result.candidates] == pytest.approx(plain_scores(pair, result), abs=1e-4)


def assert_both_asked(pair: ModelPair, result: GenerationResult) -> None:
    """Check that each answer has the log-probabilities that each model alone gives its tokens."""
    for candidate in result.candidates:
        assert candidate.model_logprobs is not None and candidate.model_logprobs.keys() == result.prompt_token_ids.keys()
        for which, logprobs in candidate.model_logprobs.items():
            assert logprobs == pytest.approx(plain_logprobs(pair, result, candidate, which), abs=1e-4)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_score_is_the_mean_logprob_under_the_aligned_model(arch: str, get_engine: Callable[[str], Engine]) -> None:
    engine, params = get_engine(arch), SamplingParams(n=4, max_tokens=20, seed=3)
    plain = engine.generate(PROMPT, params, MIXED)
    assert 0 < plain.usage.base_tokens < plain.usage.completion_tokens
    scored = engine.generate(PROMPT, params, MIXED, score=True)
    assert_scored(engine.pair, scored)
    assert [one.tokens for one in scored.candidates] == [one.tokens for one in plain.candidates]
    (later,) = engine.score([plain])
    assert_scored(engine.pair, later)
    assert [one.tokens for one in later.candidates] == [one.tokens for one in plain.candidates]


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.name)
@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 0.0}, {"repetition_penalty": 1.3, "top_k": 20}], ids=["drawn", "greedy", "penalised"]
)
def test_every_routers_answers_are_scored_and_are_the_same(engine: Engine, router: Router, settings: dict[str, Any]) -> None:
    params = SamplingParams(n=5, max_tokens=24, seed=2, **settings)
    scored = engine.generate(PROMPT, params, router, score=True, model_logprobs=True)
    assert_scored(engine.pair, scored)
    assert_both_asked(engine.pair, scored)
    assert told(scored) == told(engine.generate(PROMPT, params, router))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_both_models_say_how_likely_each_token_is(arch: str, get_engine: Callable[[str], Engine]) -> None:
    engine = get_engine(arch)
    result = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=12, seed=3, logprobs=0), MIXED, model_logprobs=True)
    assert_both_asked(engine.pair, result)
    for candidate in result.candidates:
        assert candidate.model_logprobs is not None and candidate.score is None
        owners: list[Model] = ["base" if token.from_base else "aligned" for token in candidate.tokens]
        own = [candidate.model_logprobs[owner][place] for place, owner in enumerate(owners)]
        assert own == pytest.approx([token.logprob for token in candidate.logprobs or ()], abs=1e-4)


@pytest.mark.parametrize("name", ["base", "aligned"])
def test_a_model_that_did_not_run_says_nothing(engine: Engine, name: str) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=4, seed=1), Router(name), model_logprobs=True)
    assert_both_asked(engine.pair, result)
    assert [list(candidate.model_logprobs or {}) for candidate in result.candidates] == [[name]]


def test_the_base_alone_is_refused_before_anything_is_decoded(engine: Engine, passes: list[Pass]) -> None:
    with pytest.raises(ConfigError, match="answers of router 'base' cannot be scored"):
        engine.generate(PROMPT, SamplingParams(max_tokens=4), Router("base"), score=True)
    assert not passes
    with pytest.raises(ConfigError, match="answers of router 'base' cannot be scored"):
        engine.score([engine.generate(PROMPT, SamplingParams(max_tokens=4), Router("base"))])
    with pytest.raises(ConfigError, match="`score` must be True or False"):
        engine.generate(PROMPT, score=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="`model_logprobs` must be True or False"):
        engine.generate(PROMPT, model_logprobs=None)  # type: ignore[arg-type]


def test_an_answer_without_tokens_is_the_worst(engine: Engine) -> None:
    late = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=4, deadline=1e-9), score=True, model_logprobs=True)
    assert [(one.score, one.model_logprobs) for one in late.candidates] == [(-torch.inf, {"base": [], "aligned": []})] * 2
    result = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=4, seed=1))
    nothing = replace(result, candidates=(replace(result.candidates[0], tokens=()), result.candidates[1]))
    assert_scored(engine.pair, engine.score([nothing])[0])
    assert engine.score([late]) == [late] and engine.score([]) == []


def test_scores_of_known_logprobs_take_no_pass(engine: Engine, passes: list[Pass]) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=1), MIXED, model_logprobs=True)
    passes.clear()
    (scored,) = engine.score([result])
    assert_scored(engine.pair, scored)
    assert not passes and scored.passes == result.passes


async def every_way(engine: Engine, params: SamplingParams, call: Call) -> GenerationResult | None:
    """A scored result, in each way to ask for one."""
    match call:
        case "generate":
            return await asyncio.to_thread(engine.generate, PROMPT, params, MIXED, score=True)
        case "generate_batch":
            return (await asyncio.to_thread(engine.generate_batch, ["Why?", PROMPT], params, MIXED, score=True))[1]
        case "stream":
            return (await asyncio.to_thread(lambda: list(engine.stream(PROMPT, params, MIXED, score=True))))[-1].result
        case "agenerate":
            return await engine.agenerate(PROMPT, params, MIXED, score=True)
        case "astream":
            return [event async for event in engine.astream(PROMPT, params, MIXED, score=True)][-1].result
        case "score":
            return (await asyncio.to_thread(engine.score, [await engine.agenerate(PROMPT, params, MIXED)]))[0]
        case "ascore":
            return (await engine.ascore([await engine.agenerate(PROMPT, params, MIXED)]))[0]


@pytest.mark.parametrize("call", get_args(Call))
async def test_every_way_to_ask_scores_in_the_workers_thread(engine: Engine, passes: list[Pass], call: Call) -> None:
    params = SamplingParams(n=3, max_tokens=12, seed=4)
    expected = await engine.agenerate(PROMPT, params, MIXED)
    result = await every_way(engine, params, call)
    assert result is not None and told(result) == told(expected)
    assert_scored(engine.pair, result)
    assert {thread.name for thread in threading.enumerate() if thread.ident in {one.thread for one in passes}} == {
        f"baco {engine.pair.name}"
    }


def test_a_streams_events_are_the_same_and_the_last_one_has_the_scores(engine: Engine) -> None:
    params = SamplingParams(n=3, max_tokens=15, seed=6)
    events = list(engine.stream(PROMPT, params, MIXED, score=True))
    assert all(event.result is None for event in events[:-1]) and events[-1].result is not None
    plain = list(engine.stream(PROMPT, params, MIXED))
    for index in range(3):
        mine, others = ([event for event in some if event.index == index] for some in (events, plain))
        assert [(event.tokens, event.finish_reason) for event in mine] == [(event.tokens, event.finish_reason) for event in others]


def test_several_scored_answers_take_a_pass_or_two_more(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def extra(seed: int) -> int:
        plain, scored = (
            engine.generate(PROMPT, SamplingParams(n=6, max_tokens=30, seed=seed), MIXED, score=score).passes for score in (False, True)
        )
        return scored.base + scored.aligned - plain.base - plain.aligned

    for found in ahead_and_in_lockstep(engine, monkeypatch, lambda: [extra(seed) for seed in range(8)]):
        assert max(found) <= 2


def test_answers_that_exist_are_scored_in_one_pass_behind_a_prompt_that_is_held(engine: Engine, passes: list[Pass]) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=6, max_tokens=20, seed=3), MIXED)
    passes.clear()
    (scored,) = engine.score([result])
    assert_scored(engine.pair, scored)
    (one,) = passes
    assert (scored.passes.base, scored.passes.aligned) == (result.passes.base, result.passes.aligned + 1)
    prompt = len(result.prompt_token_ids["aligned"])
    assert [(segment.start, len(segment.token_ids)) for segment in one.segments] == [
        (prompt - 1, len(c.token_ids)) for c in result.candidates
    ]


def test_answers_are_scored_in_pieces_beside_whom_others_go_on(
    engine: Engine, busy: Engine, passes: list[Pass], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=4, max_tokens=60, seed=3), MIXED)
    backwards = replace(result, candidates=result.candidates[::-1])
    other = told(engine.generate(*asked(0, max_tokens=30)))
    monkeypatch.setattr("baco.decoding.decode.CHUNK", 24)
    monkeypatch.setattr("baco.decoding.scored.MAX_SCORED_TOKENS", 8)
    passes.clear()
    prompt, params, router = asked(0, max_tokens=30)
    requests = [*busy._scoring([backwards, result]), *busy._requests([prompt], params, router, "transcript")]
    busy._submit(requests)
    settle(requests)
    for request in requests[:2]:
        assert_scored(engine.pair, request.done.result())
    assert told(requests[2].done.result()) == other
    assert max(one.tokens for one in passes) <= 24 + SHORT_SEGMENT, "a chunk of what is scored, and a token or a short prompt of the other"
    assert 3 * 24 < 2 * result.usage.completion_tokens


@pytest.mark.parametrize("size", [1, 3])
def test_scored_requests_are_what_they_are_alone_among_others_and_in_small_batches(engine: Engine, busy: Engine, size: int) -> None:
    numbers = [number for number in range(16) if number < 12]  # the base alone is not scored
    alone = [told(engine.generate(*asked(number, n=2, max_tokens=16))) for number in range(16)]
    small = Engine(busy.pair, max_batch_size=size)
    requests = [
        (busy if number % 2 else small)._requests([prompt], params, router, "transcript", score=number in numbers[::2])[0]
        for number in range(16)
        for prompt, params, router in [asked(number, n=2, max_tokens=16)]
    ]
    for request in requests:
        (busy if request.max_batch_size > size else small)._submit([request])
    settle(requests)
    for number, request in enumerate(requests):
        result = request.done.result()
        assert told(result) == alone[number]
        if number in numbers[::2]:
            assert_scored(engine.pair, result)
        else:
            assert all(candidate.score is None for candidate in result.candidates)


@pytest.mark.parametrize("most", [1, 3])
def test_when_memory_runs_out_fewer_answers_are_scored_at_once(
    engine: Engine, busy: Engine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    params = SamplingParams(n=5, max_tokens=20, seed=3)
    plain = engine.generate(PROMPT, params, MIXED)
    run = PreparedPass.run

    def limited(prepared: PreparedPass) -> Tensor:
        if len(prepared.segments) > most:
            raise torch.OutOfMemoryError("out of memory")
        return run(prepared)

    monkeypatch.setattr(PreparedPass, "run", limited)
    with pytest.warns(UserWarning, match="memory ran out"):
        (scored,) = busy.score([plain])
        assert_scored(engine.pair, scored)
        again = Engine(fresh(busy.pair)).generate(PROMPT, params, MIXED, score=True, model_logprobs=True)
    assert told(again) == told(plain)
    assert_scored(engine.pair, again)
    assert_both_asked(engine.pair, again)


def test_a_request_that_is_cancelled_is_not_scored(busy: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPair, "end_ids", lambda pair, which: {pair.vocab_size})
    monkeypatch.setattr("baco.decoding.scored.MAX_SCORED_TOKENS", 2)
    request = busy._requests([PROMPT], SamplingParams(n=2, max_tokens=6, seed=1), Router("aligned"), "transcript", score=True)[0]
    busy._submit([request])
    gate.permit(7)
    assert not request.done.done(), "six passes write six tokens, and three score them"
    request.cancel()
    gate.open()
    settle([request])
    assert [(len(one.tokens), one.finish_reason, one.score) for one in request.done.result().candidates] == [(6, "length", None)] * 2
    assert gate.steps <= 8


def test_a_deadline_ends_the_writing_and_what_was_written_is_scored(busy: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPair, "end_ids", lambda pair, which: {pair.vocab_size})
    request = busy._requests([PROMPT], SamplingParams(n=2, max_tokens=40, seed=1), MIXED, "transcript", score=True, model_logprobs=True)[0]
    busy._submit([request])
    gate.permit(9)
    request.params = replace(request.params, deadline=1e-9)
    gate.open()
    settle([request])
    result = request.done.result()
    assert all(one.finish_reason == "cancelled" and 0 < len(one.tokens) < 40 for one in result.candidates)
    assert_scored(busy.pair, result)
    assert_both_asked(busy.pair, result)


async def test_cancelling_a_task_ends_its_scoring(busy: Engine, gate: Gate) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "permits", threading.Semaphore(1_000_000))
        result = await busy.agenerate(PROMPT, SamplingParams(n=2, max_tokens=8, seed=1), MIXED)
    steps = gate.steps
    task = asyncio.create_task(busy.ascore([result]))
    await asyncio.to_thread(wait_until, lambda: gate.arrived > steps)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await asyncio.to_thread(settle, gate.requests)
    assert gate.steps <= steps + 1 and gate.requests[-1].cancelled
