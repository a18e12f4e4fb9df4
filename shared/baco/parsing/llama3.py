"""Llama 3's tool calls: JSON that is the whole answer, or follows another call; after `<|python_tag|>`, anywhere.

    {"name": "weather", "parameters": {"city": "Köln"}}

Knows texts; knows no tokenizers.
"""

import re
from dataclasses import replace

from baco.parsing.family import RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.tool_call import Found, InvalidToolCall, SearchingParser, as_call, decode_object, length_before_marker, skip_space

PYTHON_TAG = "<|python_tag|>"
_RENDERED = re.compile(rf"({re.escape(PYTHON_TAG)})?(?=\{{\s*\"name\")")


class Llama3Parser(SearchingParser):
    """Parses JSON in the place of an answer or after another call, and JSON that `<|python_tag|>` announces."""

    def _find(self, text: str, final: bool) -> Found | int:
        if self._has_content and not self._follows_call:
            return self._find_tag(text, final)
        start = skip_space(text, 0, ";," if self._follows_call else "")
        rest = text[start:]
        if self._follows_call and final and not rest:
            return Found(0, len(text)) if text else 0
        if rest.startswith(PYTHON_TAG):
            return self._tagged(text, start, final, content_end=0)
        if any(beginning.match(rest) for beginning in _BEGINNINGS):
            found = decode_object(text, start)
            if found is not None:
                return Found(0, found[1], [as_call(f"{PYTHON_TAG}{text[start : found[1]]}", found[0])])
            return Found(0, len(text), [InvalidToolCall(text=f"{PYTHON_TAG}{rest}", error="no JSON")]) if final else 0
        may_become_call = PYTHON_TAG.startswith(rest) or any(prefix.fullmatch(rest) for prefix in _PREFIXES)
        return 0 if may_become_call and not final else self._find_tag(text, final)

    def _find_tag(self, text: str, final: bool) -> Found | int:
        start = text.find(PYTHON_TAG)
        if start < 0:
            return len(text) if final else length_before_marker(text, PYTHON_TAG)
        return self._tagged(text, start, final, content_end=start)

    def _tagged(self, text: str, start: int, final: bool, content_end: int) -> Found | int:
        """The call that the tag at `start` announces."""
        found = decode_object(text, skip_space(text, start + len(PYTHON_TAG)))
        if found is not None:
            return Found(content_end, found[1], [as_call(text[start : found[1]], found[0])])
        if final:
            return Found(content_end, len(text), [InvalidToolCall(text=text[start:], error="no JSON")])
        return len(text[:content_end].rstrip())


_STRING, _HALF_ESCAPE = r'(?:[^"\\]|\\.)*', r"\\?"


def _beginnings() -> list[list[str]]:
    """How a call without a tag may begin, up to its arguments: lists of expressions, one for each piece that matches as a whole."""
    typed = [list(word) for word in ('"type"', ":", '"function"', ",")]
    spellings = [
        [*first, list('"name"'), [":"], ['"', _STRING, '"'], [","], list(f'"{key}"'), [":"]]
        for first in ([], typed)
        for key in ("parameters", "arguments")
    ]
    return [[r"\{", *(unit for word in spelling for unit in (r"\s*", *word))] for spelling in spellings]


def _any_prefix(units: list[str]) -> str:
    """An expression that matches every prefix of what the units match one after the other."""
    pattern = ""
    for unit in reversed(units):
        # A string may end in half an escape.
        pattern = f"(?:{unit}{_HALF_ESCAPE if unit == _STRING else ''}{pattern})?"
    return pattern


_BEGINNINGS = [re.compile("".join(units), re.DOTALL) for units in _beginnings()]
_PREFIXES = [re.compile(_any_prefix(units), re.DOTALL) for units in _beginnings()]

LLAMA3 = ToolCallTemplate(name="llama3", parser=Llama3Parser, control_tokens=(PYTHON_TAG,), key="parameters", between="; ")


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find JSON where an answer begins, with or without the tag."""
    for match in _RENDERED.finditer(rendered.text):
        if rendered.begins_answer(match.start()) and (key := rendered.arguments_key(match.end())):
            return replace(LLAMA3, opening=match[1] or "", key=key)
    return None
