"""`JsonPosition`: where in a JSON text one is, in syntax, in the name of a field, or in a string that is a value.

Knows bytes; knows no schema, and checks nothing, since the text is JSON by construction.
"""

from typing import NamedTuple

QUOTE, BACKSLASH = ord('"'), ord("\\")


class JsonPosition(NamedTuple):
    """The position at the end of a text."""

    containers: bytes = b""
    """Open objects and arrays, "{" and "[", outermost first."""
    before_name: bool = False
    """Whether the next string is the name of a field."""
    in_string: bool = False
    escaped: bool = False
    """Whether the last byte was a backslash that begins an escape."""
    marker: bytes = b""
    """Beginning of texts to which `depth` applies; b"" is the beginning of all."""
    depth: int = 0
    """Containers outside of which no string is a value."""
    head: bytes = b""
    """Beginning of this text, up to the length of the marker."""

    @property
    def in_value(self) -> bool:
        """Whether this is inside of a string that is a value; a text that may yet begin with the marker counts as one that does."""
        return self.in_string and not self.before_name and (len(self.containers) >= self.depth or not self.marker.startswith(self.head))

    @property
    def exit(self) -> bytes:
        """What ends the value that this is inside of, where it is no JSON; here, it always is."""
        return b""

    def after(self, more: bytes) -> "JsonPosition":
        """The position after more bytes."""
        containers, before_name, in_string, escaped, marker, depth, head = self
        for byte in more:
            if in_string:
                if escaped:
                    escaped = False
                elif byte == BACKSLASH:
                    escaped = True
                elif byte == QUOTE:
                    in_string = False
            elif byte == QUOTE:
                in_string = True
            elif byte in b"{[":
                containers += bytes([byte])
                before_name = byte == ord("{")
            elif byte in b"}]":
                containers, before_name = containers[:-1], False
            elif byte == ord(":"):
                before_name = False
            elif byte == ord(","):
                before_name = containers.endswith(b"{")
        if len(head) < len(marker):
            head = (head + more)[: len(marker)]
        return JsonPosition(containers, before_name, in_string, escaped, marker, depth, head)
