"""Readers of calls in the forms in which families of models write them: Hermes and Qwen, Mistral, and Llama 3.

Knows texts; knows no tokens.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from baco.parsing.tool_call import Found, InvalidToolCall, SearchingParser, ToolCall

OPENING, CLOSING = "<tool_call>", "</tool_call>"
TOOL_CALLS, CALL_ID, ARGS = "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"
PYTHON_TAG = "<|python_tag|>"
# The closing marker counts only outside of JSON's strings, so that an argument may contain it. Where quotes do not pair, there is no such
# place; then the first one closes the call, or the end of the answer does.
_WRITTEN = re.compile(rf'{OPENING}((?:"(?:[^"\\]|\\.)*"|[^"])*?){CLOSING}', re.DOTALL)
_BROKEN = re.compile(rf"{OPENING}(.*?)(?:{CLOSING}|\Z)", re.DOTALL)
_NAMED = re.compile(rf"([^\s\[\]{{}}]+)\s*(?:{re.escape(CALL_ID)}[^\[\]{{}}]*)?(?:{re.escape(ARGS)})?\s*(?=\{{)")
_JSON = json.JSONDecoder(strict=False)  # small models write line breaks into strings


class HermesParser(SearchingParser):
    """Hermes and Qwen: `<tool_call>` JSON `</tool_call>`, anywhere."""

    def _find(self, text: str, final: bool) -> Found | int:
        start = text.find(OPENING)
        if start < 0:
            return len(text) if final else _length_before(text, OPENING)
        match = _WRITTEN.match(text, start) or (_BROKEN.match(text, start) if final else None)
        if match is None:
            return len(text[:start].rstrip())
        return Found(start, match.end(), [_read_call(match[0], match[1])])


class MistralParser(SearchingParser):
    """Mistral: `[TOOL_CALLS]`, anywhere, and behind it a list of calls, or a call's name and its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._in_list = False

    def _find(self, text: str, final: bool) -> Found | int:
        if self._in_list:
            return self._next_of_list(text, final)
        start = text.find(TOOL_CALLS)
        if start < 0:
            return len(text) if final else _length_before(text, TOOL_CALLS)
        behind = _skip(text, start + len(TOOL_CALLS))
        if text[behind : behind + 1] == "[":
            self._in_list = True
            return Found(start, behind + 1)
        named = None if text[behind : behind + 1] == "{" else _NAMED.match(text, behind)
        found = _decoded(text, behind if named is None else named.end())
        if found is not None:
            value, end = found
            value = value if named is None else {"name": named[1], "arguments": value}
            return Found(start, end, [_as_call(text[start:end], value)])
        if not final:
            return len(text[:start].rstrip())
        end = _next_marker(text, behind)
        return Found(start, end, [_no_call(text[start:end])])

    def _next_of_list(self, text: str, final: bool) -> Found | int:
        start = _skip(text, 0, ",")
        if text[start : start + 1] == "]":
            self._in_list = False
            return Found(0, start + 1)
        found = _decoded(text, start)
        if found is not None:
            value, end = found
            return Found(0, end, [_as_call(f"{TOOL_CALLS} [{text[start:end]}", value)])
        if not final or not text:
            return 0
        self._in_list = False
        if start == len(text):
            return Found(0, len(text))
        end = _next_marker(text, start)
        return Found(0, end, [_no_call(f"{TOOL_CALLS} [{text[start:end]}")])


class Llama3Parser(SearchingParser):
    """Llama 3: JSON in the place of an answer, or behind another call. `<|python_tag|>` announces a call anywhere."""

    def _find(self, text: str, final: bool) -> Found | int:
        if self._has_content and not self._follows_call:
            return self._find_tag(text, final)
        start = _skip(text, 0, ";," if self._follows_call else "")
        rest = text[start:]
        if self._follows_call and final and not rest:
            return Found(0, len(text)) if text else 0
        if rest.startswith(PYTHON_TAG):
            return self._tagged(text, start, final, behind=0)
        if any(begun.match(rest) for begun in _BARE):
            found = _decoded(text, start)
            if found is not None:
                return Found(0, found[1], [_as_call(f"{PYTHON_TAG}{text[start : found[1]]}", found[0])])
            return Found(0, len(text), [InvalidToolCall(text=f"{PYTHON_TAG}{rest}", error="no JSON")]) if final else 0
        may_become = PYTHON_TAG.startswith(rest) or any(beginning.fullmatch(rest) for beginning in _BEGINNINGS)
        return 0 if may_become and not final else self._find_tag(text, final)

    def _find_tag(self, text: str, final: bool) -> Found | int:
        start = text.find(PYTHON_TAG)
        if start < 0:
            return len(text) if final else _length_before(text, PYTHON_TAG)
        return self._tagged(text, start, final, behind=start)

    def _tagged(self, text: str, start: int, final: bool, behind: int) -> Found | int:
        """The call that a tag announces; content ends at `behind`."""
        found = _decoded(text, _skip(text, start + len(PYTHON_TAG)))
        if found is not None:
            return Found(behind, found[1], [_as_call(text[start : found[1]], found[0])])
        return Found(behind, len(text), [InvalidToolCall(text=text[start:], error="no JSON")]) if final else len(text[:behind].rstrip())


def _next_marker(text: str, start: int) -> int:
    """Where what is no call ends: at the next marker, or with the answer."""
    end = text.find(TOOL_CALLS, start)
    return len(text) if end < 0 else end


def _no_call(text: str) -> InvalidToolCall:
    return InvalidToolCall(text=text.rstrip(), error="no call in JSON")


def _length_before(text: str, marker: str) -> int:
    """Length of the text before what more text could turn into the beginning of a call, white space before it included."""
    begun = next(length for length in range(len(marker) - 1, -1, -1) if text.endswith(marker[:length]))
    return len(text[: len(text) - begun].rstrip())


def _skip(text: str, start: int, separators: Collection[str] = "") -> int:
    """The place behind white space and separators."""
    while start < len(text) and (text[start].isspace() or text[start] in separators):
        start += 1
    return start


def _decoded(text: str, start: int) -> tuple[Any, int] | None:
    """The object that begins at a place, and where it ends; None where none does, or it is not whole."""
    if text[start : start + 1] != "{":
        return None
    try:
        return _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None


def _read_call(text: str, body: str) -> ToolCall | InvalidToolCall:
    try:
        call = _JSON.decode(body)
    except (ValueError, RecursionError) as error:
        return InvalidToolCall(text=text, error=f"no JSON: {error}")
    return _as_call(text, call)


def _as_call(text: str, call: object) -> ToolCall | InvalidToolCall:
    name, arguments = (call.get("name"), call.get("arguments", call.get("parameters"))) if isinstance(call, dict) else (None, None)
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return InvalidToolCall(text=text, error='a call must be {"name": a text, "arguments" or "parameters": an object}')
    return ToolCall(name=name, arguments=arguments)


def _bare_beginnings() -> list[list[str]]:
    """How a bare call may begin, each as expressions of which any can be the last that is there yet."""
    typed = [list(word) for word in ('"type"', ":", '"function"', ",")]
    ways = [
        [*first, list('"name"'), [":"], ['"', _STRING, '"'], [","], list(f'"{key}"'), [":"]]
        for first in ([], typed)
        for key in ("parameters", "arguments")
    ]
    return [[r"\{", *(unit for word in way for unit in (r"\s*", *word))] for way in ways]


def _any_prefix(units: list[str]) -> str:
    """An expression of all beginnings of what some expressions match, one behind the other."""
    pattern = ""
    for unit in reversed(units):
        # A string may end in half an escape.
        pattern = f"(?:{unit}{_HALF_ESCAPE if unit == _STRING else ''}{pattern})?"
    return pattern


_STRING, _HALF_ESCAPE = r'(?:[^"\\]|\\.)*', r"\\?"
_BARE = [re.compile("".join(units), re.DOTALL) for units in _bare_beginnings()]
_BEGINNINGS = [re.compile(_any_prefix(units), re.DOTALL) for units in _bare_beginnings()]
