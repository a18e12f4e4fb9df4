"""`QuestionDataset`: questions that models wrote on passages. Knows examples and their file; knows nothing of models.

The fields of an example, and "examples" in the file, are those of the `LabelledRagDataset` of earlier LlamaIndex versions, so that whatever
reads its files reads these.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from baco.atomic import write_text


class CreatedBy(BaseModel):
    """Who wrote something."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model_name: str = ""
    """The LLM's name; for a `BacoLLM`, the pair's."""
    type: Literal["ai", "human"] = "ai"


class QuestionExample(BaseModel):
    """A question, the passage that it was written from, and perhaps an answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    query: str
    query_by: CreatedBy | None = None
    reference_contexts: list[str] = Field(default_factory=list)
    """What the models read: the node's text, and its metadata meant for LLMs."""
    reference_answer: str = ""
    """Empty where none was asked for."""
    reference_answer_by: CreatedBy | None = None
    node_id: str
    """Id of the node that the question was written from."""


class Dropped(BaseModel):
    """How many questions were written and not kept, by reason."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    within_node: int = 0
    """Too similar to one from the same node."""
    across_nodes: int = 0
    """Too similar to one from an earlier node."""
    unfinished: int = 0
    """Cut at `max_tokens`, or empty."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.within_node + self.across_nodes + self.unfinished


class QuestionDataset(BaseModel):
    """Questions over nodes, in the order of the nodes."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    examples: list[QuestionExample] = Field(default_factory=list)
    node_ids: list[str] = Field(default_factory=list)
    """Nodes that are done, including those without a kept question."""
    dropped: Dropped = Field(default_factory=Dropped)

    @property
    def questions(self) -> list[str]:
        """The questions alone, as LlamaIndex's `BatchEvalRunner` takes them."""
        return [example.query for example in self.examples]

    def add(self, other: Self) -> None:
        """Add the questions of the next nodes."""
        self.examples += other.examples
        self.node_ids += other.node_ids
        for name in Dropped.model_fields:
            setattr(self.dropped, name, getattr(self.dropped, name) + getattr(other.dropped, name))

    def save_json(self, path: str | Path) -> None:
        """Write a file, with the mode of the process's umask. An interrupted write leaves the old file.

        Raises:
            OSError: the folder is not there, or cannot be written to.
        """
        write_text(Path(path), self.model_dump_json(indent=1))

    @classmethod
    def from_json(cls, path: str | Path) -> Self:
        """Read a file that `save_json` wrote."""
        return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))

    def missing(self, node_ids: Sequence[str]) -> set[str]:
        """Which nodes are not done."""
        return set(node_ids) - set(self.node_ids)
