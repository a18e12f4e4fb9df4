"""Apertus' tool calls: a list of objects between markers, each with one field, named like the function.

    <|tools_prefix|>[{"weather": {"city": "Köln"}}]<|tools_suffix|>

Knows texts; knows no tokenizers.
"""

import re
from typing import Any

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.tool_call import InvalidToolCall, ToolCall, as_call

OPENING, CLOSING = "<|tools_prefix|>", "<|tools_suffix|>"


class ApertusParser(MarkedJsonParser):
    """Parses objects whose only field is the call."""

    openings = (OPENING,)
    closings = (CLOSING,)

    def _as_call(self, text: str, value: dict[str, Any]) -> ToolCall | InvalidToolCall:
        name, arguments = next(iter(value.items())) if len(value) == 1 else ("", None)
        if not name or not isinstance(arguments, dict):
            return InvalidToolCall(text=text, error='a call must be {"name of the function": an object}')
        return as_call(text, {"name": name, "arguments": arguments})


APERTUS = ToolCallTemplate(
    name="apertus",
    parser=ApertusParser,
    control_tokens=(OPENING, CLOSING),
    opening=f"{OPENING}[",
    before='{"',
    key=None,
    middle='": ',
    after="}",
    between=", ",
    closing=f"]{CLOSING}",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the function's name as a field behind the marker."""
    return APERTUS if re.search(rf'{re.escape(OPENING)}\s*\[\s*\{{\s*"{PROBE_NAME}"', rendered.text) else None
