"""The tool calls of GLM 4.5 and its successors: keys and values between tags of their own.

    <tool_call>weather
    <arg_key>city</arg_key>
    <arg_value>Köln</arg_value>
    </tool_call>

Later versions write no line breaks. Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_ARGUMENT, PROBE_NAME, PROBE_VALUE, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import CLOSING, OPENING
from baco.parsing.tagged import TaggedParser

KEY, KEY_END, VALUE, VALUE_END = "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"
_RENDERED = re.compile(
    rf"({OPENING}\s*){PROBE_NAME}(\s*){KEY}{PROBE_ARGUMENT}({KEY_END}\s*{VALUE}){PROBE_VALUE}({VALUE_END}\s*)({CLOSING})(\s*)"
)


class GlmParser(TaggedParser):
    """Parses a name and its arguments between `<tool_call>` and `</tool_call>`."""

    openings = (OPENING,)
    head = re.compile(rf"{OPENING}\s*([^<>\s]+)")
    key = re.compile(rf"{KEY}([^<>]+){KEY_END}\s*{VALUE}")
    value_end, call_end = VALUE_END, CLOSING


GLM = ToolCallTemplate(
    name="glm",
    parser=GlmParser,
    control_tokens=(OPENING, CLOSING, KEY, KEY_END, VALUE, VALUE_END),
    before=OPENING,
    key=None,
    middle="\n",
    arguments=ArgumentMarkers(
        before_key=KEY, before_text=f"{KEY_END}\n{VALUE}", before_value=f"{KEY_END}\n{VALUE}", after_value=f"{VALUE_END}\n"
    ),
    after=CLOSING,
    between="\n",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the key and the value between their tags."""
    match = _RENDERED.search(rendered.text)
    if match is None:
        return None
    arguments = ArgumentMarkers(before_key=KEY, before_text=match[3], before_value=match[3], after_value=match[4])
    # What breaks lines inside of a call also breaks them between two.
    return replace(GLM, before=match[1], middle=match[2], arguments=arguments, between="\n" if match[2] else "")
