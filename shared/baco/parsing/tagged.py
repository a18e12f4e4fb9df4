"""`TaggedParser`: calls whose arguments stand between tags, one by one, as several families write them.

Knows texts and schemas of arguments; knows no family.
"""

import re
from typing import Any, ClassVar

from baco.parsing.arguments import read_value
from baco.parsing.tool_call import Found, MarkedParser, ToolCall, skip_space


class TaggedParser(MarkedParser):
    """Parses a name and tagged arguments. A value may hold what looks like a closing tag, if nothing of a call follows it."""

    syntax = "tags"
    head: ClassVar[re.Pattern[str]]
    """From the opening marker to the first argument; its group is the name."""
    key: ClassVar[re.Pattern[str]]
    """From the beginning of an argument to its value; its groups are the key and perhaps whether the value is a text."""
    value_end: ClassVar[str]
    call_end: ClassVar[str]
    own_lines: ClassVar[bool] = False
    """Whether the line break after the opening tag of a value and that before the closing one belong to the tags."""

    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        head = self.head.match(text, start)
        if head is None:
            return None
        name, position, arguments = head[1], skip_space(text, head.end()), dict[str, Any]()
        while not text.startswith(self.call_end, position):
            key = self.key.match(text, position)
            end = None if key is None else self._value_end(text, key.end())
            if key is None or end is None:
                return None
            arguments[key[1]] = self._read(name, key, text[key.end() : end])
            position = skip_space(text, end + len(self.value_end))
        return Found(start, position + len(self.call_end), [ToolCall(name=name, arguments=arguments)])

    def _value_end(self, text: str, start: int) -> int | None:
        """Where the value that begins at `start` ends: at a closing tag behind which the call goes on or ends. None if it is not known."""
        end = text.find(self.value_end, start)
        while end >= 0:
            behind = skip_space(text, end + len(self.value_end))
            if text.startswith(self.call_end, behind) or self.key.match(text, behind):
                return end
            if behind == len(text):
                return None
            end = text.find(self.value_end, end + 1)
        return None

    def _read(self, name: str, key: re.Match[str], value: str) -> Any:
        if self.own_lines:
            value = value.removeprefix("\n").removesuffix("\n")
        schema = self._schemas.get(name, {})
        properties = schema.get("properties", {})
        described = properties.get(key[1]) if isinstance(properties, dict) else None
        if key.re.groups > 1:
            described = {"type": "string"} if key[2] == "true" else described
        return read_value(value, described, schema)
