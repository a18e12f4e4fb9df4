"""Gemma 4's tool calls: keys without quotation marks, and texts between markers of their own.

    <|tool_call>call:weather{city:<|"|>Köln<|"|>,days:2}<tool_call|>

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.literals import LiteralError, read_field, read_items
from baco.parsing.tool_call import Found, MarkedParser, ToolCall

OPENING, CLOSING, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
_HEAD = re.compile(rf"{re.escape(OPENING)}\s*(?:call:)?\s*([^\s{{}}<>:]+)\s*(?=\{{)")


class Gemma4Parser(MarkedParser):
    """Parses `call:name{…}` behind the marker."""

    openings = (OPENING,)
    closings = (CLOSING,)
    syntax = "Gemma's form"

    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        head = _HEAD.match(text, start)
        try:
            fields, end = read_items(text, head.end(), lambda place: read_field(text, place, ":", (QUOTE,))) if head else ([], start)
        except LiteralError:
            return None
        return None if head is None else Found(start, end, [ToolCall(name=head[1], arguments=dict(fields))])


GEMMA4 = ToolCallTemplate(
    name="gemma4",
    parser=Gemma4Parser,
    control_tokens=(OPENING, CLOSING, QUOTE),
    before=f"{OPENING}call:",
    key=None,
    middle="{",
    arguments=ArgumentMarkers(before_text=":", before_value=":", between=",", quote=QUOTE, json_inside=False),
    after=f"}}{CLOSING}",
    between="",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the call behind the marker."""
    return GEMMA4 if f"{OPENING}call:{PROBE_NAME}{{" in rendered.text else None
