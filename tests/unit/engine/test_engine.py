"""The engine over the decode loop: shared prefills, ends of all kinds, log-probabilities, cancellation."""

import asyncio
import threading
import time
from concurrent.futures import Future
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from baco import Engine, Router, SamplingParams
from baco.decoding.decode import Decoder
from baco.errors import ConfigError, UnknownKeywordError
from baco.models.pair import ModelPair
from tests.support.gate import Gate, Pass, fresh, settle, wait_until

PROMPT = "What do you want to see there?"


def endless(engine: Engine) -> list[int]:
    """Seeds whose answers to `PROMPT` run for at least 20 tokens."""
    params = [SamplingParams(max_tokens=20, seed=seed) for seed in range(12)]
    return [p.seed for p in params if p.seed is not None and engine.generate(PROMPT, p).candidates[0].finish_reason == "length"]


def endless_of(gate: Gate, engine: Engine) -> int:
    """The first such seed, found with the gate open; the gate is shut again, and its count is 0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "permits", threading.Semaphore(1_000_000))
        seed = endless(engine)[0]
    gate.steps = gate.arrived = 0
    return seed


def test_samples_and_equal_prompts_share_one_prefill(random_pair: ModelPair, passes: list[Pass]) -> None:
    engine = Engine(fresh(random_pair))
    prompt, other, _ = engine.generate_batch([PROMPT, "Nobody", PROMPT], SamplingParams(n=4, max_tokens=1, seed=1))
    for which in ("base", "aligned"):
        read = sum(one.tokens for one in passes if one.model is random_pair.model(which))  # type: ignore[arg-type]
        distinct = len(prompt.prompt_token_ids[which]) + len(other.prompt_token_ids[which])  # type: ignore[index]
        assert read <= distinct + 10, "two distinct prompts, and of each further answer the last token, for its own draw"


def test_ended_rows_leave_the_batch(engine: Engine, passes: list[Pass]) -> None:
    engine.generate(PROMPT, SamplingParams(max_tokens=1), Router("base"))  # the prompt is held from now on: all rows begin together
    passes.clear()
    result = engine.generate(PROMPT, SamplingParams(n=16, max_tokens=30, seed=3), Router("base"))
    lengths = [len(candidate.token_ids) for candidate in result.candidates]
    assert min(lengths) < max(lengths), "some end early"
    running = [sum(length > step for length in lengths) for step in range(max(lengths))]
    assert [one.rows for one in passes] == running


def test_passes_count_what_a_request_took_part_in(engine: Engine, passes: list[Pass]) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=1))
    made = [sum(one.model is engine.pair.model(which) for one in passes) for which in ("base", "aligned")]  # type: ignore[arg-type]
    assert [result.passes.base, result.passes.aligned] == made
    alone = engine.generate(PROMPT, SamplingParams(max_tokens=12, seed=1), Router("aligned"))
    assert (alone.passes.base, alone.passes.aligned) == (0, len(alone.candidates[0].token_ids))
    assert alone.prompt_token_ids.keys() == {"aligned"}


def test_two_requests_at_once_each_count_their_own_passes(engine: Engine, gate: Gate) -> None:
    long, short = (engine._requests([PROMPT], SamplingParams(max_tokens=m, seed=3), Router("aligned"), "transcript")[0] for m in (12, 4))
    engine._submit([long])
    gate.permit(5)
    engine._submit([short])
    gate.open()
    settle([long, short])
    for request in (long, short):
        assert request.result().passes.aligned == len(request.result().candidates[0].token_ids)


def test_an_answer_never_takes_more_passes_than_lockstep_and_mostly_fewer(engine: Engine) -> None:
    lockstep = found = 0
    for seed in range(6):
        result = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed), Router("p", threshold=0.5))
        assert result.passes.base + result.passes.aligned <= 2 * result.usage.completion_tokens
        assert 0 <= result.passes.accepted <= result.passes.proposed
        lockstep += 2 * result.usage.completion_tokens
        found += result.passes.base + result.passes.aligned
    assert found < 0.95 * lockstep


def test_requests_larger_than_a_batch_are_decoded_in_several(get_pair, engine: Engine) -> None:  # type: ignore[no-untyped-def]
    small = Engine(get_pair("llama"), max_batch_size=3)
    params = SamplingParams(n=4, max_tokens=10, seed=5)
    for ours, whole in zip(
        small.generate_batch([PROMPT, "Nobody"], params), engine.generate_batch([PROMPT, "Nobody"], params), strict=True
    ):
        assert [c.token_ids for c in ours.candidates] == [c.token_ids for c in whole.candidates]
        assert ours.usage == whole.usage


def test_usage_counts_every_token_by_its_owner(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=5, max_tokens=15, seed=2), Router("rand", threshold=0.5))
    owners = [owner for candidate in result.candidates for owner in candidate.from_base]
    usage = result.usage
    assert usage.prompt_tokens == len(result.prompt_token_ids["aligned"])
    assert (usage.completion_tokens, usage.base_tokens, usage.aligned_tokens) == (len(owners), sum(owners), len(owners) - sum(owners))
    assert 0 < usage.base_tokens < usage.completion_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("router", [Router("aligned"), Router("rand", threshold=0.5), Router("base")])
def test_an_end_token_ends_the_answer_and_is_not_shown(engine: Engine, router: Router) -> None:
    candidates = engine.generate(PROMPT, SamplingParams(n=24, max_tokens=60, seed=1), router).candidates
    special = engine.pair.lexicon.special
    stopped = [c for c in candidates if c.finish_reason == "stop"]
    assert stopped
    for candidate in stopped:
        last, owner = candidate.token_ids[-1], candidate.from_base[-1]
        assert last in engine.pair.end_ids("base" if owner else "aligned")
        assert not any(name in candidate.text for name in engine.pair.tokenizer.all_special_tokens)
    if router.name == "rand":
        assert not any(bool(special[i]) for c in candidates for i, owner in zip(c.token_ids, c.from_base, strict=True) if owner)
    for candidate in candidates:
        owned_ends = [
            i in engine.pair.end_ids("base" if o else "aligned") for i, o in zip(candidate.token_ids, candidate.from_base, strict=True)
        ]
        assert owned_ends.count(True) == (candidate.finish_reason == "stop"), "an answer never goes on behind an end token"


def test_a_stop_text_ends_the_answer_and_is_trimmed(engine: Engine) -> None:
    seed = endless(engine)[0]
    whole = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed)).candidates[0]
    middle = len(whole.text) // 2
    stop = whole.text[middle : middle + 3]
    trimmed = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed, stop=[stop])).candidates[0]
    assert trimmed.finish_reason == "stop"
    assert trimmed.text == whole.text[: whole.text.index(stop)]
    assert trimmed.token_ids == whole.token_ids[: len(trimmed.token_ids)]
    events = list(engine.stream(PROMPT, SamplingParams(max_tokens=20, seed=seed, stop=stop)))
    assert "".join(event.text for event in events) == trimmed.text


def test_a_turn_marker_of_the_base_ends_the_answer_and_one_of_the_aligned_does_not(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = endless(engine)[0]
    params = SamplingParams(max_tokens=20, seed=seed)
    texts = {name: engine.generate(PROMPT, params, Router(name)).candidates[0].text for name in ("base", "aligned")}
    for name, text in texts.items():
        marker = text[4:7]
        monkeypatch.setattr("baco.text.prompts.TURN_MARKERS", (marker,))
        candidate = engine.generate(PROMPT, params, Router(name)).candidates[0]
        assert candidate.text == (text[: text.index(marker)] if name == "base" else text)


def test_an_answer_ends_where_the_context_window_does(get_pair) -> None:  # type: ignore[no-untyped-def]
    engine = Engine(get_pair("llama"), max_model_len=40)
    result = engine.generate(PROMPT, SamplingParams(n=8, max_tokens=100, seed=1))
    longest_prompt = max(len(ids) for ids in result.prompt_token_ids.values())
    cut = [c for c in result.candidates if c.finish_reason == "length"]
    assert cut
    assert all(len(c.token_ids) == 40 - longest_prompt for c in cut)


def test_the_whole_window_can_be_used(get_engine) -> None:  # type: ignore[no-untyped-def]
    for arch in ("gpt2", "llama"):
        engine = get_engine(arch)
        result = engine.generate(PROMPT, SamplingParams(n=8, max_tokens=1000, seed=1), Router("base"))
        assert max(len(c.token_ids) for c in result.candidates) <= 256 - len(result.prompt_token_ids["base"])


def test_logprobs_are_those_of_the_owner_recomputed_alone(engine: Engine) -> None:
    params = SamplingParams(n=2, max_tokens=10, seed=4, logprobs=3, temperature=0.7, top_k=20)
    result = engine.generate(PROMPT, params, Router("rand", threshold=0.5))
    for candidate in result.candidates:
        assert candidate.logprobs is not None and len(candidate.logprobs) == len(candidate.token_ids)
        for position, entry in enumerate(candidate.logprobs):
            which = "base" if candidate.from_base[position] else "aligned"
            ids = result.prompt_token_ids[which] + candidate.token_ids[:position]  # type: ignore[index]
            with torch.inference_mode():
                scores = engine.pair.model(which)(torch.tensor([ids])).logits[0, -1].log_softmax(-1)  # type: ignore[arg-type]
            assert entry.token_id == candidate.token_ids[position]
            assert entry.from_base == candidate.from_base[position]
            assert entry.logprob == pytest.approx(float(scores[entry.token_id]), abs=1e-4)
            assert [top.logprob for top in entry.top] == pytest.approx(scores.topk(3).values.tolist(), abs=1e-4)


def test_logprobs_of_zero_alternatives_name_only_the_chosen(engine: Engine) -> None:
    logprobs = engine.generate(PROMPT, SamplingParams(max_tokens=4, seed=4, logprobs=0)).candidates[0].logprobs
    assert logprobs is not None and all(entry.top == () for entry in logprobs)
    assert engine.generate(PROMPT, SamplingParams(max_tokens=4, seed=4)).candidates[0].logprobs is None


def test_events_join_to_the_result_on_the_last_event(engine: Engine) -> None:
    events = list(engine.stream(PROMPT, SamplingParams(n=3, max_tokens=15, seed=6)))
    result = events[-1].result
    assert result is not None and all(event.result is None for event in events[:-1])
    for candidate in result.candidates:
        mine = [event for event in events if event.index == candidate.index]
        assert "".join(event.text for event in mine) == candidate.text
        assert [i for event in mine for i in event.token_ids] == candidate.token_ids
        assert [o for event in mine for o in event.from_base] == candidate.from_base
        assert [event.finish_reason for event in mine] == [None] * (len(mine) - 1) + [candidate.finish_reason]


def test_spans_join_to_the_text_and_alternate(engine: Engine) -> None:
    candidate = engine.generate(PROMPT, SamplingParams(max_tokens=30, seed=1), Router("rand", threshold=0.5)).candidates[0]
    spans = candidate.spans()
    assert "".join(text for text, _ in spans) == candidate.text
    assert all(a[1] != b[1] for a, b in pairwise(spans))


def test_a_deadline_ends_the_answer_as_it_stands(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = endless(engine)[0]
    whole = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed)).candidates[0]
    steps: list[Any] = []
    step = Decoder.step

    def counted(*args: Any, **settings: Any) -> Any:
        steps.append(None)
        return step(*args, **settings)

    monkeypatch.setattr(Decoder, "step", counted)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + (10_000 if len(steps) >= 6 else 0))
    monkeypatch.setattr("baco.engine.requests.time", clock)
    late = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed, deadline=5_000)).candidates[0]
    assert late.finish_reason == "cancelled" and len(steps) == 6
    assert 0 < len(late.token_ids) < 20
    assert late.token_ids == whole.token_ids[: len(late.token_ids)]
    assert late.from_base == whole.from_base[: len(late.token_ids)]


def test_a_deadline_that_has_passed_before_the_first_token_leaves_none(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=20, deadline=1e-9))
    assert [(c.finish_reason, c.token_ids, c.text) for c in result.candidates] == [("cancelled", [], "")] * 2
    assert result.usage.completion_tokens == 0


def test_closing_a_stream_ends_the_decoding(engine: Engine, gate: Gate) -> None:
    seed = endless_of(gate, engine)
    stream = engine.stream(PROMPT, SamplingParams(max_tokens=20, seed=seed))
    gate.permits.release(3)
    next(stream)
    wait_until(lambda: gate.steps == 3)
    stream.close()  # type: ignore[attr-defined]
    gate.open()
    settle(gate.requests)
    assert gate.requests[-1].candidates[0].finish_reason == "cancelled"
    assert gate.steps <= 4
    with pytest.raises(StopIteration):
        next(stream)


async def test_async_results_equal_sync_ones(engine: Engine) -> None:
    params = SamplingParams(n=2, max_tokens=12, seed=8)
    expected = engine.generate(PROMPT, params)
    assert (await engine.agenerate(PROMPT, params)).candidates == expected.candidates
    events = [event async for event in engine.astream(PROMPT, params)]
    assert events[-1].result is not None and events[-1].result.candidates == expected.candidates


async def test_cancelling_a_task_ends_the_decoding_within_a_step(engine: Engine, gate: Gate) -> None:
    seed = await asyncio.to_thread(endless_of, gate, engine)
    task = asyncio.create_task(engine.agenerate(PROMPT, SamplingParams(max_tokens=20, seed=seed)))
    await asyncio.to_thread(gate.permit, 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()
    await asyncio.to_thread(settle, gate.requests)
    assert gate.requests[-1].candidates[0].finish_reason == "cancelled"
    assert gate.steps <= 4


async def test_leaving_an_async_stream_ends_the_decoding(engine: Engine, gate: Gate) -> None:
    seed = await asyncio.to_thread(endless_of, gate, engine)
    stream = engine.astream(PROMPT, SamplingParams(max_tokens=20, seed=seed))
    first = asyncio.create_task(anext(stream))  # type: ignore[arg-type]
    await asyncio.to_thread(gate.permit, 3)
    await first
    await stream.aclose()  # type: ignore[attr-defined]
    gate.open()
    await asyncio.to_thread(settle, gate.requests)
    assert gate.requests[-1].candidates[0].finish_reason == "cancelled"
    assert gate.steps <= 4


async def test_an_error_inside_an_async_stream_reaches_its_caller(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="base_prompt"):
        async for _ in engine.astream(PROMPT, base_prompt="nonsense"):
            pass


def test_an_interrupt_of_the_caller_cancels_what_it_waits_for(engine: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    seed, result = endless_of(gate, engine), Future.result

    def interrupt(future: "Future[Any]", timeout: float | None = None) -> Any:
        monkeypatch.setattr(Future, "result", result)
        gate.permit(3)
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.generate_batch([PROMPT, "Nobody"], SamplingParams(max_tokens=20, seed=seed))
    gate.open()
    settle(gate.requests)
    assert gate.requests[-2].candidates[0].finish_reason == "cancelled"
    assert all(request.cancelled for request in gate.requests[-2:])
    assert gate.steps <= 4


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"max_batch_size": 0}, "max_batch_size"), ({"max_model_len": 1}, "max_model_len"), ({"max_model_len": 10_000}, r"\[2, 256\]")],
)
def test_engine_settings_are_checked(random_pair: ModelPair, arguments: dict[str, int], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Engine(random_pair, **arguments)  # type: ignore[arg-type]


def test_settings_of_the_wrong_kind_are_named(engine: Engine) -> None:
    with pytest.raises(ConfigError, match=r"router.*Router\(\"p-punc\"\)"):
        engine.generate(PROMPT, router="p-punc")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="params"):
        engine.generate(PROMPT, {"n": 2})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="batch"):
        engine.generate_batch(PROMPT)


@pytest.mark.parametrize("call", ["generate_batch", "stream", "agenerate", "agenerate_batch", "astream"])
def test_a_misspelt_keyword_is_refused_with_the_nearest(engine: Engine, call: str) -> None:
    async def use() -> None:
        answers: Any = getattr(engine, call)([{"role": "user", "content": PROMPT}], tool=[])
        if call == "astream":
            await anext(answers)
        elif call.startswith("a"):
            await answers

    with pytest.raises(UnknownKeywordError, match=r"no keyword 'tool'; did you mean 'tools'\?"):
        asyncio.run(use())
