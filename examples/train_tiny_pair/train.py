"""Train the embedded pair from nothing: corpus, tokenizer, base, aligned model, report.

Run ``python examples/train_tiny_pair/train.py --out FOLDER``. It needs torch, transformers, tokenizers and tqdm.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinypair.batching import encode_aligned, encode_base
from tinypair.corpus import aligned_dialogue, base_document
from tinypair.dialogue import chat_segments, written
from tinypair.model import CONTEXT, VOCAB_SIZE, count_parameters, load_model, new_model, save_model
from tinypair.tokenizer import aligned_tokenizer, train_tokenizer
from tinypair.training import Schedule, prepare, train

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

TOKENIZER_DOCUMENTS = 20_000


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded base/aligned pair.")
    parser.add_argument("--out", type=Path, required=True, help="folder for base/, aligned/ and report.json")
    parser.add_argument("--base-steps", type=int, default=1200)
    parser.add_argument("--aligned-steps", type=int, default=600)
    parser.add_argument("--keep-base", action="store_true", help="train only the aligned model, from the base that is in the folder")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens of a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def tokenizer_texts(seed: int) -> Iterator[str]:
    """Draw the texts on which the tokenizer is trained: both mixtures."""
    rng = random.Random(seed)
    for _ in range(TOKENIZER_DOCUMENTS):
        yield written(base_document(rng))
    for _ in range(TOKENIZER_DOCUMENTS // 10):
        yield from (text for text, is_answer in chat_segments(aligned_dialogue(rng)) if is_answer)


def new_base(arguments: argparse.Namespace) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train the base model and its tokenizer from nothing; return them with what the report says of it."""
    tokenizer = train_tokenizer(tokenizer_texts(arguments.seed), VOCAB_SIZE, CONTEXT)
    model = new_model(tokenizer)
    schedule = Schedule(steps=arguments.base_steps, rate=4e-3, tokens=arguments.tokens)
    outcome = train(model, tokenizer, encode_base, schedule, arguments.seed + 1, "base")
    save_model(model, tokenizer, arguments.out / "base")
    return model, tokenizer, {**asdict(schedule), **asdict(outcome)}


def kept_base(arguments: argparse.Namespace) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast, dict[str, Any]]:
    """Load the base model of an earlier run, with what its report said of it."""
    model, tokenizer = load_model(arguments.out / "base")
    return model, tokenizer, json.loads((arguments.out / "report.json").read_text())["base"]


def main() -> None:
    """Train both models and write them with a report."""
    arguments = parse_arguments()
    prepare(arguments.seed, arguments.threads)
    model, tokenizer, base = kept_base(arguments) if arguments.keep_base else new_base(arguments)
    aligned_schedule = Schedule(steps=arguments.aligned_steps, rate=1e-3, tokens=arguments.tokens)
    aligned = train(model, tokenizer, encode_aligned, aligned_schedule, arguments.seed + 2, "aligned")
    save_model(model, aligned_tokenizer(tokenizer), arguments.out / "aligned")
    report = {
        "seed": arguments.seed,
        "parameters": count_parameters(model),
        "vocabulary": len(tokenizer),
        "context": CONTEXT,
        "model_bytes": (arguments.out / "base" / "model.safetensors").stat().st_size,
        "base": base,
        "aligned": {**asdict(aligned_schedule), **asdict(aligned)},
        "seconds": base["seconds"] + aligned.seconds,
        "machine": {
            "processor": platform.machine(),
            "threads": arguments.threads,
            "torch": version("torch"),
        },
    }
    (arguments.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
