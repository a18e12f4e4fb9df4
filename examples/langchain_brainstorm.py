"""LangChain: a brainstorm of twenty different ideas, each an instance of a Pydantic class, the likeliest first.

`distinct` says which two ideas are one; what is dropped is drawn again. `rank` orders what is left by what the aligned model thinks of it.

The embedded pair was trained on no JSON but calls of tools, so that its ideas are read out of sentences that it knows how to write. With a
real pair it is `model.diverse(20, …).with_structured_output(Idea)`.

Run: python examples/langchain_brainstorm.py
"""

import re

from langchain_core.messages import AIMessage
from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from baco.cli.terminal import legend, needs_marks, owned_text
from langchain_baco import ChatBaco

PROMPT = "Suggest a name for a pet kitten."
SENTENCE = re.compile(r"You could call your pet kitten (?P<name>[A-Z][a-z]+), which is an? (?P<sound>[a-z]+) name\.")


class Idea(BaseModel):
    """A name for a kitten."""

    name: str
    sound: str

    @classmethod
    def read(cls, answer: AIMessage) -> "Idea | None":
        """Read an answer; None where it is no such sentence."""
        found = SENTENCE.fullmatch(answer.text)
        return None if found is None else cls(**found.groupdict())


def is_same(one: AIMessage, other: AIMessage) -> bool:
    """Whether two answers give the kitten the same name, or have none to give."""
    ideas = Idea.read(one), Idea.read(other)
    return ideas[0] is None or ideas[1] is None or ideas[0].name == ideas[1].name


def brainstorm(model: ChatBaco, ideas: int) -> list[tuple[Idea, AIMessage]]:
    """Draw answers until there are so many different ideas; each with the message that it was read from."""
    answers = model.diverse(ideas, distinct=is_same, rank="likelihood").invoke(PROMPT)
    return [(idea, answer) for answer in answers if (idea := Idea.read(answer)) is not None]


def main(ideas: int = 20) -> None:
    """Show the ideas, by their rank."""
    console = Console(highlight=False)
    marked = needs_marks(console)
    table = Table(title=PROMPT, box=SIMPLE_HEAD, pad_edge=False, title_style="bold", title_justify="left")
    for heading in ("", "name", "sound", "as it was written", "score"):
        table.add_column(heading, justify="right" if heading in ("", "score") else "left", header_style="bold")
    for number, (idea, answer) in enumerate(brainstorm(ChatBaco(max_tokens=40, seed=3), ideas), start=1):
        metadata = answer.response_metadata["baco"]
        written = owned_text(metadata["spans"], marked=marked)
        table.add_row(str(number), idea.name, idea.sound, written, f"{metadata['score']:.2f}")
    console.print(table, legend(marked=marked), "[dim]score: mean log-probability of a token under the aligned model[/]", sep="\n")


if __name__ == "__main__":
    main()
