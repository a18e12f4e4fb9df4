"""Seed-OSS' tool calls: those of Qwen3-Coder between other markers, with each value on the line of its tags.

    <seed:tool_call>
    <function=weather>
    <parameter=city>Köln</parameter>
    </function>
    </seed:tool_call>

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.qwen_xml import FUNCTION, FUNCTION_END, PARAMETER, PARAMETER_END
from baco.parsing.tagged import TaggedParser

OPENING, CLOSING = "<seed:tool_call>", "</seed:tool_call>"


class SeedParser(TaggedParser):
    """Parses `<function=…>` with its parameters, with or without the marker before it."""

    openings = (OPENING, FUNCTION)
    closings = (CLOSING,)
    head = re.compile(rf"(?:{OPENING}\s*)?{FUNCTION}([^<>\s]+)>")
    key = re.compile(rf"{PARAMETER}([^<>\n]+)>")
    value_end, call_end = PARAMETER_END, FUNCTION_END


SEED = ToolCallTemplate(
    name="seed",
    parser=SeedParser,
    control_tokens=(OPENING, CLOSING),
    before=f"{OPENING}\n{FUNCTION}",
    key=None,
    middle=">\n",
    arguments=ArgumentMarkers(before_key=PARAMETER, before_text=">", before_value=">", after_value=f"{PARAMETER_END}\n"),
    after=f"{FUNCTION_END}\n{CLOSING}",
    between="\n",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the function behind the marker."""
    return SEED if re.search(rf"{OPENING}\s*{FUNCTION}{PROBE_NAME}>", rendered.text) else None
