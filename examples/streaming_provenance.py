"""An answer while it is written, each token in the colour of the model that wrote it, and what it cost.

Run: python examples/streaming_provenance.py
"""

from rich.console import Console

from baco import Engine, ModelPair, Router, SamplingParams
from baco.cli.terminal import OwnedStream, legend, needs_marks

PROMPT = "Write a two-sentence story about a lighthouse."


def main() -> None:
    """Stream one answer."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    console.print(f"[bold]{PROMPT}[/]", legend(marked=marked), "", sep="\n")
    engine = Engine(ModelPair.from_pretrained())
    answer = OwnedStream(marked=marked)
    for event in engine.stream(PROMPT, SamplingParams(max_tokens=60, seed=3), Router("p-punc", threshold=0.4)):
        for token in event.tokens:
            console.print(answer.push(token.text, token.owner), end="", soft_wrap=True)
        if event.result is not None:
            usage, passes = event.result.usage, event.result.passes
    console.print(answer.end())
    console.print(
        f"\n{usage.completion_tokens} tokens, {usage.base_tokens} of them by the base model; "
        f"{passes.base} passes of the base model, {passes.aligned} of the aligned",
        style="dim",
    )


if __name__ == "__main__":
    main()
