"""LFM2's tool calls: a list of calls as Python writes them, between markers.

    <|tool_call_start|>[weather(city="Köln", days=2), clock()]<|tool_call_end|>

Knows texts; knows no tokenizers.
"""

import re
from typing import Any

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.literals import LiteralError, read_field, read_items
from baco.parsing.tool_call import Found, MarkedParser, ToolCall

OPENING, CLOSING = "<|tool_call_start|>", "<|tool_call_end|>"
_NAME = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(?=\()")


class Lfm2Parser(MarkedParser):
    """Parses `[name(key=value, …), …]` behind the marker; a call alone needs no brackets."""

    openings = (OPENING,)
    closings = (CLOSING,)
    syntax = "Python"

    def _call_at(self, text: str, start: int, final: bool) -> Found | None:
        body = self._body(text, start)
        try:
            calls, end = read_items(text, body, lambda place: _read_call(text, place)) if text.startswith("[", body) else _alone(text, body)
        except LiteralError:
            return None
        return Found(start, end, list(calls))


def _alone(text: str, start: int) -> tuple[list[Any], int]:
    call, end = _read_call(text, start)
    return [call], end


def _read_call(text: str, start: int) -> tuple[ToolCall, int]:
    name = _NAME.match(text, start)
    if name is None:
        raise LiteralError("no call")
    fields, end = read_items(text, name.end(), lambda place: read_field(text, place, "="))
    return ToolCall(name=name[1], arguments=dict(fields)), end


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
