"""The command line: `baco generate`, `baco compare`, `baco pairs`.

Shows what the core returns. Answers go to standard output, everything else to standard error. Torch and transformers are imported by
the commands that need them, so that `--help` is instant.
"""

import json
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.status import Status
from rich.text import Text

from baco.cli.options import Settings, with_settings
from baco.cli.pairs_table import pair_table, pairs_table
from baco.cli.terminal import (
    DISTINCT_MEANS,
    Column,
    OwnedStream,
    answers_table,
    count_distinct,
    legend,
    needs_marks,
    owned_text,
    side_by_side,
    summary,
)
from baco.config import SamplingParams
from baco.errors import BacoError, ConfigError
from baco.models.presets import get_preset
from baco.results import GenerationResult

if TYPE_CHECKING:
    from baco.engine.engine import Engine
    from baco.routing import Router

PIPED_WIDTH = 160
"""Columns of the list of pairs where it does not go to a terminal: wide enough for a row to be one line."""

Prompt = Annotated[str, typer.Argument(help="What to ask.", show_default=False)]
PairName = Annotated[str | None, typer.Argument(help="A preset, to describe it alone.", show_default=False)]
Count = Annotated[int, typer.Option("-n", "--n", help="How many answers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document: texts, owners, counts, seed.")]
Plain = Annotated[bool, typer.Option("--plain", help="Print bare answers: no numbers, no colours, no marks.")]
Stream = Annotated[bool, typer.Option("--stream", help="Show the answer while it is written (one answer only).")]

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Varied answers that stay good: a base model and its aligned counterpart write together, token by token."""


@app.command()
@with_settings
def generate(
    prompt: Prompt, *, n: Count = 1, as_json: AsJson = False, plain: Plain = False, stream: Stream = False, settings: Settings
) -> None:
    """Answer a prompt, with each token written by the model that the router picks."""
    if stream and (n > 1 or as_json or plain):
        raise ConfigError("--stream shows one answer while it is written, so it goes with neither -n above 1, nor --json, nor --plain")
    params, router = settings.params(n, settings.seed), settings.make_router()
    engine, router = _load(settings, router)
    messages, template = settings.messages(prompt), settings.template()
    if stream:
        result = _stream(engine, messages, params, router, template)
    else:
        with _working(f"writing {n} answers"):
            result = engine.generate(messages, params, router, **template)
    if as_json:
        typer.echo(_document({"prompt": prompt, "pair": engine.pair.name} | _described(result)))
        return
    if not stream:
        _show(result, plain=plain)
    _report(engine.pair.name, result, params, plain=plain)


@app.command()
@with_settings
def compare(prompt: Prompt, *, n: Count = 6, as_json: AsJson = False, settings: Settings) -> None:
    """Answer a prompt with the aligned model alone, the base model alone, and both together, side by side."""
    from baco.routing import Router

    seed = secrets.randbits(31) if settings.seed is None else settings.seed
    params, router = settings.params(n, seed), settings.make_router()
    engine, router = _load(settings, router)
    template = settings.template()
    methods = {"aligned": Router("aligned"), "base": Router("base"), "baco": router}
    with _working(f"writing {len(methods)} times {n} answers"):
        results = {method: engine.generate(settings.messages(prompt), params, chosen, **template) for method, chosen in methods.items()}
    if as_json:
        typer.echo(
            _document({"prompt": prompt, "pair": engine.pair.name} | {method: _described(result) for method, result in results.items()})
        )
        return
    titles = {"aligned": "aligned alone", "base": "base alone", "baco": f"BACo, {_router_name(results['baco'])}"}
    console = Console(highlight=False)
    marked = needs_marks(console)
    columns = [Column.from_result(titles[method], result) for method, result in results.items()]
    caption = f"pair {engine.pair.name} · {_sampling(results['baco'])} · seed {seed} · {DISTINCT_MEANS}"
    console.print(side_by_side(columns, marked=marked, title=prompt, caption=caption))
    console.print(legend(marked=marked))
    for method, result in results.items():
        _warn_of_cuts(result, params, titles[method])


@app.command()
def pairs(name: PairName = None) -> None:
    """List the pairs that can be loaded by name, with the memory that each takes and whether this machine has it, or describe one."""
    preset = None if name is None else get_preset(name)
    # Only torch knows the device on which models will run.
    from baco.models.machine import model_memory

    device, memory = model_memory()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    console.print(pairs_table(device.type, memory) if preset is None else pair_table(preset, device.type, memory))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; one of baco's own errors is printed as one line, with exit status 2.

    `arguments` are without the program's name; None takes those of the process.
    """
    try:
        app(args=arguments)
    except BacoError as error:
        line = " ".join(str(error).split())
        Console(stderr=True, highlight=False).print(Text(f"baco: {line}", style="red"), soft_wrap=True)
        raise SystemExit(2) from None


def _load(settings: Settings, router: "Router") -> tuple["Engine", "Router"]:
    """Load the pair, and turn a diversity into a threshold, which may take a measurement with a progress bar of its own."""
    template = settings.template()
    with _working("loading the pair"):
        engine = settings.make_engine()
    return engine, engine.resolve(router, **template)


def _working(what: str) -> Status:
    return Console(stderr=True).status(what)


def _stream(
    engine: "Engine", messages: list[dict[str, str]], params: SamplingParams, router: "Router", template: dict[str, Any]
) -> GenerationResult:
    """Write the answer as it is decoded, and return the result."""
    console = Console(highlight=False)
    owned = OwnedStream(marked=needs_marks(console))
    for event in engine.stream(messages, params, router, **template):
        for token in event.tokens:
            console.print(owned.push(token.text, token.owner), end="", soft_wrap=True)
        console.file.flush()
        if event.result is not None:
            result = event.result
    console.print(owned.end())
    return result


def _show(result: GenerationResult, *, plain: bool) -> None:
    """Write the answers: a table on a terminal, else a line or paragraph each."""
    console = Console(highlight=False)
    if console.is_terminal and not plain:
        console.print(answers_table(result, marked=needs_marks(console)))
        return
    texts = [owned_text(candidate.spans(), marked=not plain) for candidate in result.candidates]
    # Answers of several lines need a gap between them, or nobody could tell where one ends.
    gap = "\n\n" if any("\n" in text.plain for text in texts) else "\n"
    typer.echo(gap.join(text.plain for text in texts))


def _report(pair: str, result: GenerationResult, params: SamplingParams, *, plain: bool) -> None:
    """Write pair, router, seed and counts to standard error."""
    console = Console(stderr=True, highlight=False)
    if not plain:
        console.print(legend(marked=needs_marks(Console())))
    column = Column.from_result("", result)
    console.print(
        f"{summary(column)} · pair {pair} · {_router_name(result)} · {_sampling(result)} · seed {result.seed}", style="dim", soft_wrap=True
    )
    _warn_of_cuts(result, params, "")


def _warn_of_cuts(result: GenerationResult, params: SamplingParams, who: str) -> None:
    cut = sum(candidate.finish_reason == "length" for candidate in result.candidates)
    if cut:
        text = f"{who + ': ' if who else ''}{cut} of {params.n} answers cut short; --max-tokens is {params.max_tokens}"
        Console(stderr=True, highlight=False).print(text, style="yellow", soft_wrap=True)


def _described(result: GenerationResult) -> dict[str, Any]:
    """A result as JSON."""
    return {
        "router": result.router,
        "threshold": result.threshold,
        "seed": result.seed,
        "sampling": result.sampling.as_dict(),
        "distinct": count_distinct(candidate.text for candidate in result.candidates),
        "answers": [
            {
                "text": candidate.text,
                "finish_reason": candidate.finish_reason,
                "base_share": round(candidate.base_share, 4),
                "spans": candidate.spans(),
            }
            for candidate in result.candidates
        ],
        "usage": result.usage.as_dict(),
        "passes": result.passes.as_dict(),
    }


def _document(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2)


def _router_name(result: GenerationResult) -> str:
    return result.router if result.threshold is None else f"{result.router} {result.threshold:.2f}"


def _sampling(result: GenerationResult) -> str:
    """The settings in force, without those that are off."""
    used = result.sampling
    parts = [f"temperature {used.temperature:g}"]
    parts += [f"top-p {used.top_p:g}"] if used.top_p < 1 else []
    parts += [f"top-k {used.top_k}"] if used.top_k else []
    return ", ".join(parts)
