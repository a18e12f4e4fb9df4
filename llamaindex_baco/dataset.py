"""`QuestionDataset`: questions that models wrote over passages. Knows examples and their file; knows no models.

The fields of an example, and "examples" in the file, are those of the `LabelledRagDataset` that earlier versions of LlamaIndex had, so that
what reads its files reads these.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class CreatedBy(BaseModel):
    """Who wrote something."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model_name: str = ""
    """The LLM's; of a `BacoLLM`, the pair's."""
    type: Literal["ai", "human"] = "ai"


class QuestionExample(BaseModel):
    """A question, the passage that it was written from, and perhaps an answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: str
    query_by: CreatedBy | None = None
    reference_contexts: list[str] = Field(default_factory=list)
    """What the models read: the node's text, and of its metadata what is meant for an LLM."""
    reference_answer: str = ""
    """Empty where none was asked for."""
    reference_answer_by: CreatedBy | None = None
    node_id: str
    """Of the node that the question was written from."""


class Dropped(BaseModel):
    """How many questions were written and not kept, by the reason."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    within_node: int = 0
    """Too much like one from the same node."""
    across_nodes: int = 0
    """Too much like one from a node before."""
    unfinished: int = 0
    """Cut at `max_tokens`, or empty."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.within_node + self.across_nodes + self.unfinished


class AskedNode(BaseModel):
    """What came of one node."""

    node_id: str
    examples: list[QuestionExample]
    dropped: Dropped


class QuestionDataset(BaseModel):
    """Questions over nodes, in the order of the nodes."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    examples: list[QuestionExample] = Field(default_factory=list)
    node_ids: list[str] = Field(default_factory=list)
    """Nodes that are done, those of which no question was kept included."""
    dropped: Dropped = Field(default_factory=Dropped)

    @property
    def questions(self) -> list[str]:
        """The questions alone, as LlamaIndex's `BatchEvalRunner` takes them."""
        return [example.query for example in self.examples]

    def add(self, asked: AskedNode) -> None:
        """Take what came of the next node."""
        self.examples += asked.examples
        self.node_ids.append(asked.node_id)
        for name in Dropped.model_fields:
            setattr(self.dropped, name, getattr(self.dropped, name) + getattr(asked.dropped, name))

    def save_json(self, path: str | Path) -> None:
        """Write a file; an interrupted write leaves the old one."""
        path = Path(path)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            file.write(self.model_dump_json(indent=1))
        os.replace(file.name, path)

    @classmethod
    def from_json(cls, path: str | Path) -> Self:
        """Read a file that `save_json` wrote."""
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))

    def missing(self, node_ids: Sequence[str]) -> set[str]:
        """Which nodes are not done."""
        return set(node_ids) - set(self.node_ids)
