"""Scores of results that exist already, until both adapters ask the engine for them. To be deleted then.

The engine is above this package, hence the imports by name.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import cast

from baco.config import SamplingParams
from baco.models.pair import ModelPair
from baco.results import GenerationResult
from baco.routing import Router
from baco.text.prompts import Prompt


def with_scores(pair: ModelPair, results: Sequence[GenerationResult]) -> list[GenerationResult]:
    """Do what `Engine.score` does."""
    return cast(list[GenerationResult], import_module("baco.engine").Engine(pair).score(results))


def with_model_logprobs(pair: ModelPair, result: GenerationResult) -> GenerationResult:
    """Fill in each candidate's `model_logprobs`, as `Engine.generate(…, model_logprobs=True)` does."""
    engine, ids = import_module("baco.engine").Engine(pair), result.prompt_token_ids
    request = import_module("baco.engine.requests").Request(
        prompt=Prompt(token_ids=ids, base_stop=()),
        params=SamplingParams(n=len(result.candidates), temperature=0),
        router=Router("aligned" if "aligned" in ids else "base"),
        seed=result.seed,
        max_model_len=engine.max_model_len,
        max_batch_size=engine.max_batch_size,
        model_logprobs=True,
        given=result.candidates,
    )
    return replace(result, candidates=engine._run([request])[0].candidates)
