"""`MarkedJsonParser`: calls in JSON behind a marker, in a list, one by one, or with their names before the arguments.

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

    def _find(self, text: str, final: bool) -> Found | int:
        return self._next_of_list(text, final) if self._in_list else super()._find(text, final)

    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        body = self._body(text, start)
        if text.startswith("[", body):
            self._in_list = True
            return Found(start, body + 1)
        named = None if self.head is None or text.startswith("{", body) else self.head.match(text, body)
        found = decode_object(text, body if named is None else named.end())
        if found is None:
            return None
        value, end = found
        call = self._as_call(text[start:end], value) if named is None else ToolCall(name=named[1], arguments=value)
        return Found(start, end, [call])

    def _next_of_list(self, text: str, final: bool) -> Found | int:
        start = skip_space(text, 0, ",")
        if text.startswith("]", start):
            self._in_list = False
            return Found(0, start + 1)
        marker = f"{self.openings[0]} ["
        found = decode_object(text, start)
        if found is not None:
            value, end = found
            return Found(0, end, [self._as_call(f"{marker}{text[start:end]}", value)])
        if not final or not text:
            return 0
        self._in_list = False
        if start == len(text):
            return Found(0, len(text))
        end = min((place for opening in self.openings if (place := text.find(opening, start)) >= 0), default=len(text))
        return Found(0, end, [InvalidToolCall(text=f"{marker}{text[start:end]}".rstrip(), error="no call in JSON")])
