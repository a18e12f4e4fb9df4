"""The demo: one pair of models, used through LangChain and through LlamaIndex, each three ways: aligned alone, base alone, and both.

Run: make demo, or python examples/demo.py
"""

from dataclasses import replace
from typing import Any

from rich.console import Console

from baco.cli.terminal import DISTINCT_MEANS, Column, legend, needs_marks, side_by_side

PROMPT = "Give me a gift idea for my {person} who loves {interest}."
DETAILS = {"person": "sister", "interest": "music"}
WAYS = {"aligned alone": "aligned", "base alone": "base", "BACo": "p-punc"}
ANSWERS = 6
MAX_TOKENS = 40


def with_langchain(title: str, router: str) -> Column:
    """Answer one prompt several times: an LCEL chain, whose `batch` is decoded as one batch."""
    from langchain_core.prompts import ChatPromptTemplate

    from langchain_baco import ChatBaco

    chain = ChatPromptTemplate.from_template(PROMPT) | ChatBaco(router=router, max_tokens=MAX_TOKENS)
    messages = chain.batch([DETAILS] * ANSWERS)
    answers = [message.response_metadata["baco"]["spans"] for message in messages]
    usages: list[Any] = [message.usage_metadata for message in messages]
    base = sum(usage["output_token_details"]["base"] for usage in usages)
    return Column(title=title, answers=answers, base_share=base / sum(usage["output_tokens"] for usage in usages))


def main() -> None:
    """Show both, and what to try next."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    console.print("[bold]baco[/]: a base model and its aligned counterpart answer together, token by token.")
    console.print("Text", legend(marked=marked), end="\n\n")

    import torch

    torch.set_num_threads(1)  # for models this small, sharing the work between cores costs more than it saves
    columns = [with_langchain(title, router) for title, router in WAYS.items()]
    prompt = PROMPT.format(**DETAILS)
    console.print(side_by_side(columns, marked=marked, title=f"ChatBaco in a LangChain chain: {prompt}"))

    from llamaindex_baco import BacoLLM
    from llamaindex_query_engine import QUESTION, ask, build_index

    index = build_index()
    columns = [
        replace(ask(index, BacoLLM(router=router, max_tokens=MAX_TOKENS), QUESTION, ANSWERS), title=title) for title, router in WAYS.items()
    ]
    console.print(side_by_side(columns, marked=marked, title=f"BacoLLM in a LlamaIndex query engine: {QUESTION}"))
    notes = (
        f"{DISTINCT_MEANS}. It says nothing of how good they are: read them.",
        "base: share of the tokens that the base model wrote.",
        "Sampled anew each time, by two tiny models that know a miniature world only.",
    )
    console.print(*notes, sep="\n", style="dim")
    console.print('\nNext: [bold].venv/bin/baco compare "Name a pet rabbit." -n 10[/], or real models: [bold]--pair qwen2.5-0.5b[/]')


if __name__ == "__main__":
    main()
