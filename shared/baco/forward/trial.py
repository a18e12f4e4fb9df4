"""A short trial of a model in our passes, against the model alone: whether the decode loop can run it at all.

For architectures that the tests do not compare with transformers. Knows passes; knows no requests.
"""

import threading
from weakref import WeakSet

import torch

from baco.errors import UnsupportedModelError
from baco.forward.cuda import is_out_of_memory
from baco.forward.model_pass import ModelPass
from baco.forward.model_runner import ModelRunner
from baco.forward.packing import Segment
from baco.models.pair import ModelPair

COMPARED = frozenset(
    "deepseek_v3 falcon_h1 gemma3_text gemma4_text glm4_moe gpt2 gpt_neox gpt_oss granitemoehybrid jamba kimi_linear lfm2 llama "
    "llama4_text mamba2 ministral3 mistral nemotron_h olmo2 olmo3 olmo_hybrid phi3 qwen2 qwen3 qwen3_5_text qwen3_moe qwen3_next "
    "smollm3".split()
)
"""Model types that the tests compare with transformers token for token."""
TOLERANCE = 1e-2
"""Largest difference of two logits, as a share of their range, that is the order of summation (our own choice)."""
ROWS = ([5, 3, 8, 2, 7, 4], [9, 1, 6, 3, 2])
SPLITS = (3, 2)
"""Tokens of each row in the first pass; the second one has the rest, of which the last are drafts."""

_tried: WeakSet[ModelPair] = WeakSet()
_trying = threading.Lock()


def check_runs(pair: ModelPair) -> None:
    """Try the models of a pair, once in a process.

    Raises:
        UnsupportedModelError: a model fails in a pass, or says in float32 something else than it does alone.
    """
    with _trying:
        if pair in _tried:
            return
        for model in (pair.base, pair.aligned):
            if model.config.model_type not in COMPARED:
                _try(ModelPass(model, pair.vocab_size, 0))
        _tried.add(pair)


@torch.inference_mode()
def _try(plain: ModelPass) -> None:
    name = type(plain.model).__name__
    runner = ModelRunner(plain)
    runner.graphs = None
    try:
        found = []
        for first in (True, False):
            segments = [_segment(slot, first) for slot in range(len(ROWS))]
            count = sum(len(segment.token_ids) for segment in segments)
            found.append(runner.prepare(segments, range(count), len(ROWS)).run())
            for segment in segments:
                runner.cache.computed(segment)
        parts = zip(*(logits.split(_counts(first)) for first, logits in zip((True, False), found, strict=True)), strict=True)
        gaps = [_gap(plain, row, torch.cat(mine)) for row, mine in zip(ROWS, parts, strict=True)]
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UnsupportedModelError(
            f"{name} does not run in baco's passes ({type(error).__name__}: {error}); choose another pair, or run the aligned model alone "
            "with transformers"
        ) from error
    finally:
        runner.release()
    if plain.dtype == torch.float32 and max(gaps) > TOLERANCE:
        raise UnsupportedModelError(
            f"{name} gives other logits in baco's passes than alone (by {max(gaps):.0%} of their range), so its answers would be wrong; "
            "choose another pair, or run the aligned model alone with transformers"
        )


def _segment(slot: int, first: bool) -> Segment:
    row, split = ROWS[slot], SPLITS[slot]
    if first:
        return Segment(slot=slot, start=0, token_ids=row[:split])
    return Segment(slot=slot, start=split, token_ids=row[split:], num_drafts=1)


def _counts(first: bool) -> list[int]:
    return [split if first else len(row) - split for row, split in zip(ROWS, SPLITS, strict=True)]


def _gap(plain: ModelPass, row: list[int], found: torch.Tensor) -> float:
    """The largest difference from the model alone, as a share of the range of its logits."""
    alone = plain.model(input_ids=torch.tensor([row], device=plain.device), use_cache=False).logits[0].float()
    return float((found[:, : alone.shape[1]] - alone).abs().max() / (alone.max() - alone.min()))
