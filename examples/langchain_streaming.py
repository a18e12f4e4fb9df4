"""LangChain: three answers side by side while they are written, each token in the colour of the model that wrote it.

`astream_events` brings the model's route events: which answer, which tokens, whose. Any chain around the model passes them on.

Run: python examples/langchain_streaming.py
"""

import asyncio
from collections import Counter
from typing import Any

from langchain_core.prompts import ChatPromptTemplate
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from baco.cli.terminal import OwnedStream, legend, needs_marks
from baco.results import Model, Span
from langchain_baco import ChatBaco
from langchain_baco.route_events import ROUTE_EVENT

PROMPT = ChatPromptTemplate.from_template("Write a two-sentence story about {theme}.")
THEME = "a lighthouse"


class Story:
    """One answer as far as it is known."""

    def __init__(self, marked: bool) -> None:
        self._stream = OwnedStream(marked=marked)
        self._text = Text()
        self._owners = Counter[Model]()

    def push(self, tokens: list[Span]) -> None:
        """Take tokens, each with its owner."""
        for text, owner in tokens:
            self._text.append_text(self._stream.push(text, owner))
            self._owners[owner] += 1

    @property
    def text(self) -> Text:
        """The text in two colours."""
        return Text.assemble(self._text, self._stream.end())

    @property
    def counts(self) -> str:
        """How many tokens, and whose."""
        return f"{self._owners.total()} tokens\n{self._owners['base']} by the base"


def side_by_side(stories: list[Story]) -> Table:
    """Lay out what is known."""
    table = Table(box=SIMPLE_HEAD, show_footer=True, expand=True, pad_edge=False, footer_style="dim")
    for number, story in enumerate(stories, start=1):
        table.add_column(f"story {number}", footer=story.counts, ratio=1, header_style="bold")
    table.add_row(*(story.text for story in stories))
    return table


async def tell(model: ChatBaco, console: Console, count: int) -> dict[str, Any]:
    """Show stories as they come; return the usage of all of them."""
    stories = [Story(needs_marks(console)) for _ in range(count)]
    chain = PROMPT | model.diverse(count)
    usage: dict[str, Any] = {}
    with Live(console=console) as live:
        async for event in chain.astream_events({"theme": THEME}, version="v2"):
            data: Any = event["data"]
            if event["event"] == "on_custom_event" and event["name"] == ROUTE_EVENT:
                stories[data["candidate"]].push(data["tokens"])
                live.update(side_by_side(stories))
            elif event["event"] == "on_chat_model_end":
                usage = data["output"].usage_metadata
    return usage


def main(count: int = 3) -> None:
    """Tell three stories at once."""
    console = Console(highlight=False)
    console.print(f"[bold]{PROMPT.format_messages(theme=THEME)[0].text}[/]", legend(marked=needs_marks(console)), "", sep="\n")
    usage = asyncio.run(tell(ChatBaco(max_tokens=60, seed=3, route_events=True), console, count))
    details = usage["output_token_details"]
    console.print(f"\n{usage['output_tokens']} tokens in all, {details['base']} of them by the base model", style="dim")


if __name__ == "__main__":
    main()
