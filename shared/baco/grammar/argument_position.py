"""`ArgumentPosition`: where one is in calls whose arguments are written one by one, between markers.

Knows bytes and markers; knows no schema, and checks nothing, since the text is such calls by construction.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from baco.grammar.json_scan import JsonPosition
from baco.parsing.arguments import ArgumentMarkers


class ArgumentPosition(NamedTuple):
    """The position at the end of a text."""

    markers: ArgumentMarkers
    texts: frozenset[bytes]
    """Keys of arguments that are texts."""
    marker: bytes
    """Beginning of calls, where there may be JSON instead of them; else b""."""
    head: bytes
    """Beginning of this text, up to the length of the marker."""
    json: JsonPosition
    """The position in the JSON that this text is instead of calls, or in an argument that is JSON."""
    inside: str
    """What the end is inside of: "text", "json", or "" between values."""
    pending: bytes
    """What has been written since the last marker."""

    @classmethod
    def of(cls, markers: ArgumentMarkers, texts: frozenset[bytes], marker: bytes) -> "ArgumentPosition":
        """The position at which an answer begins."""
        return cls(markers, texts, marker, b"", JsonPosition(), "json" if marker else "", b"")

    @property
    def in_value(self) -> bool:
        """Whether this is inside of a text or a string that is a value, and not inside of the marker that ends it."""
        if self.inside == "text":
            return not self._closing[: self._closed].strip()
        return self.inside == "json" and self.json.in_value

    @property
    def in_string(self) -> bool:
        """Whether this is inside of a JSON string."""
        return self.inside == "json" and self.json.in_string

    @property
    def escaped(self) -> bool:
        """Whether the last byte was a backslash that begins an escape in a JSON string."""
        return self.inside == "json" and self.json.escaped

    @property
    def exit(self) -> bytes:
        """What ends the text that this is inside of; b"" where there is none."""
        return self._closing[self._closed :] if self.inside == "text" else b""

    def after(self, more: bytes) -> "ArgumentPosition":
        """The position after more bytes."""
        head = (self.head + more)[: len(self.marker)]
        if not head == self.marker[: len(head)]:
            return self._replace(head=head, json=self.json.after(more))
        inside, json, pending = ("" if len(head) == len(self.marker) > len(self.head) else self.inside), self.json, self.pending + more
        if inside == "json":
            json = json.after(more)
        while True:
            if inside:
                end = pending.find(self._closing)
                if end < 0:
                    break
                inside, pending = "", pending[end + len(self._closing) :]
            else:
                opening = _opening(self.markers).search(pending)
                if opening is None:
                    break
                inside, pending = "text" if self._opens_text(opening) else "json", pending[opening.end() :]
                json = JsonPosition().after(pending)
        return self._replace(head=head, json=json, inside=inside, pending=pending)

    @property
    def _closing(self) -> bytes:
        return (self.markers.quote or self.markers.after_value).encode()

    @property
    def _closed(self) -> int:
        """How much of the closing marker has been written."""
        return next(length for length in range(len(self._closing) - 1, -1, -1) if self.pending.endswith(self._closing[:length]))

    def _opens_text(self, opening: re.Match[bytes]) -> bool:
        if self.markers.quote:
            return True
        distinct = self.markers.before_text != self.markers.before_value
        return opening[2] == self.markers.before_text.encode() if distinct else opening[1] in self.texts


@lru_cache(maxsize=64)
def _opening(markers: ArgumentMarkers) -> re.Pattern[bytes]:
    """Matches what stands before a value: its key, or the quotation mark of a text."""
    if markers.quote:
        return re.compile(re.escape(markers.quote.encode()))
    before, text, value = (re.escape(piece.encode()) for piece in (markers.before_key, markers.before_text, markers.before_value))
    return re.compile(rb"%b(.*?)(%b|%b)" % (before, text, value), re.DOTALL)
