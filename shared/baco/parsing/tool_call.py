"""Tool-call parsers: content and calls told apart in an answer as its text arrives.

The result depends on the whole text and not on how it is cut into pieces; text that may still become a call is held back. White space
beside a call belongs to neither, and content after a call starts a new line. Knows texts; knows no family's format.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
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
    """Text that stands where a call should, and that cannot be parsed as one."""

    text: str
    """The whole text, with the marker that announces a call: with it, the text cannot be taken for JSON."""
    error: str


Calls = list[ToolCall | InvalidToolCall]
Schemas = Mapping[str, Mapping[str, Any]]
"""The schemas of tools' arguments, by the tools' names."""


@dataclass(frozen=True, slots=True)
class Found:
    """A span of a text that is no content: calls with the markers around them, or markers alone."""

    start: int
    end: int
    calls: Calls = field(default_factory=Calls)


class ToolCallParser(ABC):
    """Splits one answer into content and calls."""

    def __init__(self, schemas: Schemas | None = None) -> None:
        """`schemas` say which arguments are texts, for formats that write a text and a number alike."""
        self._schemas = schemas or {}
        self._has_content = False
        self._follows_call = False

    @abstractmethod
    def push(self, text: str, final: bool = False) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain.

        `final`: the answer ends here, and all of it is. A call that is cut off is invalid, unless only its closing marker is missing.
        """

    def _content(self, text: str) -> str:
        """Note that this text is content; return it, on a new line if it follows a call."""
        if self._follows_call:
            text = text.lstrip()
            text = "\n" + text if text and self._has_content else text
        if text:
            self._has_content, self._follows_call = True, False
        return text


class SearchingParser(ToolCallParser):
    """Searches the text that has arrived for calls; a family says how one looks (`_find`)."""

    def __init__(self, schemas: Schemas | None = None) -> None:
        super().__init__(schemas)
        self._pending = ""
        """Text that has arrived and may still become a call."""

    def push(self, text: str, final: bool = False) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain."""
        self._pending += text
        content, calls = "", Calls()
        while not isinstance(found := self._find(self._pending, final), int):
            content += self._content(self._pending[: found.start].rstrip())
            calls += found.calls
            self._pending, self._follows_call = self._pending[found.end :], True
        content += self._content(self._pending[:found])
        self._pending = self._pending[found:]
        return content, calls

    @abstractmethod
    def _find(self, text: str, final: bool) -> Found | int:
        """Find the next call in `text`, which begins where the last call or the certain content ended; `final`: the answer ends here.

        Returns:
            The call, or the number of characters that are content whatever follows.
        """


class MarkedParser(SearchingParser):
    """Searches for markers that open a call, and drops those that close one."""

    openings: ClassVar[tuple[str, ...]]
    """Markers with which a call begins, the outermost first."""
    closings: ClassVar[tuple[str, ...]] = ()
    """Markers that say nothing more once a call has been read."""
    syntax: ClassVar[str] = "JSON"
    """What calls are written in, for errors."""

    def _find(self, text: str, final: bool) -> Found | int:
        closing = self._find_closing(text, final) if self._follows_call else None
        if closing is not None:
            return closing
        starts = [start for marker in self.openings if (start := text.find(marker)) >= 0]
        if not starts:
            return len(text) if final else min(length_before_marker(text, marker) for marker in self.openings)
        start = min(starts)
        found = self._call_at(text, start, final)
        if found is not None:
            return found
        if not final:
            return len(text[:start].rstrip())
        # What cannot be parsed ends where the next call begins.
        end = min((place for marker in self.openings if (place := text.find(marker, self._body(text, start))) >= 0), default=len(text))
        return Found(start, end, [InvalidToolCall(text=text[start:end].rstrip(), error=f"no call in {self.syntax}")])

    @abstractmethod
    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        """The call that the marker at `start` opens; None if it is not whole, or none at all."""

    def _find_closing(self, text: str, final: bool) -> Found | int | None:
        """The closing marker that follows a call; 0 where more text may become one, None where there is none."""
        start = skip_space(text, 0)
        marker = next((marker for marker in self.closings if text.startswith(marker, start)), None)
        if marker is not None:
            return Found(0, start + len(marker))
        may_become_one = not final and any(marker.startswith(text[start:]) for marker in self.closings)
        return 0 if may_become_one else None

    def _body(self, text: str, start: int) -> int:
        """The first position behind the opening markers at `start`, and white space."""
        body = start
        for marker in self.openings:
            if text.startswith(marker, body):
                body = skip_space(text, body + len(marker))
        return body


_JSON = json.JSONDecoder(strict=False)  # small models write line breaks into strings


def decode_object(text: str, start: int) -> tuple[dict[str, Any], int] | None:
    """Decode the JSON object that begins at `start`; return it and where it ends, None where no whole object begins."""
    if text[start : start + 1] != "{":
        return None
    try:
        value, end = _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return value, end


def read_call(text: str, body: str) -> ToolCall | InvalidToolCall:
    """Read a call from its JSON. `text`: the same with its markers, which an error keeps."""
    try:
        call = _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        return InvalidToolCall(text=text, error=f"no JSON: {error}")
    return as_call(text, call)


def as_call(text: str, call: object, name_key: str = "name") -> ToolCall | InvalidToolCall:
    """Read a call from decoded JSON: an object with "name", and with "arguments" or "parameters"."""
    name, arguments = (call.get(name_key), call.get("arguments", call.get("parameters"))) if isinstance(call, dict) else (None, None)
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return InvalidToolCall(text=text, error=f'a call must be {{"{name_key}": a text, "arguments" or "parameters": an object}}')
    return ToolCall(name=name, arguments=arguments)


def length_before_marker(text: str, marker: str) -> int:
    """Length of the content in a text that holds no marker, but may end with the beginning of one.

    White space before that beginning is no content yet.
    """
    begun = next(length for length in range(len(marker) - 1, -1, -1) if text.endswith(marker[:length]))
    return len(text[: len(text) - begun].rstrip())


def skip_space(text: str, start: int, separators: Collection[str] = "") -> int:
    """The first position from `start` on that is neither white space nor a separator."""
    while start < len(text) and (text[start].isspace() or text[start] in separators):
        start += 1
    return start
