"""`MarkedJsonParser`: calls behind a marker, in a list, one by one, or with their names before the arguments; mostly in JSON.

Knows texts; knows no family.
"""

import re
from typing import Any, ClassVar

from baco.parsing.tool_call import Found, InvalidToolCall, MarkedParser, Schemas, ToolCall, as_call, decode_object, skip_space


class MarkedJsonParser(MarkedParser):
    """Parses `MARKER [{…}, {…}]`, `MARKER {…}`, and `MARKER name {…}` where a family has names before arguments."""

    head: ClassVar[re.Pattern[str] | None] = None
    """From behind the opening markers to the arguments; its group is the name. None where the name is inside of the JSON."""

    def __init__(self, schemas: Schemas | None = None) -> None:
        super().__init__(schemas)
        self._in_list = False

    def _as_call(self, text: str, value: dict[str, Any]) -> ToolCall | InvalidToolCall:
        """Read a call that is one object. `text`: the same with its marker, which an error keeps."""
        return as_call(text, value)

    def _call(self, text: str, start: int, marked: str) -> tuple[ToolCall | InvalidToolCall, int] | None:
        """Read the call that begins at `start`; return it and where it ends, None where no whole one begins.

        `marked`: what of the text, or in its place, an error shows before the call.
        """
        found = decode_object(text, start)
        return None if found is None else (self._as_call(marked + text[start : found[1]], found[0]), found[1])

    def _find(self, text: str, final: bool) -> Found | int:
        return self._next_of_list(text, final) if self._in_list else super()._find(text, final)

    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        body = self._body(text, start)
        if text.startswith("[", body):
            self._in_list = True
            return Found(start, body + 1)
        named = None if self.head is None or text.startswith("{", body) else self.head.match(text, body)
        if named is not None:
            found = decode_object(text, named.end())
            return None if found is None else Found(start, found[1], [ToolCall(name=named[1], arguments=found[0])])
        read = self._call(text, body, text[start:body])
        return None if read is None else Found(start, read[1], [read[0]])

    def _next_of_list(self, text: str, final: bool) -> Found | int:
        start = skip_space(text, 0, ",")
        if text.startswith("]", start):
            self._in_list = False
            return Found(0, start + 1)
        marker = f"{self.openings[0]} ["
        read = self._call(text, start, marker)
        if read is not None:
            return Found(0, read[1], [read[0]])
        if not final or not text:
            return 0
        self._in_list = False
        if start == len(text):
            return Found(0, len(text))
        end = min((place for opening in self.openings if (place := text.find(opening, start)) >= 0), default=len(text))
        return Found(0, end, [InvalidToolCall(text=f"{marker}{text[start:end]}".rstrip(), error=f"no call in {self.syntax}")])
