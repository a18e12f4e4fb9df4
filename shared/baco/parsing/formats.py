"""`ToolCallFormat`: how a family of models writes tool calls in an answer, and `ToolCallTemplate`, one that baco can write too.

Knows texts; knows no family, no tokenizers and no chat templates.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from baco.parsing.tool_call import ToolCallParser


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
    after: str = ""
    """After each call."""
    between: str
    """Between two calls."""
    closing: str = ""
    """After all calls."""

    def reader(self) -> ToolCallParser:
        """Make a parser for one answer."""
        return self.parser()

    def write(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
        """Write calls, each a name with its arguments."""
        return self.opening + self.between.join(f"{self.before}{self._call(*call)}{self.after}" for call in calls) + self.closing

    def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if self.key is None:
            return f"{name}{self.middle}{json.dumps(arguments, ensure_ascii=False)}"
        return json.dumps({"name": name, self.key: arguments}, ensure_ascii=False)

    def with_written_calls(self, message: Mapping[str, Any]) -> str:
        """Write a checked message's content, and its calls after it on lines of their own."""
        functions = [call["function"] for call in message.get("tool_calls", ())]
        written = [self.write((function["name"], function["arguments"]) for function in functions)] if functions else []
        return "\n".join([message["content"], *written] if message["content"] else written)
