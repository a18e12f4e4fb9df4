"""How good the aligned model finds whole answers, whoever wrote them.

Reads with a cache of its own, beside whatever is being decoded; knows nothing of routing or of requests.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from baco.errors import ConfigError, OutOfMemoryError
from baco.memory import is_out_of_memory
from baco.model_pass import ModelPass
from baco.model_runner import ModelRunner
from baco.packing import Feed
from baco.pair import ModelPair
from baco.results import GenerationResult


def with_scores(pair: ModelPair, results: Sequence[GenerationResult]) -> list[GenerationResult]:
    """Fill in each candidate's `score`: the mean natural logarithm of its tokens' probabilities under the aligned model.

    A mean, so that a long answer is not worse for being long; temperature 1, no penalties and no truncation. An answer without tokens has
    minus infinity. Takes a pass over each prompt and one over each answer.

    Raises:
        ConfigError: the aligned model has not read the prompts, since the router asks the base alone.
        OutOfMemoryError: a prompt with an answer does not fit into memory.
    """
    return [_scored(pair, result) for result in results]


@torch.inference_mode()
def _scored(pair: ModelPair, result: GenerationResult) -> GenerationResult:
    if "aligned" not in result.prompt_token_ids:
        raise ConfigError(f"answers of router {result.router!r} cannot be scored: the aligned model scores, and it has not read the prompt")
    runner = ModelRunner(ModelPass.of(pair, "aligned"))
    *read, last = result.prompt_token_ids["aligned"]
    try:
        if read:
            _logits(runner, Feed(slot=0, start=0, token_ids=read), [])
        scores = [_mean_logprob(runner, len(read), last, one.token_ids) for one in result.candidates]
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(str(error).splitlines()[0]) from error
        raise
    candidates = [replace(one, score=score) for one, score in zip(result.candidates, scores, strict=True)]
    return replace(result, candidates=tuple(candidates))


def _mean_logprob(runner: ModelRunner, length: int, last: int, answer: Sequence[int]) -> float:
    """The mean log-probability of an answer behind a prompt of so many tokens that were read, and the last one."""
    if not answer:
        return -torch.inf
    # Every answer is read over the one before: a token sees positions up to its own, and those are its own answer's.
    logits = _logits(runner, Feed(slot=0, start=length, token_ids=[last, *answer[:-1]]), range(len(answer)))
    chosen = torch.tensor(answer, device=logits.device)[:, None]
    return float(logits.log_softmax(-1).gather(1, chosen).mean())


def _logits(runner: ModelRunner, feed: Feed, wanted: Sequence[int]) -> Tensor:
    runner.prepare([feed])
    return runner.forward([feed], wanted)
