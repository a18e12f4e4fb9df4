"""Direct preference optimisation of the aligned model, with trl: answers that are wanted against answers that are not.

The text of a pair becomes BOS, the chat, the answer and one turn's end, cut as :mod:`tinypair.batching` cuts a chat; trl adds the BOS, by
the tokenizer, and the turn's end, which is the aligned tokenizer's EOS. trl is imported only by :func:`tune`: nothing else needs it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tinypair.dialogue import BOS, TURN_END

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import DPOConfig, DPOTrainer

MISSING_TRL = "Preference optimisation needs trl and datasets, which are not installed. `make train` installs them, and runs the training."


def require_trl() -> None:
    """Raise an error that says what to do where trl or datasets are missing."""
    if any(find_spec(name) is None for name in ("trl", "datasets")):
        raise ImportError(MISSING_TRL)


@dataclass(frozen=True)
class Preference:
    """A prompt and two answers to it.

    ``prompt`` is a chat up to the assistant's turn, with its markers and without a BOS (the tokenizer adds it), as the first piece of
    ``chat_segments`` is. ``chosen`` and ``rejected`` are answers without the end of their turn, and begin with no whitespace: it could
    merge into one token with the newline before it, and the cut between prompt and answer would move.
    """

    prompt: str
    chosen: str
    rejected: str

    def __post_init__(self) -> None:
        for answer in (self.chosen, self.rejected):
            if not answer.strip() or answer[0].isspace() or TURN_END in answer:
                raise ValueError(f"an answer is text that begins with no whitespace and holds no {TURN_END}; got {answer!r}")
        if self.prompt.startswith(BOS):
            raise ValueError(f"a prompt has no {BOS}, for the tokenizer adds it; got {self.prompt!r}")


@dataclass(frozen=True)
class PreferenceSchedule:
    """How long and how hard to train; ``sft_weight`` is that of the next-token loss on the chosen answer, beside the preference's 1."""

    steps: int
    rate: float
    beta: float = 0.1
    batch_size: int = 16
    sft_weight: float = 0.2
    max_length: int = 512
    warmup: int = 10


@dataclass(frozen=True)
class PreferenceOutcome:
    """What a run reports: means over its last twentieth, the first loss over its first; ``margin`` is in rewards, beta times nats."""

    loss: float
    first_loss: float
    accuracy: float
    margin: float
    pairs: int


def _length(tokenizer: PreTrainedTokenizerFast, pair: Preference) -> int:
    """Count the tokens of the longer sequence of a pair, with BOS and the turn's end."""
    return max(len(tokenizer(f"{pair.prompt}{answer}{TURN_END}").input_ids) for answer in (pair.chosen, pair.rejected))


def arranged(tokenizer: PreTrainedTokenizerFast, pairs: Sequence[Preference], schedule: PreferenceSchedule, seed: int) -> list[Preference]:
    """Put pairs of like length into the same batch, in a drawn order of batches; pairs above the longest length are left out.

    trl would cut them, and a cut answer has no end.
    """
    rng, size = random.Random(seed), schedule.batch_size
    sized = [(_length(tokenizer, pair), pair) for pair in pairs]
    fitting = [each for each in sized if each[0] <= schedule.max_length]
    if not fitting:
        raise ValueError(f"none of {len(pairs)} pairs fits in max_length={schedule.max_length} tokens")
    rng.shuffle(fitting)
    fitting.sort(key=lambda each: each[0])
    groups = [[pair for _, pair in fitting[i : i + size]] for i in range(0, len(fitting), size)]
    # The trainer cuts batches by counting: one that is not full must be the last.
    rest = [groups.pop()] if len(groups[-1]) < size else []
    rng.shuffle(groups)
    return [pair for group in (*groups, *rest) for pair in group]


@contextmanager
def _answers_only() -> Iterator[None]:
    """Let trl's head score the answers' tokens only, as it does on a GPU; the numbers are the same.

    On a CPU it would score the prompts and the padding as well and throw that away, which takes half of a step. trl has no setting for it.
    """
    from trl.trainer import utils

    with patch.object(utils, "_use_triton", lambda device: True):
        yield


def _config(schedule: PreferenceSchedule, seed: int, folder: str) -> DPOConfig:
    """Give trl's settings: everything that is not said here and matters on a CPU is said."""
    from trl import DPOConfig

    return DPOConfig(
        output_dir=folder,
        max_steps=schedule.steps,
        learning_rate=schedule.rate,
        warmup_steps=schedule.warmup,
        lr_scheduler_type="linear",
        adam_beta2=0.98,
        max_grad_norm=1.0,
        per_device_train_batch_size=schedule.batch_size,
        train_sampling_strategy="sequential",
        seed=seed,
        loss_type=["sigmoid", "sft"],
        loss_weights=[1.0, schedule.sft_weight],
        beta=schedule.beta,
        max_length=schedule.max_length,
        # The reference is the model as it comes in: its log-probabilities are taken once, and no second model is kept.
        precompute_ref_log_probs=True,
        use_cpu=True,
        bf16=True,
        # trl's default, for models that fill a GPU, computes every layer twice.
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        logging_steps=max(1, schedule.steps // 20),
        save_strategy="no",
        report_to="none",
    )


def make_trainer(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[Preference],
    schedule: PreferenceSchedule,
    seed: int,
    folder: str,
) -> DPOTrainer:
    """Make trl's trainer, with the pairs encoded and the reference's log-probabilities taken."""
    from datasets import Dataset
    from trl import DPOTrainer

    rows = [{"prompt": each.prompt, "chosen": each.chosen, "rejected": each.rejected} for each in pairs]
    config = _config(schedule, seed, folder)
    return DPOTrainer(model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)


def tune(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[Preference],
    schedule: PreferenceSchedule,
    seed: int,
) -> PreferenceOutcome:
    """Train a model in place on pairs, with the aligned tokenizer; leave it in evaluation mode, its weights in float32."""
    require_trl()
    chosen = arranged(tokenizer, pairs, schedule, seed)
    with tempfile.TemporaryDirectory() as folder, _answers_only():
        trainer = make_trainer(model, tokenizer, chosen, schedule, seed, folder)
        trainer.train()
    # trl and accelerate put a forward of their own, with a fused head and autocast, over the model's.
    for name in ("forward", "_original_forward"):
        model.__dict__.pop(name, None)
    model.eval()
    logs: list[dict[str, Any]] = [each for each in trainer.state.log_history if "loss" in each]
    first, last = logs[0], logs[-1]
    return PreferenceOutcome(last["loss"], first["loss"], last["rewards/accuracies"], last["rewards/margins"], len(chosen))
