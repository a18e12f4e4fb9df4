"""Models with states that have no positions, in the whole engine. Truth: transformers' `generate`, the reference decoder, and the same
request alone.

A wrong state shows little at temperature 1, where the keyed noise decides most tokens; so answers are drawn at 0 and near it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from baco import Candidate, Engine, ModelPair, Router, SamplingParams
from baco.engine.request_queue import RequestQueue
from baco.forward.mixers import ByRow, _running
from baco.forward.model_runner import PreparedPass
from baco.forward.packing import PackedPass
from baco.forward.state_layer import StateLayer
from baco.results import Model
from tests.support.gate import Pass, fresh, wait_until
from tests.support.marks import slow_but
from tests.support.oracle import Oracle
from tests.support.pairs import RECURRENT
from tests.system.test_equivalence import PROMPTS, ROUTERS, assert_equal_to_oracle, generate

GetPair = Callable[[str], ModelPair]
GetEngine = Callable[[str], Engine]
GetOracle = Callable[[str], Any]

QUICK = ["qwen3_5", "lfm2"]
"""The delta rule and a convolution alone."""
VARIED = slow_but(QUICK, [*QUICK, "falcon_h1", "jamba"])
"""And a state space beside attention, and one that cannot go on with several tokens."""
ARCHITECTURES = slow_but(QUICK, RECURRENT)
NEARLY_GREEDY = SamplingParams(n=3, max_tokens=10, temperature=0.2, seed=11)
P = Router("p", threshold=0.5)


def told(candidate: Candidate) -> tuple[list[int], list[bool]]:
    return candidate.token_ids, candidate.from_base


def answers(engine: Engine, params: SamplingParams = NEARLY_GREEDY, router: Router = P) -> list[Any]:
    return [told(candidate) for result in engine.generate_batch(PROMPTS, params, router) for candidate in result.candidates]


@pytest.mark.parametrize("which", ["base", "aligned"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_one_model_alone_writes_what_transformers_generate_writes(arch: str, which: Model, get_engine: GetEngine) -> None:
    engine = get_engine(arch)
    for result in engine.generate_batch(PROMPTS, SamplingParams(temperature=0, max_tokens=16), Router(which)):
        assert result.candidates[0].token_ids == generate(engine.pair, which, result.prompt_token_ids[which], 1.0)


@pytest.mark.parametrize("name", slow_but(["p-punc", "rand"], ROUTERS))
def test_every_router_writes_what_the_reference_decoder_writes(name: str, get_engine: GetEngine, get_oracle: GetOracle) -> None:
    for params in (SamplingParams(temperature=0, max_tokens=10), NEARLY_GREEDY):
        assert_equal_to_oracle(get_engine("qwen3_5"), get_oracle("qwen3_5"), Router(name, **ROUTERS[name]), params)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_architecture_writes_what_the_reference_decoder_writes(arch: str, get_engine: GetEngine, get_oracle: GetOracle) -> None:
    for params in (SamplingParams(temperature=0, max_tokens=8), NEARLY_GREEDY):
        assert_equal_to_oracle(get_engine(arch), get_oracle(arch), P, params)


@pytest.mark.parametrize("arch", VARIED)
def test_speculation_and_shared_passes_change_no_token(arch: str, get_pair: GetPair) -> None:
    speculating, lockstep = Engine(fresh(get_pair(arch))), Engine(fresh(get_pair(arch)))
    turns = RequestQueue.of(lockstep.pair).turns
    turns.speculates = turns.adapts = False
    RequestQueue.of(speculating.pair).turns.adapts = False
    params = SamplingParams(n=3, max_tokens=24, temperature=0.2, seed=3)
    results = speculating.generate_batch(PROMPTS, params, P)
    assert sum(result.passes.accepted for result in results) > 0
    together = [told(candidate) for result in results for candidate in result.candidates]
    assert together == answers(lockstep, params)
    alone = [told(candidate) for prompt in PROMPTS for candidate in lockstep.generate(prompt, params, P).candidates]
    assert together == alone


@pytest.mark.parametrize("arch", ["qwen3_5", "falcon_h1"])
def test_samples_share_one_prefill_and_a_prompt_that_recurs_is_read_once(arch: str, get_pair: GetPair, passes: list[Pass]) -> None:
    engine, prompt = Engine(fresh(get_pair(arch))), PROMPTS[2]
    router, params = Router("aligned"), SamplingParams(n=6, max_tokens=4, temperature=0.2, seed=1)

    def fed(prompt: str) -> int:
        passes.clear()
        result = engine.generate(prompt, params, router)
        assert told(result.candidates[0]) == told(
            engine.generate(prompt, SamplingParams(max_tokens=4, temperature=0.2, seed=1), router).candidates[0]
        )
        return sum(one.tokens for one in passes)

    length = len(engine.generate(prompt, params, router).prompt_token_ids["aligned"])
    RequestQueue.of(engine.pair).prefixes["aligned"].clear()
    first = fed(prompt)
    assert first < 3 * length
    assert fed(prompt) < length, "the second time its state is kept where the prompt ends"
    assert fed(prompt) < 0.5 * length


@pytest.mark.parametrize("arch", ["qwen3_5", "falcon_h1"])
def test_a_conversation_goes_on_from_the_state_of_its_last_turn(arch: str, get_pair: GetPair) -> None:
    engine, router = Engine(fresh(get_pair(arch))), Router("aligned")
    first = engine.generate(PROMPTS[2], SamplingParams(max_tokens=8, temperature=0), router)
    cache = RequestQueue.of(engine.pair).prefixes["aligned"]
    text = [*first.prompt_token_ids["aligned"], *first.candidates[0].token_ids]
    wait_until(lambda: cache.find(text, with_states=True).length == len(text) - 1)  # the last token was drawn, and never read


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("arch", ["qwen3_5", "lfm2"])
def test_when_memory_runs_out_fewer_rows_run_and_all_are_right(
    arch: str, most: int, get_engine: GetEngine, get_pair: GetPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, run = answers(get_engine(arch)), PreparedPass.run

    def limited(self: PreparedPass) -> Tensor:
        if len(self.segments) > most:
            raise torch.OutOfMemoryError("out of memory")
        return run(self)

    monkeypatch.setattr(PreparedPass, "run", limited)
    with pytest.warns(UserWarning, match="memory ran out"):
        assert answers(Engine(fresh(get_pair(arch)))) == expected


@pytest.mark.filterwarnings("ignore:a pass failed:UserWarning")
@pytest.mark.parametrize("arch", slow_but(QUICK, [*QUICK, "mamba2"]))
def test_a_pass_that_fails_after_some_layers_leaves_no_trace(
    arch: str, get_engine: GetEngine, get_pair: GetPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first layers' states have gone on then, and the last ones' have not."""
    expected, call, calls = answers(get_engine(arch)), ByRow.__call__, [0]

    def failing(self: ByRow, *args: Any, **kwargs: Any) -> Any:
        layout = _running.layout
        assert layout is not None
        if len(layout.segments) > 1:  # rows are then run one by one
            calls[0] += 1
            if calls[0] % 8 == 0:
                raise RuntimeError("a layer fails once in a while")
        return call(self, *args, **kwargs)

    engine = Engine(fresh(get_pair(arch)))
    monkeypatch.setattr(ByRow, "__call__", failing)
    assert answers(engine) == expected
    assert calls[0] > 3 * 8


@pytest.mark.parametrize("arch", slow_but(["qwen3_5"], ["qwen3_5", "mamba2"]))
def test_answers_are_scored_as_a_plain_forward_pass_scores_them(arch: str, get_engine: GetEngine) -> None:
    engine = get_engine(arch)
    for result in engine.generate_batch(PROMPTS, NEARLY_GREEDY, P, score=True):
        for candidate in result.candidates:
            prompt = result.prompt_token_ids["aligned"]
            ids = torch.tensor([[*prompt, *candidate.token_ids]])
            with torch.inference_mode():
                logprobs = engine.pair.aligned(ids).logits[0, len(prompt) - 1 : -1].float().log_softmax(-1)
            own = logprobs.gather(-1, torch.tensor(candidate.token_ids)[:, None]).mean()
            assert candidate.score == pytest.approx(float(own), abs=1e-3)


@pytest.mark.parametrize("mutant", ["never kept", "kept after drafts"])
def test_wrong_states_change_answers(mutant: str, get_engine: GetEngine, get_pair: GetPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the equality of these pairs would say nothing about states."""
    expected = answers(get_engine("qwen3_5"))
    engine = Engine(fresh(get_pair("qwen3_5")))
    RequestQueue.of(engine.pair).turns.adapts = False
    if mutant == "never kept":
        take_back = StateLayer.take_back
        monkeypatch.setattr(StateLayer, "take_back", lambda self, slots: None if self.kept else take_back(self, slots))
    else:
        groups = PackedPass.state_groups.func  # type: ignore[attr-defined]
        monkeypatch.setattr(PackedPass, "state_groups", property(lambda self: [replace(group, keeps=True) for group in groups(self)]))
    assert answers(engine) != expected


def test_a_pair_of_two_kinds_of_models_decodes_like_the_reference(pair_folders: Callable[[str], tuple[Path, Path]]) -> None:
    """A base with states beside an aligned model with keys and values: each has a cache of its own."""
    base, aligned = pair_folders("qwen3_5")[0], pair_folders("llama")[1]
    engine = Engine(ModelPair.from_pretrained(base=str(base), aligned=str(aligned), device="cpu", dtype="float32"))
    assert_equal_to_oracle(engine, Oracle(base, aligned), P, NEARLY_GREEDY)
