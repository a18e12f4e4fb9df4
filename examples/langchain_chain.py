"""LangChain: a chain with ChatBaco in it, its batch, and how varied the aligned model alone and the two together are.

Run: python examples/langchain_chain.py
"""

from typing import Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from rich.console import Console

from baco.cli.terminal import Column, legend, needs_marks, side_by_side
from langchain_baco import ChatBaco

PROMPT = ChatPromptTemplate.from_messages([("human", "Write a two-sentence story about {theme}.")])
THEMES = ("a lighthouse", "a fox", "a clockmaker")
ROUTERS = ("aligned", "p-punc")


def tell_stories(model: ChatBaco, console: Console) -> None:
    """Run a chain on several inputs, which the model decodes as one batch."""
    chain = PROMPT | model | StrOutputParser()
    for theme, story in zip(THEMES, chain.batch([{"theme": theme} for theme in THEMES]), strict=True):
        console.print(f"[bold]{theme}:[/] {story}")


def compare(model: ChatBaco, router: str, times: int) -> Column:
    """Ask a chain the same thing several times with a router of the call's own; the message says who wrote what."""
    chain = PROMPT | model.bind(router=router)
    answers = chain.batch([{"theme": THEMES[0]}] * times)
    usages: list[Any] = [answer.usage_metadata for answer in answers]
    base = sum(usage["output_token_details"]["base"] for usage in usages)
    return Column(
        title=router,
        answers=[answer.response_metadata["baco"]["spans"] for answer in answers],
        base_share=base / sum(usage["output_tokens"] for usage in usages),
    )


def main(times: int = 6) -> None:
    """Tell stories in a chain, then the same story several times: by the aligned model alone, and by both."""
    console = Console()
    model = ChatBaco(max_tokens=48)  # the embedded pair; or ChatBaco(model="qwen2.5-0.5b", diversity=0.3)
    tell_stories(model, console)
    marked = needs_marks(console)
    columns = [compare(model, router, times) for router in ROUTERS]
    console.print("", side_by_side(columns, marked=marked, title=f"{times} stories about {THEMES[0]}"), legend(marked=marked), sep="\n")


if __name__ == "__main__":
    main()
