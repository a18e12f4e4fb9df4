"""MiniMax M2's tool calls: invocations between tags, all of them between two markers.

    <minimax:tool_call>
    <invoke name="weather">
    <parameter name="city">Köln</parameter>
    </invoke>
    </minimax:tool_call>

Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.arguments import ArgumentMarkers
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.tagged import TaggedParser

OPENING, CLOSING, INVOKE, INVOKE_END = "<minimax:tool_call>", "</minimax:tool_call>", '<invoke name="', "</invoke>"
PARAMETER, PARAMETER_END = '<parameter name="', "</parameter>"


class MiniMaxParser(TaggedParser):
    """Parses `<invoke …>`, with or without the marker before the first one."""

    openings = (OPENING, INVOKE)
    closings = (CLOSING,)
    head = re.compile(rf'(?:{OPENING}\s*)?{INVOKE}([^"<>]+)">')
    key = re.compile(rf'{PARAMETER}([^"<>]+)">')
    value_end, call_end = PARAMETER_END, INVOKE_END


MINIMAX = ToolCallTemplate(
    name="minimax",
    parser=MiniMaxParser,
    control_tokens=(OPENING, CLOSING),
    opening=f"{OPENING}\n",
    before=INVOKE,
    key=None,
    middle='">\n',
    arguments=ArgumentMarkers(before_key=PARAMETER, before_text='">', before_value='">', after_value=f"{PARAMETER_END}\n"),
    after=INVOKE_END,
    between="\n",
    closing=f"\n{CLOSING}",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find the invocation behind the marker."""
    return MINIMAX if re.search(rf'{OPENING}\s*{INVOKE}{PROBE_NAME}"', rendered.text) else None
