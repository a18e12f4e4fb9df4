"""LangChain: a brainstorm of twenty different ideas, each an instance of a Pydantic class, the likeliest first.

`distinct` says which two ideas are one; what is dropped is drawn again. `rank` orders what is left by what the aligned model thinks of it.

The embedded pair was trained on no JSON but calls of tools, so that the pattern of the one field keeps it to a sentence that it knows. With
a real pair the class is as one would write it (`name: str`, `sound: str`), without patterns.

Run: python examples/langchain_brainstorm.py
"""

import re
from typing import Any

from langchain_core.messages import AIMessage
from pydantic import BaseModel, Field
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from baco.terminal import legend, needs_marks, owned_text
from langchain_baco import ChatBaco

PROMPT = "Suggest a name for a pet kitten."
SENTENCE = r"^You could call your pet kitten ([A-Z][a-z]+), which is an? ([a-z]+) name\.$"


class Idea(BaseModel):
    """A name for a kitten."""

    text: str = Field(pattern=SENTENCE)

    @property
    def name(self) -> str:
        """The name itself."""
        return self._part(1)

    @property
    def sound(self) -> str:
        """What it sounds like."""
        return self._part(2)

    def _part(self, number: int) -> str:
        found = re.match(SENTENCE, self.text)
        assert found, "validated against the pattern"
        return found[number]


def same_name(one: AIMessage, other: AIMessage) -> bool:
    """Whether two answers give the kitten the same name."""
    names = [Idea.model_validate_json(answer.text).name for answer in (one, other)]
    return names[0] == names[1]


def brainstorm(model: ChatBaco, ideas: int) -> list[dict[str, Any]]:
    """Draw ideas until there are so many different ones; each with the message that it was read from."""
    several = model.diverse(ideas, distinct=same_name, rank="likelihood")
    return several.with_structured_output(Idea, include_raw=True).invoke(PROMPT)


def main(ideas: int = 20) -> None:
    """Show the ideas, by their rank."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    table = Table(title=PROMPT, box=SIMPLE_HEAD, pad_edge=False, title_style="bold", title_justify="left")
    for heading in ("", "name", "sound", "as it was written", "score"):
        table.add_column(heading, justify="right" if heading in ("", "score") else "left", header_style="bold")
    for number, found in enumerate(brainstorm(ChatBaco(max_tokens=60, seed=3), ideas), start=1):
        facts = found["raw"].response_metadata["baco"]
        spans = [(text, owner == "base") for text, owner in facts["spans"]]
        idea = found["parsed"]
        table.add_row(str(number), idea.name, idea.sound, owned_text(spans, marked=marked), f"{facts['score']:.2f}")
    console.print(table, legend(marked=marked), "[dim]score: mean log-probability of a token under the aligned model[/]", sep="\n")


if __name__ == "__main__":
    main()
