"""The tool calls of Functionary 3.1: JSON between tags, the first of which has the name.

    <function=weather>{"city": "Köln"}</function>

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.qwen_xml import FUNCTION, FUNCTION_END


class FunctionaryParser(MarkedJsonParser):
    """Parses `<function=name>` with JSON behind it."""

    openings = (FUNCTION,)
    closings = (FUNCTION_END,)
    head = re.compile(r"([^<>\s]+)>\s*(?=\{)")


FUNCTIONARY = ToolCallTemplate(
    name="functionary",
    parser=FunctionaryParser,
    control_tokens=(),
    before=FUNCTION,
    key=None,
    middle=">",
    after=FUNCTION_END,
    between="",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find JSON behind the tag with the name."""
    return FUNCTIONARY if re.search(rf"{FUNCTION}{PROBE_NAME}>\s*\{{", rendered.text) else None
