"""Hermes' tool calls, and Qwen's: JSON between `<tool_call>` and `</tool_call>`, anywhere in an answer.

    <tool_call>
    {"name": "weather", "arguments": {"city": "Köln"}}
    </tool_call>

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.family import RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.tool_call import Found, SearchingParser, length_before_marker, read_call

OPENING, CLOSING = "<tool_call>", "</tool_call>"
# The closing marker counts only outside of JSON strings, so that an argument may contain it. Where quotes do not pair, no such marker
# exists; then the first one closes the call, or the end of the answer does.
_CALL = re.compile(rf'{OPENING}((?:"(?:[^"\\]|\\.)*"|[^"])*?){CLOSING}', re.DOTALL)
_UNPAIRED = re.compile(rf"{OPENING}(.*?)(?:{CLOSING}|\Z)", re.DOTALL)
_DESCRIBED = re.compile(rf"{OPENING}\s*\{{")
_RENDERED = re.compile(rf"{OPENING}(\s*)(\{{.*?\}})(\s*){CLOSING}", re.DOTALL)


class HermesParser(SearchingParser):
    """Parses `<tool_call>` JSON `</tool_call>`."""

    def _find(self, text: str, final: bool) -> Found | int:
        start = text.find(OPENING)
        if start < 0:
            return len(text) if final else length_before_marker(text, OPENING)
        match = _CALL.match(text, start) or (_UNPAIRED.match(text, start) if final else None)
        if match is None:
            return len(text[:start].rstrip())
        return Found(start, match.end(), [read_call(match[0], match[1])])


HERMES = ToolCallTemplate(
    name="hermes",
    parser=HermesParser,
    control_tokens=(OPENING, CLOSING),
    before=f"{OPENING}\n",
    key="arguments",
    after=f"\n{CLOSING}",
    between="\n",
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find JSON between the markers, in a call or in what the prompt says of calls."""
    for match in _RENDERED.finditer(rendered.text):
        if key := rendered.arguments_key(match.start(2)):
            return replace(HERMES, before=f"{OPENING}{match[1]}", key=key, after=f"{match[3]}{CLOSING}")
    return HERMES if _DESCRIBED.search(rendered.tools) else None
