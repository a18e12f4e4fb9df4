"""DeepSeek's tool calls, in three formats: those of V3 and R1, of V3.1, and of V3.2 and V4.

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather
    ```json
    {"city": "Köln"}
    ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Köln"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>

    <｜DSML｜function_calls>
    <｜DSML｜invoke name="weather">
    <｜DSML｜parameter name="city" string="true">Köln</｜DSML｜parameter>
    </｜DSML｜invoke>
    </｜DSML｜function_calls>

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.tagged import TaggedParser

CALLS, CALLS_END, CALL, CALL_END = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
SEPARATOR = "<｜tool▁sep｜>"
DSML = "｜DSML｜"
INVOKE, INVOKE_END, PARAMETER, PARAMETER_END = (
    f'<{DSML}invoke name="',
    f"</{DSML}invoke>",
    f'<{DSML}parameter name="',
    f"</{DSML}parameter>",
)
BLOCKS = ("function_calls", "tool_calls")
"""What all calls stand in, in V3.2 and in V4."""


class DeepSeekParser(MarkedJsonParser):
    """Parses a call's type, where there is one, its name and its arguments, with or without a fence around them."""

    openings = (CALLS, CALL)
    closings = ("```", CALL_END, CALLS_END)
    head = re.compile(rf"(?:function\s*{SEPARATOR}\s*)?([^\s<>{{}}`]+)\s*(?:{SEPARATOR}\s*)?(?:```(?:json)?\s*)?(?=\{{)")


class DsmlParser(TaggedParser):
    """Parses `<｜DSML｜invoke …>`, whose parameters say whether they are texts."""

    openings = (*(f"<{DSML}{block}>" for block in BLOCKS), INVOKE)
    closings = tuple(f"</{DSML}{block}>" for block in BLOCKS)
    head = re.compile(rf'(?:<{DSML}(?:{"|".join(BLOCKS)})>\s*)?{INVOKE}([^"<>]+)">')
    key = re.compile(rf'{PARAMETER}([^"<>]+)" string="(true|false)">')
    value_end, call_end = PARAMETER_END, INVOKE_END


DEEPSEEK_V31 = ToolCallTemplate(
    name="deepseek-v3.1",
    parser=DeepSeekParser,
    control_tokens=(CALLS, CALLS_END, CALL, CALL_END, SEPARATOR),
    opening=CALLS,
    before=CALL,
    key=None,
    middle=SEPARATOR,
    after=CALL_END,
    between="",
    closing=CALLS_END,
)
DEEPSEEK_V3 = replace(
    DEEPSEEK_V31, name="deepseek-v3", before=f"{CALL}function{SEPARATOR}", middle="\n```json\n", after=f"\n```{CALL_END}", between="\n"
)
DEEPSEEK_V32 = ToolCallTemplate(
    name="deepseek-v3.2",
    parser=DsmlParser,
    control_tokens=(DSML,),
    opening=f"<{DSML}{BLOCKS[0]}>\n",
    before=INVOKE,
    key=None,
    middle='">\n',
    arguments=ArgumentMarkers(
        before_key=PARAMETER, before_text='" string="true">', before_value='" string="false">', after_value=f"{PARAMETER_END}\n"
    ),
    after=INVOKE_END,
    between="\n",
    closing=f"\n</{DSML}{BLOCKS[0]}>",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the name behind the separator, behind the marker, or in an invocation."""
    if f"function{SEPARATOR}{PROBE_NAME}" in rendered.text:
        return DEEPSEEK_V3
    if f"{CALL}{PROBE_NAME}{SEPARATOR}" in rendered.text:
        return DEEPSEEK_V31
    invoked = re.search(rf'<{DSML}({"|".join(BLOCKS)})>\s*{INVOKE}{PROBE_NAME}"', rendered.text)
    if invoked is None:
        return None
    return replace(DEEPSEEK_V32, opening=f"<{DSML}{invoked[1]}>\n", closing=f"\n</{DSML}{invoked[1]}>")
