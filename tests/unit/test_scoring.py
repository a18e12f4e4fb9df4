"""Scores of whole answers, against one plain forward pass of transformers over prompt and answer."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from baco import Candidate, ConfigError, Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.scoring import with_scores
from tests.pairs import ARCHITECTURES

PROMPT = "Tell me of a rabbit."


def plain_score(pair: ModelPair, result: GenerationResult, candidate: Candidate) -> float:
    """The mean log-probability by the model alone, prompt and answer in one pass."""
    prompt, answer = result.prompt_token_ids["aligned"], candidate.token_ids
    logits = pair.aligned(torch.tensor([prompt + answer])).logits[0].float()
    scores = [logits[len(prompt) + index - 1].log_softmax(-1)[token_id] for index, token_id in enumerate(answer)]
    return float(torch.stack(scores).mean())


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
