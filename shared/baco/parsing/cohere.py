"""Command R7B's tool calls, and those of its successors: a list of numbered calls between markers.

    <|START_ACTION|>[
        {"tool_call_id": "0", "tool_name": "weather", "parameters": {"city": "Köln"}}
    ]<|END_ACTION|>

Knows texts; knows no tokenizers.
"""

import re
from typing import Any

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import INDEX, ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.tool_call import InvalidToolCall, ToolCall, as_call

OPENING, CLOSING = "<|START_ACTION|>", "<|END_ACTION|>"


class CohereParser(MarkedJsonParser):
    """Parses calls that have the name in "tool_name"."""

    openings = (OPENING,)
    closings = (CLOSING,)

    def _as_call(self, text: str, value: dict[str, Any]) -> ToolCall | InvalidToolCall:
        return as_call(text, value, "tool_name")


COHERE = ToolCallTemplate(
    name="cohere",
    parser=CohereParser,
    control_tokens=(OPENING, CLOSING),
    opening=f"{OPENING}[\n",
    before=f'    {{"tool_call_id": "{INDEX}", "tool_name": "',
    key=None,
    middle='", "parameters": ',
    after="}",
    between=",\n",
    closing=f"\n]{CLOSING}",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the name in a list behind the marker."""
    return COHERE if re.search(rf'{re.escape(OPENING)}\s*\[[^\]]*"tool_name":\s*"{PROBE_NAME}"', rendered.text) else None
