"""Train the embedded pair from nothing: corpus, tokenizer, base, aligned model (SFT, then DPO), report.

Run ``make train``, or ``python examples/train_tiny_pair/train.py --out FOLDER`` where torch, transformers, tokenizers, tqdm and trl are.
The same command goes on with a run that was interrupted in the base's stage; with ``--start sft`` it goes on in the next one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tinypair.batching import encode_aligned, encode_base
from tinypair.corpus import aligned_dialogue, base_document
from tinypair.dialogue import chat_segments, written
from tinypair.model import CONTEXT, VOCAB_SIZE, count_parameters, load_model, new_model, save_model
from tinypair.preference import PreferenceSchedule, require_trl, tune
from tinypair.source import Source
from tinypair.taste import draw_preferences
from tinypair.tokenizer import aligned_tokenizer, train_tokenizer
from tinypair.training import Schedule, prepare, train

TOKENIZER_DOCUMENTS = 20_000
STAGES = ("base", "sft", "dpo")


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded base/aligned pair.")
    parser.add_argument("--out", type=Path, required=True, help="folder for base/, sft/, aligned/ and report.json")
    parser.add_argument("--base-steps", type=int, default=10000)
    parser.add_argument("--sft-steps", type=int, default=1300)
    parser.add_argument("--dpo-steps", type=int, default=150)
    parser.add_argument("--start", choices=STAGES, default="base", help="first stage to run; those before it are taken from the folder")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens of a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-compile", action="store_true", help="do without a C++ compiler, at half the speed")
    return parser.parse_args()


def tokenizer_texts(seed: int) -> Iterator[str]:
    """Draw the texts on which the tokenizer is trained: both mixtures."""
    source = Source(random.Random(seed))
    for _ in range(TOKENIZER_DOCUMENTS):
        yield written(base_document(source))
    for _ in range(TOKENIZER_DOCUMENTS // 10):
        yield from (text for text, is_answer in chat_segments(aligned_dialogue(source)) if is_answer)


def train_base(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train the base model and its tokenizer from nothing."""
    tokenizer = train_tokenizer(tokenizer_texts(arguments.seed), VOCAB_SIZE, CONTEXT)
    model = new_model(tokenizer)
    schedule = Schedule(arguments.base_steps, 3e-3, arguments.tokens, compiled=not arguments.no_compile)
    outcome = train(model, tokenizer, encode_base, schedule, arguments.seed + 1, arguments.out / "base.state")
    save_model(model, tokenizer, arguments.out / "base")
    return {**asdict(schedule), **asdict(outcome)}


def train_sft(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fine-tune the base on neat chats."""
    model, tokenizer = load_model(arguments.out / "base")
    schedule = Schedule(arguments.sft_steps, 1e-3, arguments.tokens, compiled=not arguments.no_compile)
    outcome = train(model, tokenizer, encode_aligned, schedule, arguments.seed + 2, arguments.out / "sft.state")
    save_model(model, aligned_tokenizer(tokenizer), arguments.out / "sft")
    return {**asdict(schedule), **asdict(outcome)}


def train_dpo(arguments: argparse.Namespace) -> dict[str, Any]:
    """Sharpen the fine-tuned model's taste; the result is the aligned model."""
    model, tokenizer = load_model(arguments.out / "sft")
    schedule = PreferenceSchedule(arguments.dpo_steps, 1.5e-5, sft_weight=1.0)
    pairs = draw_preferences(schedule.steps * schedule.batch_size, arguments.seed + 3)
    outcome = tune(model, tokenizer, pairs, schedule, arguments.seed + 3)
    save_model(model, tokenizer, arguments.out / "aligned")
    return {**asdict(schedule), **asdict(outcome)}


def facts(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give what the report says beside the stages."""
    model, tokenizer = load_model(arguments.out / "aligned")
    return {
        "seed": arguments.seed,
        "parameters": count_parameters(model),
        "vocabulary": len(tokenizer),
        "context": CONTEXT,
        "model_bytes": (arguments.out / "aligned" / "model.safetensors").stat().st_size,
        "machine": {"processor": platform.machine(), "threads": arguments.threads} | {name: version(name) for name in ("torch", "trl")},
    }


def main() -> None:
    """Run the stages, each from what the one before it left in the folder, and report each as soon as it is done."""
    arguments = parse_arguments()
    require_trl()
    path = arguments.out / "report.json"
    report = json.loads(path.read_text()) if arguments.start != "base" else {}
    for stage, run in zip(STAGES, (train_base, train_sft, train_dpo), strict=True):
        if STAGES.index(stage) < STAGES.index(arguments.start):
            continue
        prepare(arguments.seed, arguments.threads)
        started = time.perf_counter()
        report[stage] = run(arguments)
        # The steps before an interruption count too.
        report[stage]["seconds"] = max(time.perf_counter() - started, report[stage].get("seconds", 0.0))
        path.write_text(json.dumps(report, indent=2) + "\n")
        (arguments.out / f"{stage}.state").unlink(missing_ok=True)
    report |= facts(arguments) | {"seconds": sum(report[stage]["seconds"] for stage in STAGES)}
    path.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
