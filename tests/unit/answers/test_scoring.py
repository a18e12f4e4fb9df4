"""Scores of whole answers, against one plain forward pass of transformers over prompt and answer."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from baco import Candidate, ConfigError, Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.answers.scoring import with_model_logprobs, with_scores
from baco.results import Model
from tests.support.pairs import ARCHITECTURES

PROMPT = "Tell me of a rabbit."


def plain_logprobs(pair: ModelPair, result: GenerationResult, candidate: Candidate, which: Model) -> list[float]:
    """The log-probabilities of an answer's tokens by the model alone, prompt and answer in one pass."""
    prompt, answer, model = result.prompt_token_ids[which], candidate.token_ids, pair.model(which)
    # The aligned model may have a token that the base has not: it cannot write it, and reads its own end instead.
    rows = model.get_input_embeddings().weight.shape[0]
    read = [one if one < rows else min(pair.end_ids(which)) for one in [*prompt, *answer[:-1]]]
    logprobs = model(torch.tensor([read])).logits[0].float().log_softmax(-1)
    return [float(logprobs[len(prompt) + place - 1, one]) if one < rows else -torch.inf for place, one in enumerate(answer)]


def plain_score(pair: ModelPair, result: GenerationResult, candidate: Candidate) -> float:
    """The mean log-probability by the model alone."""
    logprobs = plain_logprobs(pair, result, candidate, "aligned")
    return sum(logprobs) / len(logprobs)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_score_is_the_mean_logprob_under_the_aligned_model(arch: str, get_engine: Callable[[str], Engine]) -> None:
    engine = get_engine(arch)
    result = engine.generate(PROMPT, SamplingParams(n=4, max_tokens=20, seed=3), Router("p", threshold=0.6))
    assert 0 < result.usage.base_tokens < result.usage.completion_tokens
    (scored,) = with_scores(engine.pair, [result])
    expected = [plain_score(engine.pair, result, candidate) for candidate in result.candidates]
    assert [one.score for one in scored.candidates] == pytest.approx(expected, abs=1e-4)
    assert [one.tokens for one in scored.candidates] == [one.tokens for one in result.candidates]


def test_an_answer_that_only_the_base_wrote_is_scored_by_the_aligned_model(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=12, seed=1), Router("p", threshold=1.0))
    (scored,) = with_scores(engine.pair, [result])
    assert result.usage.base_tokens > 0
    assert scored.candidates[0].score == pytest.approx(plain_score(engine.pair, result, result.candidates[0]), abs=1e-4)


def test_the_aligned_models_logprobs_give_the_same_score(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=12, seed=1, logprobs=0), Router("aligned"))
    logprobs = [token.logprob for token in result.candidates[0].logprobs or ()]
    assert with_scores(engine.pair, [result])[0].candidates[0].score == pytest.approx(sum(logprobs) / len(logprobs), abs=1e-4)


def test_an_answer_without_tokens_is_the_worst(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=4, seed=1))
    nothing = replace(result, candidates=(replace(result.candidates[0], tokens=()),))
    assert with_scores(engine.pair, [nothing])[0].candidates[0].score == -torch.inf


def test_the_base_alone_is_refused_with_the_reason(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=4), Router("base"))
    with pytest.raises(ConfigError, match="has not read the prompt"):
        with_scores(engine.pair, [result])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_both_models_say_how_likely_each_token_is(arch: str, get_engine: Callable[[str], Engine]) -> None:
    engine = get_engine(arch)
    result = engine.generate(PROMPT, SamplingParams(n=2, max_tokens=12, seed=3, logprobs=0), Router("p", threshold=0.6))
    told = with_model_logprobs(engine.pair, result)
    for candidate in told.candidates:
        assert candidate.model_logprobs is not None
        for which in ("base", "aligned"):
            expected = plain_logprobs(engine.pair, result, candidate, which)
            assert candidate.model_logprobs[which] == pytest.approx(expected, abs=1e-4)
        owners = ["base" if token.from_base else "aligned" for token in candidate.tokens]
        own = [candidate.model_logprobs[owner][place] for place, owner in enumerate(owners)]
        assert own == pytest.approx([token.logprob for token in candidate.logprobs or ()], abs=1e-4)


def test_a_model_that_did_not_run_says_nothing(engine: Engine) -> None:
    result = engine.generate(PROMPT, SamplingParams(max_tokens=4, seed=1), Router("aligned"))
    (candidate,) = with_model_logprobs(engine.pair, result).candidates
    assert candidate.model_logprobs is not None and list(candidate.model_logprobs) == ["aligned"]
