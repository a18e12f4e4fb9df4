"""What 8 and 4 bits cost and save: `python benchmarks/quantization.py [--quick] [--output FILE]`.

Two figures. How far a quantised model's next-token distributions are from those of the same model in float32, in total variation, along
answers that the float32 model wrote itself; for both models of the embedded pair. And the memory of quantised pairs beside bfloat16, for
the embedded pair and for the shape of a model of half a billion parameters. Runs on the CPU.
"""

import argparse
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, Qwen2Config

from baco import ModelPair
from baco.config import Quantization
from baco.models.layers.convert import replace_linears, tensor_bytes
from baco.results import Model
from baco.text.prompts import build_prompt
from benchmarks.random_pair import QUICK, SHAPES, Shape
from benchmarks.report import conditions, finish, new_table, number, open_console

MODELS: tuple[Model, ...] = ("base", "aligned")
FORMS: tuple[Quantization | None, ...] = (None, *get_args(Quantization))
ASKED = {
    "Name a pet {}.": ("rabbit", "cat", "dog", "parrot", "hamster", "goldfish", "turtle", "horse"),
    "Suggest a gift for my {}, who likes music.": ("sister", "brother", "mother", "father", "friend", "uncle", "aunt", "teacher"),
    "What should I cook for {}?": ("dinner tonight", "lunch", "breakfast", "my friends", "a party", "two people", "a child", "Sunday"),
    "Write one sentence about {}.": ("a rainy morning", "the sea", "a lighthouse", "winter", "a train", "a garden", "the moon", "bread"),
    "Give me an idea for {}.": ("a small business", "a weekend trip", "a hobby", "a story", "a walk", "a song", "a game", "a garden"),
}
PROMPTS = [question.format(what) for question, things in ASKED.items() for what in things]
QUICK_PROMPTS = 3
MAX_TOKENS, QUICK_TOKENS = 40, 6


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far one model in one form is from itself in float32, over all positions of all answers."""

    form: str
    model: Model
    positions: int
    tv_mean: float
    tv_p95: float
    same_top: float
    """Share of positions at which both forms think the same token the likeliest."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a pair's weights take."""

    pair: str
    form: str
    megabytes: float
    ratio: float
    """Beside the same pair in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A prompt and its answer as one model reads them."""

    token_ids: Tensor
    """`[1, T]`, prompt and answer."""
    prompt_length: int


def main() -> None:
    """Measure everything and report it."""
    arguments = _arguments()
    facts = conditions("cpu") | {"answers": "sampled at temperature 1 by each float32 model itself, read again by its other forms"}
    console = open_console(facts)
    prompts = PROMPTS[:: len(PROMPTS) // QUICK_PROMPTS][:QUICK_PROMPTS] if arguments.quick else PROMPTS
    drifts = list(measure_drifts(prompts, QUICK_TOKENS if arguments.quick else MAX_TOKENS))
    table = new_table(
        f"total variation from float32, {len(prompts)} prompts", "form", "model", "positions", "mean", "95 %", "same top", left=["form"]
    )
    for drift in drifts:
        cells = number(drift.tv_mean, ".4f"), number(drift.tv_p95, ".4f"), number(drift.same_top, ".1%")
        table.add_row(drift.form, drift.model, str(drift.positions), *cells)
    console.print(table)
    sizes = list(measure_sizes(QUICK if arguments.quick else SHAPES["0.5b"]))
    table = new_table("memory of both models' weights", "pair", "form", "MB", "x bfloat16", left=["pair", "form"])
    for size in sizes:
        table.add_row(size.pair, size.form, f"{size.megabytes:,.1f}", number(size.ratio, ".3f"))
    console.print(table)
    finish({"benchmark": "quantization", "conditions": facts, "drifts": drifts, "sizes": sizes}, arguments.output)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="few prompts and a small shape: shows that it works")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    return parser.parse_args()


def measure_drifts(prompts: list[str], max_tokens: int) -> Iterator[Drift]:
    """Let both models of the embedded pair write in float32, and read that in every other form."""
    exact = ModelPair.from_pretrained(device="cpu", dtype="float32")
    answers = {which: [_answer(exact, which, prompt, max_tokens, seed) for seed, prompt in enumerate(prompts)] for which in MODELS}
    truths = {which: _distributions(exact.model(which), answers[which]) for which in MODELS}
    for form in FORMS:
        pair = ModelPair.from_pretrained(device="cpu", dtype="bfloat16", quantization=form)
        for which in MODELS:
            yield _drift(form or "bfloat16", which, truths[which], _distributions(pair.model(which), answers[which]))


def _answer(pair: ModelPair, which: Model, prompt: str, max_tokens: int, seed: int) -> Answer:
    """Sample one answer with transformers, from the prompt as the engine would give it to this model."""
    read = build_prompt(pair.info, prompt, models=[which], max_model_len=pair.context_window).token_ids[which]
    token_ids = torch.tensor([read])
    torch.manual_seed(seed)
    model: Any = pair.model(which)
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": max_tokens}
    written = model.generate(token_ids, attention_mask=torch.ones_like(token_ids), eos_token_id=sorted(pair.end_ids(which)), **settings)
    return Answer(token_ids=written, prompt_length=len(read))


@torch.inference_mode()
def _distributions(model: Any, answers: list[Answer]) -> Tensor:
    """Next-token distributions `[N, V]` at every token of the answers."""
    logits = [model(answer.token_ids).logits[0, answer.prompt_length - 1 : -1] for answer in answers]
    return torch.cat(logits).double().softmax(dim=-1)


def _drift(form: str, which: Model, truth: Tensor, found: Tensor) -> Drift:
    apart = total_variation(truth, found)
    same = (truth.argmax(dim=-1) == found.argmax(dim=-1)).double().mean()
    return Drift(
        form=form,
        model=which,
        positions=len(apart),
        tv_mean=float(apart.mean()),
        tv_p95=float(apart.quantile(0.95)),
        same_top=float(same),
    )


def total_variation(left: Tensor, right: Tensor) -> Tensor:
    """Half the sum of absolute differences, for each row of `[N, V]`."""
    return (left - right).abs().sum(dim=-1) / 2


def measure_sizes(shape: Shape) -> Iterator[Size]:
    """Count bytes: of the embedded pair, and of random models of a shape, with their head tied to the embedding and not."""
    counts = {form: ModelPair.from_pretrained(device="cpu", dtype="bfloat16", quantization=form).memory()["total"] for form in FORMS}
    yield from _sizes("embedded", counts)
    for tied in (True, False):
        counts = {form: _random_bytes(shape, tied, form) for form in FORMS}
        yield from _sizes(f"random, hidden size {shape.hidden_size}, head {'tied' if tied else 'not tied'}", counts)


def _sizes(pair: str, counts: dict[Quantization | None, int]) -> Iterator[Size]:
    for form, count in counts.items():
        yield Size(pair=pair, form=form or "bfloat16", megabytes=count / 1e6, ratio=count / counts[None])


def _random_bytes(shape: Shape, tied: bool, form: Quantization | None) -> int:
    """Bytes of two random models that share nothing, in one form."""
    config = Qwen2Config(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        vocab_size=shape.vocab_size,
        tie_word_embeddings=tied,
    )
    base: nn.Module = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval().requires_grad_(False)
    models = [base, copy.deepcopy(base)]
    if form is not None:
        replace_linears(models, form)
    return sum(sum(tensor_bytes(model).values()) for model in models)


if __name__ == "__main__":
    main()
