"""Calls read out of an answer as its text arrives.

However a text is cut into pieces makes no difference: what is read depends on the whole of it, and text that may yet become a call is held
back. White space beside a call belongs to neither, and content behind a call starts a new line. Knows texts; knows no form of calls.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


def new_call_id() -> str:
    """An id for a call that the model gave none, in OpenAI's form."""
    return f"call_{uuid4().hex}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A call that a model wrote."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class InvalidToolCall:
    """Something in the place of a call that is none."""

    text: str
    """All that was written, with the marker that announces a call, so that it can be told from JSON."""
    error: str


Calls = list[ToolCall | InvalidToolCall]


@dataclass(frozen=True, slots=True)
class Found:
    """Calls at a place in a text, with all that is written around them; none where it is only such a thing."""

    start: int
    end: int
    calls: Calls = field(default_factory=Calls)


class ToolCallParser(ABC):
    """Parts one answer into content and calls."""

    def __init__(self) -> None:
        self._has_content = False
        self._follows_call = False

    @abstractmethod
    def push(self, text: str) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain."""

    @abstractmethod
    def finish(self) -> tuple[str, Calls]:
        """End the answer; return what was held. A call that was cut off is a broken one, unless only what closes it is missing."""

    def _content(self, text: str) -> str:
        """Content, on a line of its own behind a call."""
        if self._follows_call:
            text = text.lstrip()
            text = "\n" + text if text and self._has_content else text
        if text:
            self._has_content, self._follows_call = True, False
        return text


class SearchingParser(ToolCallParser):
    """Looks for calls in the text that is held."""

    def __init__(self) -> None:
        super().__init__()
        self._held = ""

    def push(self, text: str) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain."""
        self._held += text
        return self._read(final=False)

    def finish(self) -> tuple[str, Calls]:
        """End the answer; return what was held."""
        return self._read(final=True)

    def _read(self, final: bool) -> tuple[str, Calls]:
        content, calls = "", Calls()
        while not isinstance(found := self._find(self._held, final), int):
            content += self._content(self._held[: found.start].rstrip())
            calls += found.calls
            self._held, self._follows_call = self._held[found.end :], True
        content += self._content(self._held[:found])
        self._held = self._held[found:]
        return content, calls

    @abstractmethod
    def _find(self, text: str, final: bool) -> Found | int:
        """Find the next call, or say how much of the text is content, whatever follows it. `final`: whether nothing follows."""
