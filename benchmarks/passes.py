"""Forward passes per token of every router on the embedded pair: `python benchmarks/passes.py [--quick] [--output FILE]`.

Passes are counted, not timed: the figures are the same on every machine, up to rounding. Two models in lockstep need 2 a token; one
model alone 1. Prints a table, and as its last line one JSON object.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from baco import Engine, ModelPair, Router, SamplingParams
from baco.results import GenerationResult, Model
from baco.routing.calibration import PROMPTS
from baco.routing.registry import KINDS
from benchmarks.report import conditions, finish, new_table, number, open_console, progress_bar
from benchmarks.subjects import quiet_transformers

PROBABILITIES = (0.1, 0.3, 0.4, 0.6, 0.9)
NATS = (0.5, 1.0, 1.5, 2.5)


@dataclass(frozen=True, kw_only=True)
class RouterPasses:
    """Figures of one router over all prompts."""

    router: str
    threshold: float | None
    probe: Model
    tokens: int
    """Of all answers."""
    passes_per_token: float
    """Passes of both models, the prefill among them, over the tokens of each prompt's longest answer."""
    base_passes: int
    aligned_passes: int
    proposed: int
    accepted: int
    acceptance: float | None
    """Accepted over proposed tokens; None where none was proposed."""
    base_share: float


def main() -> None:
    """Count for every router and report it."""
    arguments = _arguments()
    prompts = list(PROMPTS[:2] if arguments.quick else PROMPTS)
    routers = [Router(name) for name in KINDS if name != "judge"] if arguments.quick else list(all_routers())
    params = SamplingParams(n=arguments.rows, max_tokens=12 if arguments.quick else 40, seed=0)
    facts = conditions(arguments.device) | {
        "pair": "embedded, float32",
        "work": f"{len(prompts)} prompts, one after another, {params.n} answers each of at most {params.max_tokens} tokens, temperature 1",
    }
    console = open_console(facts)
    with progress_bar(len(routers)) as progress, quiet_transformers():
        engine = Engine(ModelPair.from_pretrained(device=arguments.device, dtype="float32"))
        results = []
        for router in routers:
            progress(_title(router))
            # One after another: beside others, a request takes part in passes that it alone would not need.
            results.append(summarise(router, [engine.generate(prompt, params, router) for prompt in prompts]))
    table = new_table("passes per token", "router", "threshold", "probe", "passes/token", "kept", "base", left=["router", "probe"])
    for found in results:
        cells = [number(found.threshold, "g"), found.probe, f"{found.passes_per_token:.2f}", number(found.acceptance, ".0%")]
        table.add_row(found.router, *cells, f"{found.base_share:.0%}")
    console.print(table)
    finish({"benchmark": "passes", "quick": arguments.quick, "conditions": facts, "results": results}, arguments.output)


def all_routers() -> Iterator[Router]:
    """Every router but the judge, at several thresholds where it has one; the default one with both probes."""
    for name, kind in KINDS.items():
        if name == "judge":
            continue
        if kind.threshold_range is None:
            yield Router(name)
            continue
        for threshold in PROBABILITIES if kind.threshold_range[1] <= 1 else NATS:
            yield Router(name, threshold=threshold)
    yield Router(probe="aligned")


def summarise(router: Router, results: Sequence[GenerationResult]) -> RouterPasses:
    """Add up what the answers to all prompts cost."""
    base, aligned = sum(result.passes.base for result in results), sum(result.passes.aligned for result in results)
    proposed, accepted = sum(result.passes.proposed for result in results), sum(result.passes.accepted for result in results)
    tokens = sum(result.usage.completion_tokens for result in results)
    longest = sum(max(len(candidate.tokens) for candidate in result.candidates) for result in results)
    return RouterPasses(
        router=router.name,
        threshold=router.threshold,
        probe=router.probe,
        tokens=tokens,
        passes_per_token=(base + aligned) / longest,
        base_passes=base,
        aligned_passes=aligned,
        proposed=proposed,
        accepted=accepted,
        acceptance=accepted / proposed if proposed else None,
        base_share=sum(result.usage.base_tokens for result in results) / tokens,
    )


def _title(router: Router) -> str:
    return router.name if router.threshold is None else f"{router.name} at {router.threshold:g}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="two prompts and one threshold a router: shows that it works")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--rows", type=int, default=2, metavar="N", help="answers to each prompt, written together (default: 2)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
