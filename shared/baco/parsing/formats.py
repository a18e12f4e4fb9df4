"""`ToolCallFormat`: how a family of models writes tool calls in an answer, and `ToolCallTemplate`, one that baco can write too.

Knows texts; knows no family, no tokenizers and no chat templates.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.tool_call import Schemas, ToolCallParser
from baco.parsing.tools import Tool

INDEX = "{index}"
"""What stands for a call's number, from 0 on, in the pieces of a template."""


class ToolCallFormat(ABC):
    """How calls are read out of an answer."""

    name: str
    control_tokens: tuple[str, ...]
    """Markers of calls that are control tokens in some vocabularies; the text of an answer keeps them, so that calls can be parsed."""

    @abstractmethod
    def reader(self) -> ToolCallParser:
        """Make a parser for one answer."""


@dataclass(frozen=True, kw_only=True)
class ToolCallTemplate(ToolCallFormat):
    """A format known piece by piece: calls can be written in it, and a grammar can force them."""

    name: str
    parser: type[ToolCallParser]
    control_tokens: tuple[str, ...]
    opening: str = ""
    """Before all calls."""
    before: str = ""
    """Before each call."""
    key: str | None
    """The field that has the arguments, in an object beside "name"; None where the name stands before the arguments."""
    middle: str = ""
    """Between name and arguments, where they are not in one object."""
    arguments: ArgumentMarkers | None = None
    """How arguments are written, where they are no JSON object."""
    after: str = ""
    """After each call."""
    between: str
    """Between two calls."""
    closing: str = ""
    """After all calls."""
    ends_answer: bool = False
    """Whether an answer ends with its first call."""
    schemas: Schemas = field(default_factory=dict, repr=False, compare=False)
    """The schemas of the tools that may be called; see `for_tools`."""

    def for_tools(self, tools: Sequence[Tool]) -> "ToolCallTemplate":
        """The same format, for answers that may call these tools: where texts have no quotation marks, schemas tell them from numbers."""
        if self.arguments is None:
            return self
        return replace(self, schemas={tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in tools})

    def reader(self) -> ToolCallParser:
        """Make a parser for one answer."""
        return self.parser(self.schemas)

    def write(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
        """Write calls, each a name with its arguments."""
        return self.opening + self.between.join(self.numbered(index)._call(*call) for index, call in enumerate(calls)) + self.closing

    def numbered(self, index: int) -> "ToolCallTemplate":
        """The format of the call with this number."""
        before, middle = (piece.replace(INDEX, str(index)) for piece in (self.before, self.middle))
        return self if (before, middle) == (self.before, self.middle) else replace(self, before=before, middle=middle)

    def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if self.key is not None:
            written = json.dumps({"name": name, self.key: arguments}, ensure_ascii=False)
        elif self.arguments is None:
            written = f"{name}{self.middle}{json.dumps(arguments, ensure_ascii=False)}"
        else:
            written = f"{name}{self.middle}{self.arguments.write(arguments)}"
        return f"{self.before}{written}{self.after}"

    def with_written_calls(self, message: Mapping[str, Any]) -> str:
        """Write a checked message's content, and its calls after it on lines of their own."""
        functions = [call["function"] for call in message.get("tool_calls", ())]
        written = [self.write((function["name"], function["arguments"]) for function in functions)] if functions else []
        return "\n".join([message["content"], *written] if message["content"] else written)
