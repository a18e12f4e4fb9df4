"""From a model's logits to its decisions, in tensors alone: the token at each position and, for the base, the route.

Nothing here synchronises with the device, so all of it can be recorded as CUDA graphs (see `DecisionGraphs`). Knows tensors and settings;
knows no rows and no cache.
"""

import torch
from torch import Tensor

from baco.grammar.masks import GrammarMasks
from baco.routing import Signals
from baco.routing.batch import RoutingBatch
from baco.sampling.sampler import SamplingBatch, sample


def decide_base(
    signals: Signals,
    allowed: Tensor,
    noise: Tensor | None,
    sampling: SamplingBatch,
    routing: RoutingBatch,
    last_tokens: Tensor,
    masks: GrammarMasks | None = None,
) -> Tensor:
    """Decide for the base model at C queries.

    Args:
        signals: what the routing rules may look at; its logits are raw.
        allowed: the logits with penalties and token masks applied, float32 [C, V].
        noise: Gumbel noise [C, V], or None where nothing is drawn.
        sampling: the queries' settings.
        routing: the queries' routers.
        last_tokens: the tokens before, int64 [C], -1 before the first one.
        masks: the token masks of grammars, if any query has a grammar.

    Returns:
        int64 [3, C]: the token that it writes, whether the router picks it, and whether the router may switch.
    """
    wanted, may_switch = routing.ask(signals, last_tokens)
    barred = routing.masks_special[:, None] & signals.lexicon.special
    if masks is not None:
        aligned_only = masks.aligned_only(signals.lexicon.special)
        aligned_forced = masks.aligned_forced(allowed, aligned_only)
        wanted, may_switch = wanted & ~aligned_forced, may_switch | aligned_forced
        # Where only the aligned model may write, any draft token of the base is better than none.
        barred = (routing.masks_special & ~aligned_forced)[:, None] & aligned_only
    return torch.stack([sample(allowed.masked_fill(barred, -torch.inf), sampling, noise), wanted, may_switch])


def decide_aligned(logits: Tensor, allowed: Tensor, noise: Tensor | None, sampling: SamplingBatch, is_probed: bool) -> Tensor:
    """Decide for the aligned model at C queries.

    Args:
        logits: raw, float32 [C, V].
        allowed: the same with penalties and token masks applied.
        noise: Gumbel noise [C, V], or None where nothing is drawn.
        sampling: the queries' settings.
        is_probed: whether the route needs its most likely token.

    Returns:
        int64 [2, C]: the token that it writes, and its most likely one if `is_probed`.
    """
    drawn = sample(allowed, sampling, noise)
    return torch.stack([drawn, logits.argmax(-1) if is_probed else drawn])
