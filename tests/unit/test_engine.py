"""The engine over the decode loop: shared prefills, ends of all kinds, log-probabilities, cancellation."""

import asyncio
from itertools import pairwise

import pytest
import torch

from baco import Engine, Router, SamplingParams
from baco.decode import Decoder
from baco.errors import ConfigError
from baco.kv_cache import SlotCache
from baco.model_runner import ModelRunner
from baco.pair import ModelPair

PROMPT = "What do you want to see there?"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Record the shape [B, Q] of every pass of any model."""
    shapes: list[tuple[int, int]] = []
    forward = ModelRunner._forward

    def recorded(self: ModelRunner, token_ids: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
        shapes.append((token_ids.shape[0], token_ids.shape[1]))
        return forward(self, token_ids, logits_to_keep)

    monkeypatch.setattr(ModelRunner, "_forward", recorded)
    return shapes


def endless(engine: Engine) -> list[int]:
    """Seeds whose answers to `PROMPT` run for at least 20 tokens."""
    params = [SamplingParams(max_tokens=20, seed=seed) for seed in range(12)]
    return [p.seed for p in params if p.seed is not None and engine.generate(PROMPT, p).candidates[0].finish_reason == "length"]


def test_samples_and_equal_prompts_share_one_prefill(engine: Engine, passes: list[tuple[int, int]]) -> None:
    engine.generate_batch([PROMPT, "Nobody", PROMPT], SamplingParams(n=4, max_tokens=1, seed=1))
    assert [rows for rows, _ in passes] == [2, 2], "two distinct prompts, each model once"


def test_ended_rows_leave_the_batch(engine: Engine, passes: list[tuple[int, int]]) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=16, max_tokens=30, seed=3), Router("base"))
    lengths = [len(candidate.token_ids) for candidate in result.candidates]
    assert min(lengths) < max(lengths), "some end early"
    running = [sum(length > step for length in lengths) for step in range(1, max(lengths))]
    assert [rows for rows, _ in passes[1:]] == running


def test_passes_count_what_a_request_took_part_in(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(n=3, max_tokens=12, seed=1))
    longest = max(len(candidate.token_ids) for candidate in result.candidates)
    assert (result.passes.base, result.passes.aligned) == (longest, longest)
    alone = engine.generate(PROMPT, SamplingParams(max_tokens=12, seed=1), Router("aligned"))
    assert (alone.passes.base, alone.passes.aligned) == (0, len(alone.candidates[0].token_ids))
    assert alone.prompt_token_ids.keys() == {"aligned"}


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
        monkeypatch.setattr("baco.prompts.TURN_MARKERS", (marker,))
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
    spans = list(candidate.spans())
    assert "".join(text for text, _ in spans) == candidate.text
    assert all(a[1] != b[1] for a, b in pairwise(spans))


def test_a_deadline_ends_the_answer_as_it_stands(engine: Engine) -> None:
    seed = endless(engine)[0]
    late = engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed, deadline=1e-9)).candidates[0]
    assert late.finish_reason == "cancelled"
    assert late.token_ids == engine.generate(PROMPT, SamplingParams(max_tokens=20, seed=seed)).candidates[0].token_ids[:1]


def test_closing_a_stream_ends_the_decoding(engine: Engine, passes: list[tuple[int, int]]) -> None:
    seed = endless(engine)[0]
    passes.clear()
    stream = engine.stream(PROMPT, SamplingParams(max_tokens=20, seed=seed))
    for _ in range(3):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(passes) <= 2 * 5
    with pytest.raises(StopIteration):
        next(stream)


async def test_async_results_equal_sync_ones(engine: Engine) -> None:
    params = SamplingParams(n=2, max_tokens=12, seed=8)
    expected = engine.generate(PROMPT, params)
    assert (await engine.agenerate(PROMPT, params)).candidates == expected.candidates
    events = [event async for event in engine.astream(PROMPT, params)]
    assert events[-1].result is not None and events[-1].result.candidates == expected.candidates


async def test_cancelling_a_task_ends_the_decoding_within_a_token(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = endless(engine)[0]
    started = asyncio.Event()
    steps: list[None] = []
    loop, step = asyncio.get_running_loop(), Decoder._step

    def slow(self: Decoder, logits: dict[str, torch.Tensor]) -> object:
        steps.append(None)
        loop.call_soon_threadsafe(started.set)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.02), loop).result()
        return step(self, logits)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "_step", slow)
    task = asyncio.create_task(engine.agenerate(PROMPT, SamplingParams(max_tokens=20, seed=seed)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    at_cancel = len(steps)
    await asyncio.sleep(0.2)
    assert len(steps) <= at_cancel + 1


async def test_leaving_an_async_stream_ends_the_decoding(engine: Engine, passes: list[tuple[int, int]]) -> None:
    seed = endless(engine)[0]
    stream = engine.astream(PROMPT, SamplingParams(max_tokens=200, seed=seed))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    after = len(passes)
    await asyncio.sleep(0.1)
    assert len(passes) == after


async def test_an_error_inside_an_async_stream_reaches_its_caller(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="base_prompt"):
        async for _ in engine.astream(PROMPT, base_prompt="nonsense"):
            pass


def test_requests_in_threads_do_not_disturb_each_other(engine: Engine) -> None:
    async def all_at_once() -> list[list[int]]:
        results = await asyncio.gather(*(engine.agenerate(PROMPT, SamplingParams(max_tokens=10, seed=seed)) for seed in range(8)))
        return [result.candidates[0].token_ids for result in results]

    alone = [engine.generate(PROMPT, SamplingParams(max_tokens=10, seed=seed)).candidates[0].token_ids for seed in range(8)]
    assert asyncio.run(all_at_once()) == alone


def test_a_cache_is_as_large_as_its_rows_need(random_pair: ModelPair) -> None:
    cache = SlotCache(2, 3, random_pair.device)
    assert cache.begin(5).shape == (3, 5)
    cache.advance([5, 2, 0])
    assert cache.begin(1).tolist() == [[5], [2], [0]]
    assert cache.window == 6


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
