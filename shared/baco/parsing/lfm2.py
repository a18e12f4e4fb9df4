"""LFM2's tool calls: a list of calls as Python writes them, between markers.

    <|tool_call_start|>[weather(city="Köln", days=2), clock()]<|tool_call_end|>

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.literals import LiteralError, read_field, read_items
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.tool_call import InvalidToolCall, ToolCall

OPENING, CLOSING = "<|tool_call_start|>", "<|tool_call_end|>"
_NAME = re.compile(r"([A-Za-z_][\w.-]*)\s*(?=\()")


class Lfm2Parser(MarkedJsonParser):
    """Parses `[name(key=value, …), …]` behind the marker; a call alone needs no brackets."""

    openings = (OPENING,)
    closings = (CLOSING,)
    syntax = "Python"

    def _call(self, text: str, start: int, marked: str) -> tuple[ToolCall | InvalidToolCall, int] | None:
        name = _NAME.match(text, start)
        try:
            fields, end = ([], start) if name is None else read_items(text, name.end(), lambda place: read_field(text, place, "="))
        except LiteralError:
            return None
        return None if name is None else (ToolCall(name=name[1], arguments=dict(fields)), end)


LFM2 = ToolCallTemplate(
    name="lfm2",
    parser=Lfm2Parser,
    control_tokens=(OPENING, CLOSING),
    opening=f"{OPENING}[",
    key=None,
    middle="(",
    arguments=ArgumentMarkers(before_text="=", before_value="=", between=", ", quote=None, words=("True", "False", "None")),
    after=")",
    between=", ",
    closing=f"]{CLOSING}",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the call behind the marker; or LFM2's list of tools, beside a vocabulary that has the marker."""
    described = rendered.mentions("List of tools: ") and OPENING in rendered.tokens
    return LFM2 if f"{OPENING}[{PROBE_NAME}(" in rendered.text or described else None
