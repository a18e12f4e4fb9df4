"""`read_literal`: values as programs write them, which are no JSON: words of Python, single quotation marks, names without any.

Knows texts; knows no family.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}
_PLAIN = re.compile(r"[^\s,:\[\]{}()=]+")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL) for quote in "\"'"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
CLOSED = {"[": "]", "{": "}", "(": ")"}
MAX_DEPTH = 100
"""Lists and objects inside of each other (our own choice)."""


class LiteralError(ValueError):
    """No value, or no whole one."""


def read_literal(text: str, start: int, marks: Sequence[str] = (), depth: int = 0) -> tuple[Any, int]:
    """Read the value that begins at `start`; return it and where it ends.

    Args:
        text: the text.
        start: where the value begins, perhaps with white space.
        marks: markers that stand around a text that is written as it is, beside quotation marks.
        depth: of the lists and objects that it is in.

    Raises:
        LiteralError: there is none, or none that is whole.
    """
    start = skip(text, start)
    for mark in marks:
        if text.startswith(mark, start):
            end = text.find(mark, start + len(mark))
            if end < 0:
                raise LiteralError("a text without an end")
            return text[start + len(mark) : end], end + len(mark)
    if quoted := next((found for pattern in _QUOTED.values() if (found := pattern.match(text, start))), None):
        return unescape(quoted[1]), quoted.end()
    if depth < MAX_DEPTH and text[start : start + 1] in ("[", "("):
        return read_items(text, start, lambda place: read_literal(text, place, marks, depth + 1))
    if depth < MAX_DEPTH and text[start : start + 1] == "{":
        fields, end = read_items(text, start, lambda place: read_field(text, place, ":", marks, depth + 1))
        return dict(fields), end
    plain = _PLAIN.match(text, start)
    if plain is None or plain.end() == len(text):
        raise LiteralError("no value")
    return _number_or_word(plain[0]), plain.end()


def read_items(text: str, start: int, read: Callable[[int], tuple[Any, int]]) -> tuple[list[Any], int]:
    """Read what stands between the bracket at `start` and the one that closes it, separated by commas."""
    closing, items, place = CLOSED[text[start]], list[Any](), skip(text, start + 1)
    while not text.startswith(closing, place):
        item, place = read(place)
        items.append(item)
        place = skip(text, place)
        if text.startswith(",", place):
            place = skip(text, place + 1)
        elif not text.startswith(closing, place):
            raise LiteralError("no end of a list or an object")
    return items, place + 1


def read_field(text: str, start: int, between: str, marks: Sequence[str] = (), depth: int = 0) -> tuple[tuple[str, Any], int]:
    """Read a key, with or without quotation marks, and the value behind it; `between` stands between them."""
    start = skip(text, start)
    bare = _PLAIN.match(text, start)
    if bare is not None and text[start] not in "\"'" and not any(text.startswith(mark, start) for mark in marks):
        key, end = bare[0], bare.end()
    else:
        key, end = read_literal(text, start, marks, depth)
    end = skip(text, end)
    if not isinstance(key, str) or not text.startswith(between, end):
        raise LiteralError("no key")
    value, end = read_literal(text, end + len(between), marks, depth)
    return (key, value), end


def skip(text: str, start: int) -> int:
    """The first position from `start` on that is no white space."""
    while text[start : start + 1].isspace():
        start += 1
    return start


def unescape(text: str) -> str:
    """What the text between quotation marks stands for; an escape that is none is left as it is."""

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        if code:
            return chr(int(code, 16))
        return _ESCAPED.get(match[3], match[3] if match[3] in "\"'\\/" else match[0])

    unescaped = _ESCAPE.sub(character, text)
    # JSON writes characters beyond the first 65,536 as two halves.
    return unescaped.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _number_or_word(text: str) -> Any:
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise LiteralError(f"{text!r} is no value")
