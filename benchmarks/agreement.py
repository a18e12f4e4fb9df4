"""How a pair's two models differ along the answers that they write together: what decides how much one model can do for the other.

Knows `Engine` and its results; knows nothing of timing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel

from baco.results import GenerationResult


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Figures over all tokens of some answers."""

    tv_base: float
    """Mean total variation between the two next-token distributions where the base wrote, 0 to 1; nan where it wrote nothing."""
    tv_aligned: float
    """The same where the aligned model wrote."""
    top1: float
    """Share of positions where both models have the same most likely token."""
    base_share: float
    """Share of tokens that the base wrote."""
    tokens: int


@torch.inference_mode()
def measure_agreement(results: Sequence[GenerationResult], base: PreTrainedModel, aligned: PreTrainedModel) -> Agreement:
    """Read answers again with both models, each after its own prompt."""
    variations, same, owners = [], [], []
    for result in results:
        answers = [candidate.token_ids for candidate in result.candidates]
        by_base = _along(base, result.prompt_token_ids["base"], answers)
        by_aligned = _along(aligned, result.prompt_token_ids["aligned"], answers)
        for left, right in zip(by_base, by_aligned, strict=True):
            variations.append(total_variation(left, right))
            same.append(left.argmax(-1) == right.argmax(-1))
        owners += [owner for candidate in result.candidates for owner in candidate.from_base]
    return summarise(torch.cat(variations), torch.cat(same), torch.tensor(owners))


def total_variation(left: Tensor, right: Tensor) -> Tensor:
    """Half the absolute difference of two distributions given by their logits [T, V], for each position [T]."""
    return (left.softmax(-1) - right.softmax(-1)).abs().sum(-1).cpu() / 2


def summarise(variations: Tensor, same: Tensor, from_base: Tensor) -> Agreement:
    """Average over positions [T]: total variation, whether both have the same top token, and who wrote."""
    return Agreement(
        tv_base=variations[from_base].mean().item(),
        tv_aligned=variations[~from_base].mean().item(),
        top1=same.float().mean().item(),
        base_share=from_base.float().mean().item(),
        tokens=len(variations),
    )


def _along(model: PreTrainedModel, prompt: list[int], answers: list[list[int]]) -> list[Tensor]:
    """Logits [T, V] in float32 from which each token of every answer could be drawn; the prompt is read once for all."""
    cache = DynamicCache(config=model.config)
    first = model(input_ids=torch.tensor([prompt], device=model.device), past_key_values=cache, logits_to_keep=1).logits
    cache.batch_repeat_interleave(len(answers))
    # What fills up a shorter answer comes after its tokens, which do not see it.
    tokens = pad_sequence([torch.tensor(answer, device=model.device) for answer in answers], batch_first=True)
    rest = model(input_ids=tokens, past_key_values=cache).logits
    rows = torch.cat([first.expand(len(answers), -1, -1), rest], dim=1)
    return [row[: len(answer)].float() for row, answer in zip(rows, answers, strict=True)]
