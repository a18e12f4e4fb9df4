"""The decode loop against two independent truths: transformers' own `generate`, and the reference decoder of `tests.support.oracle`.

All in float32, in ragged batches: one call decodes prompts of 1 to 40 words together.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from baco import Candidate, Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.results import Model
from tests.support.marks import slow_but
from tests.support.oracle import Oracle
from tests.support.pairs import ARCHITECTURES, CHUNK_SIZE, CONTEXT_WINDOW, MODERN, SLIDING_WINDOW, WITH_EXTRA_CHAT_TOKEN

GetEngine = Callable[[str], Engine]
GetOracle = Callable[[str], Oracle]

WORDS = "the old captain of the small island said that he would like to find out what is behind the hill in the north".split()
PROMPTS = [" ".join((WORDS * 2)[:count]) for count in (12, 1, 40, 3, 23)]
NEAR_TIE = 1e-5
"""Below this margin, float32 decides by the order of summation, so either token is right."""


def judge_by_length(prefix: Any) -> Any:
    """A judge whose answer hangs on all that it is shown."""
    return "base" if len(prefix.text + prefix.base_token + 2 * prefix.aligned_token) % 3 else "aligned"


ROUTERS: dict[str, dict[str, Any]] = {
    "base": {},
    "aligned": {},
    "rand": {"threshold": 0.5},
    "p": {"threshold": 0.5},
    "h": {"threshold": 1.7},
    "punc": {},
    "fc": {},
    "p-punc": {"threshold": 0.6},
    "p-fc": {"threshold": 0.6},
    "h-punc": {"threshold": 1.4},
    "h-fc": {"threshold": 1.0},
    "nudging": {"threshold": 0.5},
    "judge": {"judge": judge_by_length},
}
VARIANTS = [{"probe": probe, "word_boundary": rule} for probe in ("base", "aligned") for rule in (True, False)]
SAMPLING: list[dict[str, Any]] = [
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 12},
    {"temperature": 1.4, "top_p": 0.85, "repetition_penalty": 1.3},
    {"temperature": 1.2, "min_p": 0.05},
    {"temperature": 0.9, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.15},
]


WITH_EVERY_ROUTER = ("llama", "gemma3")
"""One of each kind of vocabulary; one attends to everything, the other also through a sliding window."""
QUICK_MODERN = ("gpt_oss", "llama4", "deepseek_v3")
"""Attention sinks and experts, chunked attention, latent attention: of the modern ones, those that `make test` runs."""
ON_EVERY_ARCHITECTURE = ("rand", "p-punc", "nudging")
"""A router that reads no distribution, the default, and the one in the other direction."""


def cases() -> Iterator[Any]:
    """All routers on two architectures and all architectures with three routers: what a router reads does not hang on the architecture.

    Variants and sampling settings take turns, so that each meets each.
    """
    variants, sampling = itertools.cycle(VARIANTS), itertools.cycle(SAMPLING)
    for arch, name in itertools.product(ARCHITECTURES, ROUTERS):
        if arch in WITH_EVERY_ROUTER or name in ON_EVERY_ARCHITECTURE:
            yield pytest.param(arch, Router(name, **ROUTERS[name], **next(variants)), next(sampling), id=f"{arch}-{name}")
    for arch, name in itertools.product(MODERN, ON_EVERY_ARCHITECTURE):
        marks = () if arch in QUICK_MODERN and name == "p-punc" else pytest.mark.slow
        yield pytest.param(arch, Router(name, **ROUTERS[name], **next(variants)), next(sampling), id=f"{arch}-{name}", marks=marks)


@pytest.mark.parametrize("which", ["base", "aligned"])
@pytest.mark.parametrize("arch", slow_but([*ARCHITECTURES, *QUICK_MODERN], [*ARCHITECTURES, *MODERN]))
def test_one_model_alone_writes_what_transformers_generate_writes(arch: str, which: Model, get_engine: GetEngine) -> None:
    engine = get_engine(arch)
    for penalty in (1.0, 1.3):
        params = SamplingParams(temperature=0, max_tokens=16, repetition_penalty=penalty)
        for result in engine.generate_batch(PROMPTS, params, Router(which)):
            written = generate(engine.pair, which, result.prompt_token_ids[which], penalty)
            assert result.candidates[0].token_ids == written
            assert result.candidates[0].from_base == [which == "base"] * len(written)


def generate(pair: ModelPair, which: Model, prompt: list[int], penalty: float) -> list[int]:
    """What transformers' own greedy search appends to a prompt."""
    model: Any = pair.model(which)
    ids = torch.tensor([prompt])
    written = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16, repetition_penalty=penalty)
    return written[0, ids.shape[1] :].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("arch", "router", "sampling"), list(cases()))
def test_every_router_writes_what_the_reference_decoder_writes(
    arch: str, router: Router, sampling: dict[str, Any], get_engine: GetEngine, get_oracle: GetOracle
) -> None:
    greedy = SamplingParams(temperature=0, max_tokens=10)
    sampled = SamplingParams(n=3, max_tokens=6, seed=11, **sampling)
    owners = [
        *assert_equal_to_oracle(get_engine(arch), get_oracle(arch), router, greedy),
        *assert_equal_to_oracle(get_engine(arch), get_oracle(arch), router, sampled),
    ]
    writers = 1 if router.name in ("base", "aligned") else 2
    assert len(set(owners)) == writers, "a case in which one model writes everything tests no route"


def test_answers_of_these_pairs_end_by_either_model_and_by_length(get_engine: GetEngine) -> None:
    """Else the equality of their finish reasons would say little."""
    ends = {
        (candidate.finish_reason, candidate.from_base[-1])
        for arch in ARCHITECTURES
        for router in (Router("base"), Router("rand", threshold=0.5))
        for result in get_engine(arch).generate_batch(PROMPTS, SamplingParams(n=3, max_tokens=14, seed=11), router)
        for candidate in result.candidates
    }
    assert ends == {("stop", True), ("stop", False), ("length", True), ("length", False)}


@pytest.mark.parametrize("arch", ["llama", "mistral", "gemma3", "gpt2"])
def test_only_the_aligned_model_ends_a_routed_answer(arch: str, get_engine: GetEngine) -> None:
    engine = get_engine(arch)
    results = engine.generate_batch(PROMPTS, SamplingParams(n=6, max_tokens=20, seed=5), Router("rand", threshold=0.7))
    special = engine.pair.lexicon.special.nonzero().flatten().tolist()
    pairs = [pair for result in results for c in result.candidates for pair in zip(c.token_ids, c.from_base, strict=True)]
    assert any(token_id in special for token_id, _ in pairs)
    assert not any(from_base for token_id, from_base in pairs if token_id in special)


@pytest.mark.parametrize("arch", WITH_EXTRA_CHAT_TOKEN)
def test_a_token_that_the_base_lacks_is_read_by_it_as_its_end_token(arch: str, get_engine: GetEngine, get_oracle: GetOracle) -> None:
    extra = get_oracle(arch).rows["base"]
    router, params = Router("rand", threshold=0.4, word_boundary=False), SamplingParams(n=3, max_tokens=14, seed=2, temperature=2.0)
    assert_equal_to_oracle(get_engine(arch), get_oracle(arch), router, params)
    results = get_engine(arch).generate_batch(PROMPTS, params, router)
    assert any(extra in c.token_ids[:-1] for result in results for c in result.candidates)


@pytest.mark.parametrize(
    ("arch", "setting", "size"),
    [(arch, "sliding_window", SLIDING_WINDOW) for arch in ("gemma3", "mistral", "phi3")] + [("llama4", "attention_chunk_size", CHUNK_SIZE)],
)
def test_the_window_of_these_pairs_changes_what_they_write(
    arch: str, setting: str, size: int, pair_folders: Callable[[str], tuple[Path, Path]]
) -> None:
    """Else the equality of these architectures would say nothing about sliding and chunked masks."""
    folder, _ = pair_folders(arch)
    ids = torch.arange(10, 10 + 4 * size)[None]
    narrow, wide = (AutoModelForCausalLM.from_pretrained(folder, **{setting: window})(ids).logits[0, -1].detach() for window in (size, 200))
    assert (narrow - wide).abs().max() > 0.1


def test_the_slots_grow_without_a_trace_and_an_answer_ends_where_the_window_does(get_engine: GetEngine, get_oracle: GetOracle) -> None:
    engine, oracle = get_engine("olmo2"), get_oracle("olmo2")
    prompts = ["a fish", " ".join(WORDS * 3)]
    router, params = Router("p", threshold=0.5), SamplingParams(temperature=0.8, max_tokens=CONTEXT_WINDOW, seed=1)
    for result in engine.generate_batch(prompts, params, router):
        room = CONTEXT_WINDOW - max(len(ids) for ids in result.prompt_token_ids.values())
        shown = SamplingParams(temperature=0.8, max_tokens=room, seed=1)
        expected = oracle.decode(dict(result.prompt_token_ids), router, shown, seed=1)
        assert_same(result.candidates[0], expected)
    assert result.candidates[0].finish_reason == "length" and len(result.candidates[0].token_ids) == room


def test_a_pair_from_memory_decodes_like_the_pair_from_its_folders(get_engine: GetEngine, get_pair: Callable[[str], ModelPair]) -> None:
    loaded = get_pair("llama")
    pair = ModelPair.from_models(loaded.base, loaded.aligned, loaded.tokenizer, loaded.base_tokenizer)
    params = SamplingParams(n=2, max_tokens=10, seed=1)
    assert Engine(pair).generate(PROMPTS[0], params).candidates == get_engine("llama").generate(PROMPTS[0], params).candidates


def assert_equal_to_oracle(engine: Engine, oracle: Oracle, router: Router, params: SamplingParams) -> list[bool]:
    """Compare every candidate of one ragged batch; return the owners of all tokens."""
    results = engine.generate_batch(PROMPTS, params, router)
    answers = [(result, candidate) for result in results for candidate in result.candidates]
    near_ties = [not _agrees(oracle, router, params, result, candidate) for result, candidate in answers]
    assert sum(near_ties) <= 1, "too many near-ties were ignored"
    return [from_base for _, candidate in answers for from_base in candidate.from_base]


def _agrees(oracle: Oracle, router: Router, params: SamplingParams, result: GenerationResult, candidate: Candidate) -> bool:
    """Assert that a candidate equals the reference's answer; False for a near-tie, which proves nothing."""
    expected = oracle.decode(dict(result.prompt_token_ids), router, params, seed=result.seed, sample_index=candidate.index)
    if expected.margin < NEAR_TIE:
        return False
    assert_same(candidate, expected)
    return True


def assert_same(candidate: Candidate, expected: Any) -> None:
    """Compare tokens, owners and the reason of the end."""
    found = (candidate.token_ids, candidate.from_base, candidate.finish_reason)
    assert found == (expected.token_ids, expected.from_base, expected.finish_reason), f"the reference's margin is {expected.margin:.1e}"
