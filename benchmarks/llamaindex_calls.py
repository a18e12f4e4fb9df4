"""LlamaIndex's calls on the embedded pair: `python benchmarks/llamaindex_calls.py [--quick] [--output FILE]`.

Measures how long async calls of `BacoLLM` hold up their event loop, whether timeouts end them, and what sixteen calls, of the LLM and of
query engines, take together and one after another; beside an LLM that one writes with `CustomLLM` and transformers' `generate`. Then asks
for 200 objects, each streamed too, over ten schemas, and checks each. Prints tables, and as its last line one JSON object.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from llama_index.core import Document, SummaryIndex
from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from baco import ModelPair
from benchmarks import schemas
from benchmarks.event_loop import FURTHER, METHODS, Stall, measure_stalls
from benchmarks.measure import Progress
from benchmarks.plain_llm import PlainLLM
from benchmarks.report import conditions, finish, new_table, open_console, progress_bar
from benchmarks.subjects import quiet_transformers
from benchmarks.together import make_prompts
from llamaindex_baco import BacoLLM

Ask = Callable[[int], Awaitable[str]]
KINDS: tuple[type[BaseModel], ...] = (
    schemas.Pet,
    schemas.Customer,
    schemas.Item,
    schemas.Order,
    schemas.Note,
    schemas.Branch,
    schemas.Visit,
    schemas.Drawing,
    schemas.Ticket,
    schemas.Measured,
)
QUERIES, OBJECTS, REPEATS, MAX_TOKENS = 16, 20, 5, 64
QUICK_QUERIES, QUICK_OBJECTS, QUICK_KINDS = 2, 1, 2
OBJECT_TOKENS = 160
PLACES = ("Velmora", "Ostrin", "Halden", "Tarn")
SUBJECTS = "lighthouse rabbit kitten robot baker sailor garden harbour painter train lantern clock farmer river tower violin".split()


@dataclass(frozen=True, kw_only=True)
class Together:
    """Calls that are gathered, beside the same one after another: medians over the repeats."""

    llm: str
    work: str
    calls: int
    repeats: int
    one_by_one_s: float
    together_s: float
    times_one_by_one: float
    equal: int | None
    """Answers that are the same both ways; None where an LLM cannot repeat one."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """Objects of one class."""

    schema: str
    asked: int
    valid: int
    streamed_valid: int
    parts: float
    """Objects that a stream shows, on average."""


def main() -> None:
    """Measure and report."""
    arguments = _arguments()
    queries, repeats = (QUICK_QUERIES, 1) if arguments.quick else (QUERIES, REPEATS)
    kinds, objects = (KINDS[:QUICK_KINDS], QUICK_OBJECTS) if arguments.quick else (KINDS, OBJECTS)
    facts = conditions("cpu") | {"pair": "embedded, float32", "work": f"answers of at most {MAX_TOKENS} tokens; {queries} queries"}
    console = open_console(facts)
    mine = BacoLLM(device="cpu", dtype="float32", max_tokens=MAX_TOKENS)
    pair = ModelPair.from_pretrained(device="cpu", dtype="float32")
    llms: dict[str, LLM] = {"BacoLLM": mine, "CustomLLM + generate": PlainLLM(pair, max_tokens=MAX_TOKENS)}
    steps = (len(llms) * len(METHODS) + len(FURTHER) + 3 * len(llms)) * repeats + len(kinds)
    with progress_bar(steps) as progress, quiet_transformers():
        stalls = [stall for name, llm in llms.items() for stall in asyncio.run(measure_stalls(name, llm, repeats, progress))]
        gathered = [one for name, llm in llms.items() for one in asyncio.run(_together(name, llm, queries, repeats, progress))]
        found = [_objects(mine, kind, objects, progress) for kind in kinds]
    _show(console, stalls, gathered, found)
    results = {"stalls": stalls, "gathered": gathered, "objects": found}
    finish({"benchmark": "llamaindex", "quick": arguments.quick, "conditions": facts, **results}, arguments.output)


def _works(llm: LLM, calls: int) -> dict[str, Ask]:
    """Ways to ask many things at once: the LLM itself, for stories and for short answers, and query engines over a passage each."""
    short = make_prompts(calls)
    passages = [f"{place} is a town by the sea. Visitors of {place} can see tower number {i}." for i, place in enumerate(PLACES)]
    engines = [SummaryIndex.from_documents([Document(text=text)]).as_query_engine(llm=llm) for text in passages]

    async def story(i: int) -> str:
        return (await llm.acomplete(f"Write a two-sentence story about a {SUBJECTS[i]}.")).text

    async def complete(i: int) -> str:
        return (await llm.acomplete(short[i])).text

    async def query(i: int) -> str:
        place = i % len(PLACES)
        return str(await engines[place].aquery(f"What can visitor {i} see in {PLACES[place]}?"))

    return {"acomplete, stories": story, "acomplete, short answers": complete, "query engine, aquery": query}


async def _together(name: str, llm: LLM, calls: int, repeats: int, progress: Progress) -> list[Together]:
    """Ask many things at once, and one after another."""
    return [await _compare(name, llm, work, ask, calls, repeats, progress) for work, ask in _works(llm, calls).items()]


async def _compare(name: str, llm: LLM, work: str, ask: Ask, calls: int, repeats: int, progress: Progress) -> Together:
    async def seeded(i: int) -> str:
        if not isinstance(llm, BacoLLM):
            return await ask(i)
        with llm.using(seed=i):
            return await ask(i)

    alone_s, together_s, equal = [], [], calls
    for _ in range(repeats):
        progress(f"{name}: {calls} of {work}")
        await _fresh(llm)
        start = time.perf_counter()
        alone = [await seeded(i) for i in range(calls)]
        alone_s.append(time.perf_counter() - start)
        await _fresh(llm)
        start = time.perf_counter()
        together = await asyncio.gather(*(seeded(i) for i in range(calls)))
        together_s.append(time.perf_counter() - start)
        equal = min(equal, sum(one == other for one, other in zip(alone, together, strict=True)))
    return Together(
        llm=name,
        work=work,
        calls=calls,
        repeats=repeats,
        one_by_one_s=median(alone_s),
        together_s=median(together_s),
        times_one_by_one=median(one / other for one, other in zip(alone_s, together_s, strict=True)),
        equal=equal if isinstance(llm, BacoLLM) else None,
    )


async def _fresh(llm: LLM) -> None:
    """Load the pair anew, so that no call finds prompts that another has read; what loads at the first call is there."""
    if isinstance(llm, BacoLLM):
        llm.unload()
    await llm.acomplete("Hello.")


def _objects(llm: BacoLLM, kind: type[BaseModel], count: int, progress: Progress) -> Objects:
    """Ask for objects of a class, whole and streamed."""
    progress(f"objects: {kind.__name__}")
    prompt, valid, streamed, parts = PromptTemplate("Make up number {i}."), 0, 0, 0
    for i in range(count):
        keywords: dict[str, Any] = {"llm_kwargs": {"seed": i, "max_tokens": OBJECT_TOKENS}, "i": i}
        valid += type(llm.structured_predict(kind, prompt, **keywords)) is kind
        shown = list(llm.stream_structured_predict(kind, prompt, **keywords))
        streamed += type(shown[-1]) is kind and any(shown)
        parts += len(shown)
    return Objects(schema=kind.__name__, asked=count, valid=valid, streamed_valid=streamed, parts=parts / count)


def _show(console: Any, stalls: Sequence[Stall], gathered: Sequence[Together], found: Sequence[Objects]) -> None:
    table = new_table(
        "Event loop", "llm", "method", "call ms", "longest stall ms", "50 ms timeout after ms", "times out", left=["llm", "method"]
    )
    for one in stalls:
        figures = [f"{value:.1f}" for value in (one.call_ms, one.longest_stall_ms, one.timed_out_ms)]
        table.add_row(one.llm, one.method, *figures, f"{one.times_out} of {one.repeats}")
    console.print(table)
    headings = ("llm", "work", "calls", "one by one s", "gathered s", "times as fast", "equal")
    table = new_table("Calls gathered", *headings, left=headings[:2])
    for each in gathered:
        figures = [f"{each.one_by_one_s:.2f}", f"{each.together_s:.2f}", f"{each.times_one_by_one:.1f}"]
        equal = "-" if each.equal is None else f"{each.equal} of {each.calls}"
        table.add_row(each.llm, each.work, str(each.calls), *figures, equal)
    console.print(table)
    table = new_table("Objects", "schema", "asked", "valid", "streamed valid", "parts shown", left=["schema"])
    for of in found:
        table.add_row(of.schema, str(of.asked), str(of.valid), str(of.streamed_valid), f"{of.parts:.1f}")
    totals = [sum(values) for values in zip(*((of.asked, of.valid, of.streamed_valid) for of in found), strict=True)]
    table.add_row("all", *map(str, totals), "")
    console.print(table)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a few calls: shows that it works, not how fast it is")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
