"""The tool calls of Qwen3-Coder, Qwen3.5, Nemotron 3 and StepFun: arguments between tags, each value on lines of its own.

    <tool_call>
    <function=weather>
    <parameter=city>
    Köln
    </parameter>
    </function>
    </tool_call>

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_ARGUMENT, PROBE_NAME, PROBE_VALUE, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import CLOSING, OPENING
from baco.parsing.tagged import TaggedParser

FUNCTION, FUNCTION_END, PARAMETER, PARAMETER_END = "<function=", "</function>", "<parameter=", "</parameter>"
_RENDERED = re.compile(
    rf"({OPENING}\s*){FUNCTION}{PROBE_NAME}(>\s*){PARAMETER}{PROBE_ARGUMENT}(>\s*){PROBE_VALUE}(\s*{PARAMETER_END}\s*)"
    rf"({FUNCTION_END}\s*{CLOSING})"
)


class QwenXmlParser(TaggedParser):
    """Parses `<function=…>` with its parameters; the marker before it may be missing, as these models sometimes leave it out."""

    openings = (OPENING, FUNCTION)
    closings = (CLOSING,)
    head = re.compile(rf"(?:{OPENING}\s*)?{FUNCTION}([^<>\s]+)>")
    key = re.compile(rf"{PARAMETER}([^<>\n]+)>")
    value_end, call_end = PARAMETER_END, FUNCTION_END
    own_lines = True


QWEN_XML = ToolCallTemplate(
    name="qwen-xml",
    parser=QwenXmlParser,
    control_tokens=(OPENING, CLOSING),
    before=f"{OPENING}\n{FUNCTION}",
    key=None,
    middle=">\n",
    arguments=ArgumentMarkers(before_key=PARAMETER, before_text=">\n", before_value=">\n", after_value=f"\n{PARAMETER_END}\n"),
    after=f"{FUNCTION_END}\n{CLOSING}",
    between="\n",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the function and its parameter between tags."""
    match = _RENDERED.search(rendered.text)
    if match is None:
        return None
    arguments = ArgumentMarkers(before_key=PARAMETER, before_text=match[3], before_value=match[3], after_value=match[4])
    return replace(QWEN_XML, before=f"{match[1]}{FUNCTION}", middle=match[2], arguments=arguments, after=match[5])
