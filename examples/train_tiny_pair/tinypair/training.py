"""The training loop: next-token loss, Muon for the matrices and AdamW for the rest, bfloat16 compute."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from tinypair.batching import Batch, Encode, batches
from tinypair.checkpoint import Checkpoint
from tinypair.source import Source

KEEP_EVERY = 500
"""Steps between two savings of the state: about three minutes."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; ``compiled`` needs a C++ compiler, and is twice as fast."""

    steps: int
    rate: float
    tokens: int = 4096
    warmup: int = 40
    hold: float = 0.4
    compiled: bool = True


@dataclass(frozen=True)
class Outcome:
    """What a training run reports."""

    loss: float
    first_loss: float
    learned_tokens: int
    seconds: float
    """Of all the steps, also those before an interruption."""


def prepare(seed: int, threads: int) -> None:
    """Fix the seed of the weights and the number of threads."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)


def optimizers(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Make the optimisers: Muon for the matrices of the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate_factor(step: int, schedule: Schedule) -> float:
    """Give the share of the learning rate at a step: a warm-up, a plateau, a linear fall to zero."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    fall = schedule.steps * (1 - schedule.hold)
    return min(1.0, (schedule.steps - step) / fall)


def next_token_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Give the weighted mean loss over the tokens of a batch."""
    length = batch.inputs.shape[1]
    same = batch.documents[:, :, None] == batch.documents[:, None, :]
    sees = (same & torch.ones(length, length, dtype=torch.bool).tril())[:, None]
    mask = torch.zeros((), dtype=torch.bfloat16).masked_fill(~sees, -1e9)
    hidden = model.model(batch.inputs, attention_mask=mask, position_ids=batch.positions, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden).flatten(0, 1).float()
    losses = nn.functional.cross_entropy(logits, batch.targets.flatten(), reduction="none")
    weights = batch.weights.flatten()
    return (losses * weights).sum() / weights.sum()


def take_step(model: LlamaForCausalLM, loss: Tensor, steppers: Sequence[torch.optim.Optimizer], rate: float) -> None:
    """Go one step down a loss, at a learning rate."""
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for stepper in steppers:
        for group in stepper.param_groups:
            group["lr"] = rate
        stepper.step()
        stepper.zero_grad()


def train(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, encode: Encode, schedule: Schedule, seed: int, state_file: Path
) -> Outcome:
    """Train a model in place on documents drawn from a seed. The state is kept in a file as long as the run lasts.

    A run that finds its state there goes on from it. It draws the documents of the steps before once more, so it ends as it would have.

    Raises:
        ValueError: the file holds the state of a run with other settings.
    """
    steppers = optimizers(model, schedule.rate)
    checkpoint = Checkpoint(state_file, {**asdict(schedule), "seed": seed})
    state = checkpoint.load(model, steppers)
    stream = islice(batches(encode, tokenizer, schedule.tokens, Source(random.Random(seed))), state.step, schedule.steps)
    loss_of = torch.compile(next_token_loss, dynamic=False) if schedule.compiled else next_token_loss
    model.train()
    progress = tqdm(stream, desc=state_file.stem, initial=state.step, total=schedule.steps, mininterval=5)
    clock = time.perf_counter()
    for batch in progress:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model, batch)
        take_step(model, loss, steppers, schedule.rate * rate_factor(state.step, schedule))
        state.losses.append(loss.item())
        state.learned += int((batch.weights > 0).sum())
        state.seconds, clock = state.seconds + time.perf_counter() - clock, time.perf_counter()
        progress.set_postfix(loss=f"{sum(state.losses[-20:]) / len(state.losses[-20:]):.3f}", refresh=False)
        if state.step % KEEP_EVERY == 0:
            checkpoint.save(state, model, steppers)
    model.eval()
    window = max(1, schedule.steps // 20)
    last, first = (sum(part) / len(part) for part in (state.losses[-window:], state.losses[:window]))
    return Outcome(last, first, state.learned, state.seconds)
