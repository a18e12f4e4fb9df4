"""Six answers to one prompt, each coloured by who wrote what.

Run: python examples/quickstart.py
"""

from rich.console import Console

from baco import Engine, ModelPair, Router, SamplingParams
from baco.cli.terminal import answers_table, legend, needs_marks


def main() -> None:
    """Load the embedded pair and ask it once."""
    engine = Engine(ModelPair.from_pretrained())  # a real pair: from_pretrained("qwen2.5-0.5b"), or base="…", aligned="…"
    params = SamplingParams(n=6, max_tokens=40, seed=7)
    result = engine.generate("Give me a gift idea for my sister who loves music.", params, Router("p-punc", threshold=0.4))
    console = Console()
    marked = needs_marks(console)
    console.print(answers_table(result, marked=marked), legend(marked=marked), sep="\n\n")


if __name__ == "__main__":
    main()
