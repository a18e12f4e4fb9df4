"""LlamaIndex: objects out of passages, shown as they grow, and several different objects from one prompt.

Every object is valid by construction. What stands in it is as good as the pair: the embedded one is right about every other time here.

Run: python examples/llamaindex_extraction.py [--pair qwen2.5-0.5b]
"""

import argparse
from typing import Literal

from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, Field
from rich.console import Console
from rich.live import Live
from rich.table import Table

from llamaindex_baco import BacoLLM
from llamaindex_query_engine import TEXTS

PROMPT = PromptTemplate("{passage}\n\n{question}")
QUESTIONS = (
    "Who is the mayor of Velmora?",
    "Which river runs through Ostrin?",
    "What does a ticket for the Halden Museum cost?",
    "What does the brindle eat?",
)
KITTEN = "Suggest a name for a pet kitten."
SEVERAL = 6


class Answer(BaseModel):
    """What a passage says on a question."""

    answer: str = Field(pattern=r"^[A-Z][A-Za-z0-9, ]{0,60}\.$")


class Name(BaseModel):
    """A name, and how it sounds."""

    name: str = Field(pattern="^[A-Z][a-z]{2,9}$")
    sound: Literal["proud", "funny", "clever", "lucky"]


def table_of(found: dict[str, BaseModel]) -> Table:
    """Lay out what is known of each answer."""
    table = Table("question", "answer")
    for question, answer in found.items():
        table.add_row(question, answer.model_dump()["answer"] or "")
    return table


def extract(llm: BacoLLM, console: Console) -> None:
    """Stream an answer out of each passage."""
    found: dict[str, BaseModel] = {}
    with Live(table_of(found), console=console) as live:
        for passage, question in zip(TEXTS, QUESTIONS, strict=True):
            for answer in llm.stream_structured_predict(Answer, PROMPT, passage=passage, question=question):
                found[question] = answer
                live.update(table_of(found))


def several(llm: BacoLLM) -> list[Name]:
    """Draw several objects as one batch."""
    schema = {"type": "json_schema", "json_schema": {"schema": Name.model_json_schema()}}
    return [Name.model_validate_json(one.message.content or "") for one in llm.sample(KITTEN, SEVERAL, response_format=schema)]


def main(pair: str | None = None) -> None:
    """Extract with the aligned model alone, then vary with both."""
    console = Console(highlight=False)
    extract(BacoLLM(model=pair, max_tokens=80, router="aligned", temperature=0), console)
    console.print(f"\n{KITTEN} {SEVERAL} objects of one call:")
    for number, name in enumerate(several(BacoLLM(model=pair, max_tokens=80, seed=2)), 1):
        console.print(f"  {number}  {name.name:<12}{name.sound}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pair", metavar="NAME", help="a preset (`baco pairs` lists them), or base|aligned")
    main(parser.parse_args().pair)
