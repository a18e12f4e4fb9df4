"""`AnswerFormat`: how an answer writes its parts, reasoning, content and tool calls, so that they can be parsed.

Knows the parsers of the parts; knows no results and no framework.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from baco.parsing.formats import ToolCallFormat
from baco.parsing.reasoning import ReasoningFormat
from baco.parsing.tool_call import Calls


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A part of an answer, or all of it."""

    reasoning: str = ""
    content: str = ""
    calls: Calls = field(default_factory=Calls)


def readable(content: str, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """What an answer says, in a form that can be compared: its content, and behind it its calls, each a name with its arguments."""
    return "\n".join([content, *(json.dumps([*call], sort_keys=True, ensure_ascii=False, default=str) for call in calls)])


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerFormat:
    """How an answer writes what is not content; None where it has no such part, so that all of its text is content."""

    reasoning: ReasoningFormat | None = None
    tool_calls: ToolCallFormat | None = None

    def read(self, text: str) -> ParsedAnswer:
        """Parse a whole answer."""
        return self.reader().push(text, final=True)

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """Markers of its parts that are control tokens in some vocabularies; the text of an answer keeps them."""
        parts = (self.reasoning, self.tool_calls)
        return tuple(dict.fromkeys(token for part in parts if part is not None for token in part.control_tokens))

    def calls_tools(self, text: str) -> bool:
        """Whether a whole answer calls tools, or tries to."""
        return self.tool_calls is not None and bool(self.read(text).calls)

    def reader(self) -> "AnswerParser":
        """Make a parser for one streamed answer."""
        return AnswerParser(self)


PLAIN = AnswerFormat()
"""All of it is content."""


class AnswerParser:
    """Parses one answer as its text arrives. Joined, the parts are those of the whole answer, however its text is cut.

    Where there may be calls, text that may become one is held back, and a call is returned as a whole.
    """

    def __init__(self, form: AnswerFormat) -> None:
        self._reasoning = None if form.reasoning is None else form.reasoning.reader()
        self._calls = None if form.tool_calls is None else form.tool_calls.reader()

    def push(self, text: str, final: bool) -> ParsedAnswer:
        """Take more text; return what is now certain. `final`: the answer ends here, and all of it is."""
        reasoning, calls = "", Calls()
        if self._reasoning is not None:
            reasoning, text = self._reasoning.push(text, final)
        if self._calls is not None:
            text, calls = self._calls.push(text, final)
        return ParsedAnswer(reasoning, text, calls)
