"""How likely a model finds whole answers, whoever wrote them.

Reads with a cache of its own, beside whatever is being decoded; knows nothing of routing or of requests.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from baco.errors import ConfigError, OutOfMemoryError
from baco.forward.cuda import is_out_of_memory
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.models.pair import ModelPair
from baco.results import GenerationResult, Model


def with_scores(pair: ModelPair, results: Sequence[GenerationResult]) -> list[GenerationResult]:
    """Fill in each candidate's `score`: the mean natural logarithm of its tokens' probabilities under the aligned model.

    A mean, so that a long answer is not worse for being long; temperature 1, no penalties and no truncation. An answer without tokens has
    minus infinity. Takes a pass over each prompt and one over each answer, unless `model_logprobs` are filled in already.

    Raises:
        ConfigError: the aligned model has not read the prompts, since the router asks the base alone.
        OutOfMemoryError: a prompt with an answer does not fit into memory.
    """
    return [_scored(pair, result) for result in results]


def _scored(pair: ModelPair, result: GenerationResult) -> GenerationResult:
    if "aligned" not in result.prompt_token_ids:
        raise ConfigError(f"answers of router {result.router!r} cannot be scored: the aligned model scores, and it has not read the prompt")
    known = [one.model_logprobs["aligned"] for one in result.candidates if one.model_logprobs is not None]
    opinions = known if len(known) == len(result.candidates) else answer_logprobs(pair, result, "aligned")
    means = [sum(values) / len(values) if values else -torch.inf for values in opinions]
    candidates = [replace(one, score=mean) for one, mean in zip(result.candidates, means, strict=True)]
    return replace(result, candidates=tuple(candidates))


def with_model_logprobs(pair: ModelPair, result: GenerationResult) -> GenerationResult:
    """Fill in each candidate's `model_logprobs`: under both models, or the one that ran.

    Raises:
        OutOfMemoryError: the prompt with an answer does not fit into memory.
    """
    opinions = {which: answer_logprobs(pair, result, which) for which in result.prompt_token_ids}
    candidates = [
        replace(one, model_logprobs={which: values[place] for which, values in opinions.items()})
        for place, one in enumerate(result.candidates)
    ]
    return replace(result, candidates=tuple(candidates))


@torch.inference_mode()
def answer_logprobs(pair: ModelPair, result: GenerationResult, which: Model) -> list[list[float]]:
    """The natural logarithm of each token's probability under one model, for each candidate: temperature 1, nothing truncated.

    Args:
        pair: the models.
        result: this model has read its prompt (`prompt_token_ids`).
        which: "base" or "aligned".

    Raises:
        OutOfMemoryError: the prompt with an answer does not fit into memory.
    """
    runner = ModelRunner(ModelPass.of(pair, which))
    *read, last = result.prompt_token_ids[which]
    try:
        if read:
            _logits(runner, Segment(slot=0, start=0, token_ids=read), [])
        return [_logprobs(runner, len(read), last, one.token_ids) for one in result.candidates]
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(str(error).splitlines()[0]) from error
        raise


def _logprobs(runner: ModelRunner, length: int, last: int, answer: Sequence[int]) -> list[float]:
    """The log-probabilities of an answer's tokens behind a prompt of so many tokens that were read, and the last one."""
    if not answer:
        return []
    # Every answer is read over the one before: a token sees positions up to its own, and those are its own answer's.
    logits = _logits(runner, Segment(slot=0, start=length, token_ids=[last, *answer[:-1]]), range(len(answer)))
    chosen = torch.tensor(answer, device=logits.device)[:, None]
    return [float(value) for value in logits.log_softmax(-1).gather(1, chosen)[:, 0]]


def _logits(runner: ModelRunner, feed: Segment, wanted: Sequence[int]) -> Tensor:
    return runner.prepare([feed], wanted).run()
