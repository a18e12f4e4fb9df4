"""The tool calls of Granite 3 and of Phi-4-mini: JSON behind `<|tool_call|>`, in a list, or one by one.

    <|tool_call|>[{"name": "weather", "arguments": {"city": "Köln"}}]

    <|tool_call|>{"name": "weather", "arguments": {"city": "Köln"}}<|/tool_call|>

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.family import RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser

OPENING, CLOSING = "<|tool_call|>", "<|/tool_call|>"
_RENDERED = re.compile(rf"{re.escape(OPENING)}(\s*\[?\s*)(?=\{{)")


class GraniteParser(MarkedJsonParser):
    """Parses a list or one call, with or without a closing marker."""

    openings = (OPENING,)
    closings = (CLOSING,)


GRANITE = ToolCallTemplate(
    name="granite", parser=GraniteParser, control_tokens=(OPENING,), opening=f"{OPENING}[", key="arguments", between=", ", closing="]"
)
PHI4 = ToolCallTemplate(
    name="phi4",
    parser=GraniteParser,
    control_tokens=(OPENING, CLOSING),
    before=OPENING,
    key="arguments",
    after=CLOSING,
    between="",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find JSON behind the marker; or the marker itself, as Granite 3 leaves calls out and says how to write them."""
    for match in _RENDERED.finditer(rendered.text):
        if key := rendered.arguments_key(match.end()):
            closing = CLOSING if CLOSING in rendered.text else ""
            return replace(GRANITE, key=key, closing=f"]{closing}") if "[" in match[1] else replace(PHI4, key=key, after=closing)
    return GRANITE if rendered.mentions(OPENING) and not rendered.mentions(CLOSING) else None
