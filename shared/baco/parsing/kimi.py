"""Kimi K2's tool calls: a name with the call's number, and JSON, between markers.

    <|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"city": "Köln"}<|tool_call_end|>…

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import INDEX, ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser

SECTION, SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
CALL, CALL_END, ARGUMENTS = "<|tool_call_begin|>", "<|tool_call_end|>", "<|tool_call_argument_begin|>"


class KimiParser(MarkedJsonParser):
    """Parses `functions.name:number` and the arguments behind it."""

    openings = (SECTION, CALL)
    closings = (CALL_END, SECTION_END)
    head = re.compile(rf"(?:functions\.)?([^\s<>{{}}:]+)(?::\d+)?\s*{re.escape(ARGUMENTS)}\s*(?=\{{)")


KIMI = ToolCallTemplate(
    name="kimi",
    parser=KimiParser,
    control_tokens=(SECTION, SECTION_END, CALL, CALL_END, ARGUMENTS),
    opening=SECTION,
    before=f"{CALL}functions.",
    key=None,
    middle=f":{INDEX}{ARGUMENTS}",
    after=CALL_END,
    between="",
    closing=SECTION_END,
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the name with its number; or the marker, in a template that transformers refuses to run for calls."""
    return KIMI if f"{CALL}functions.{PROBE_NAME}:" in rendered.text or rendered.mentions(SECTION) else None
