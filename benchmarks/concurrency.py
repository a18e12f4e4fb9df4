"""Many callers at once on the embedded pair: `python benchmarks/concurrency.py [--quick] [--output FILE]`.

Times concurrent `Engine.agenerate` calls beside the same calls one after another, checks that every answer is the same, and measures how
long the event loop was held up. Prints a table, and as its last line one JSON object.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from baco import Engine, ModelPair, SamplingParams
from baco.results import GenerationResult
from baco.routing.calibration import PROMPTS
from benchmarks.report import conditions, finish, new_table, open_console, progress_bar
from benchmarks.subjects import quiet_transformers
from benchmarks.timing import longest_stall

CALLS, QUICK_CALLS = 64, 6
SHORTEST, LONGEST = 8, 64
"""Tokens that a call may ask for."""
LONGEST_PROMPT = 5
"""Sentences of the longest prompt."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What one caller asks for."""

    prompt: str
    params: SamplingParams


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """Medians over the repeats; `equal` and the stall are the worst of any repeat."""

    calls: int
    tokens: int
    repeats: int
    one_by_one_s: float
    together_s: float
    times_one_by_one: float
    equal: int
    """Calls whose answer together is the one that they get alone, token for token and owner for owner."""
    stall_ms: float
    """Longest time by which a task that sleeps for a millisecond woke up late, while all calls ran."""


def main() -> None:
    """Measure and report."""
    arguments = _arguments()
    calls, repeats = (make_calls(QUICK_CALLS), 1) if arguments.quick else (make_calls(CALLS), 3)
    facts = conditions(arguments.device) | {
        "pair": "embedded, float32",
        "work": f"{len(calls)} calls, prompts of 1 to {LONGEST_PROMPT} sentences, answers of at most {SHORTEST} to {LONGEST} tokens",
    }
    console = open_console(facts)
    with progress_bar(1) as progress, quiet_transformers():
        progress("one after another, and all together")
        found = asyncio.run(measure(calls, arguments.device, repeats))
    table = new_table("all calls", "calls", "tokens", "one by one s", "together s", "times as fast", "equal", "longest stall ms")
    cells = [f"{found.one_by_one_s:.2f}", f"{found.together_s:.2f}", f"{found.times_one_by_one:.1f}", f"{found.equal} of {found.calls}"]
    table.add_row(str(found.calls), str(found.tokens), *cells, f"{found.stall_ms:.1f}")
    console.print(table)
    finish({"benchmark": "concurrency", "quick": arguments.quick, "conditions": facts, "results": found}, arguments.output)


def make_calls(count: int) -> list[Call]:
    """Make calls of mixed lengths: every prompt, every number of sentences, and tokens spread over their range."""
    calls = []
    for number in range(count):
        sentences = [PROMPTS[(number + offset) % len(PROMPTS)] for offset in range(1 + number % LONGEST_PROMPT)]
        tokens = SHORTEST + (LONGEST - SHORTEST) * number // max(1, count - 1)
        calls.append(Call(prompt=" ".join(sentences), params=SamplingParams(max_tokens=tokens, seed=number)))
    # Neighbours in the queue should not be neighbours in length.
    return calls[::2] + calls[1::2]


async def measure(calls: Sequence[Call], device: str, repeats: int) -> Concurrency:
    """Make the calls one after another and together, in turns, each time on a pair that has read none of the prompts."""
    alone_s, together_s, equal, stalls = [], [], [], []
    for _ in range(repeats):
        engine = await _fresh_engine(device)
        start = time.perf_counter()
        alone = [await engine.agenerate(call.prompt, call.params) for call in calls]
        alone_s.append(time.perf_counter() - start)

        engine = await _fresh_engine(device)
        start = time.perf_counter()
        together, stall = await _together(engine, calls)
        together_s.append(time.perf_counter() - start)
        equal.append(sum(_answer(one) == _answer(other) for one, other in zip(alone, together, strict=True)))
        stalls.append(stall)
    return Concurrency(
        calls=len(calls),
        tokens=sum(result.usage.completion_tokens for result in alone),
        repeats=repeats,
        one_by_one_s=median(alone_s),
        together_s=median(together_s),
        times_one_by_one=median(alone_s) / median(together_s),
        equal=min(equal),
        stall_ms=max(stalls) * 1000,
    )


async def _together(engine: Engine, calls: Sequence[Call]) -> tuple[list[GenerationResult], float]:
    """Make all calls at once; return the results, and by how many seconds the event loop was late at most."""
    ticker = asyncio.create_task(longest_stall())
    results = await asyncio.gather(*(engine.agenerate(call.prompt, call.params) for call in calls))
    ticker.cancel()
    return results, await ticker


async def _fresh_engine(device: str) -> Engine:
    """Load the embedded pair anew and run it once, so that threads and buffers are there, but nothing of the calls is known."""
    pair = ModelPair.from_pretrained(device=device, dtype="float32")
    pair.unload()
    engine = Engine(pair, max_batch_size=CALLS)
    await engine.agenerate("Good morning.", SamplingParams(max_tokens=4, seed=0))
    return engine


def _answer(result: GenerationResult) -> tuple[list[int], list[bool]]:
    """What makes two answers the same."""
    candidate = result.candidates[0]
    return candidate.token_ids, candidate.from_base


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a few calls: shows that it works, not how fast it is")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser.parse_args()


if __name__ == "__main__":
    main()
