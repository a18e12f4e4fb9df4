"""Mistral's tool calls, in two formats: a list of calls after `[TOOL_CALLS]`, and a call's name and arguments after it.

    [TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln"}}]

    [TOOL_CALLS]weather[ARGS]{"city": "Köln"}

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.tool_call import skip_space

TOOL_CALLS, CALL_ID, ARGS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"
_ID = rf"(?:{re.escape(CALL_ID)}[^\[\]{{}}]*)?"
_RENDERED_LIST = re.compile(rf"{re.escape(TOOL_CALLS)}\s*\[")
_RENDERED_NAME = re.compile(rf"({re.escape(TOOL_CALLS)}\s*){PROBE_NAME}{_ID}((?:{re.escape(ARGS)})?\s*)\{{")


class MistralParser(MarkedJsonParser):
    """Parses `[TOOL_CALLS]`, anywhere, and after it a list of calls, or a call's name and its arguments."""

    openings = (TOOL_CALLS,)
    head = re.compile(rf"([^\s\[\]{{}}]+)\s*{_ID}(?:{re.escape(ARGS)})?\s*(?=\{{)")


MISTRAL = ToolCallTemplate(
    name="mistral",
    parser=MistralParser,
    control_tokens=(TOOL_CALLS,),
    opening=f"{TOOL_CALLS} [",
    key="arguments",
    between=", ",
    closing="]",
)
MISTRAL_NAMED = ToolCallTemplate(
    name="mistral-named",
    parser=MistralParser,
    control_tokens=(TOOL_CALLS, CALL_ID, ARGS),
    before=TOOL_CALLS,
    key=None,
    middle=ARGS,
    between="",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find a list of calls after the marker, or the name of a function."""
    for match in _RENDERED_LIST.finditer(rendered.text):
        if key := rendered.arguments_key(skip_space(rendered.text, match.end())):
            return replace(MISTRAL, opening=match[0], key=key)
    named = _RENDERED_NAME.search(rendered.text)
    return None if named is None else replace(MISTRAL_NAMED, before=named[1], middle=named[2])
