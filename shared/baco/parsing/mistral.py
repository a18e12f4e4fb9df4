"""Mistral's tool calls, in two formats: a list of calls after `[TOOL_CALLS]`, and a call's name and arguments after it.

    [TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln"}}]

    [TOOL_CALLS]weather[ARGS]{"city": "Köln"}

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.tool_call import Found, InvalidToolCall, SearchingParser, as_call, decode_object, length_before_marker, skip_space

TOOL_CALLS, CALL_ID, ARGS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"
_ID = rf"(?:{re.escape(CALL_ID)}[^\[\]{{}}]*)?"
_NAME = re.compile(rf"([^\s\[\]{{}}]+)\s*{_ID}(?:{re.escape(ARGS)})?\s*(?=\{{)")
_RENDERED_LIST = re.compile(rf"{re.escape(TOOL_CALLS)}\s*\[")
_RENDERED_NAME = re.compile(rf"({re.escape(TOOL_CALLS)}\s*){PROBE_NAME}{_ID}((?:{re.escape(ARGS)})?\s*)\{{")


class MistralParser(SearchingParser):
    """Parses `[TOOL_CALLS]`, anywhere, and after it a list of calls, or a call's name and its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._in_list = False

    def _find(self, text: str, final: bool) -> Found | int:
        if self._in_list:
            return self._next_of_list(text, final)
        start = text.find(TOOL_CALLS)
        if start < 0:
            return len(text) if final else length_before_marker(text, TOOL_CALLS)
        body = skip_space(text, start + len(TOOL_CALLS))
        if text[body : body + 1] == "[":
            self._in_list = True
            return Found(start, body + 1)
        named = None if text[body : body + 1] == "{" else _NAME.match(text, body)
        found = decode_object(text, body if named is None else named.end())
        if found is not None:
            value, end = found
            value = value if named is None else {"name": named[1], "arguments": value}
            return Found(start, end, [as_call(text[start:end], value)])
        if not final:
            return len(text[:start].rstrip())
        end = _next_marker(text, body)
        return Found(start, end, [_no_call(text[start:end])])

    def _next_of_list(self, text: str, final: bool) -> Found | int:
        start = skip_space(text, 0, ",")
        if text[start : start + 1] == "]":
            self._in_list = False
            return Found(0, start + 1)
        found = decode_object(text, start)
        if found is not None:
            value, end = found
            return Found(0, end, [as_call(f"{TOOL_CALLS} [{text[start:end]}", value)])
        if not final or not text:
            return 0
        self._in_list = False
        if start == len(text):
            return Found(0, len(text))
        end = _next_marker(text, start)
        return Found(0, end, [_no_call(f"{TOOL_CALLS} [{text[start:end]}")])


def _next_marker(text: str, start: int) -> int:
    """Where an invalid call ends: at the next marker, or with the answer."""
    end = text.find(TOOL_CALLS, start)
    return len(text) if end < 0 else end


def _no_call(text: str) -> InvalidToolCall:
    return InvalidToolCall(text=text.rstrip(), error="no call in JSON")


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
