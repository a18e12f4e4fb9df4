"""Whether JSON is what a schema describes, and which of its characters are values of strings: stated from the standards alone.

Knows nothing of grammars and models. A keyword that it does not know is an error, so that nothing passes unread.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
DAY, CLOCK = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"(\d\d:\d\d:\d\d)(?:\.\d+)?(z|[+-]\d\d:\d\d)", re.IGNORECASE)


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found


def _day(text: str) -> object:
    return date.fromisoformat(_found(DAY, text)[0])


def _clock(text: str) -> object:
    """RFC 3339, but without second 60, which neither Python nor Pydantic can read."""
    found = _found(CLOCK, text)
    return time.fromisoformat(found[1] + found[2].upper().replace("Z", "+00:00"))


FORMATS: dict[str, Callable[[str], object]] = {
    "date": _day,
    "time": _clock,
    "date-time": lambda text: (_day(text[:10]), _found(re.compile("[Tt]"), text[10:11]), _clock(text[11:])),
    "uuid": UUID,
    "ipv4": IPv4Address,
}
"""Raise ValueError at what is of no such format."""
NOTES = {"title", "description", "default", "discriminator", "$defs"}
"""Keywords that forbid nothing."""
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

Rule = Callable[[Any, Any, Mapping[str, Any]], bool]
"""Whether a value, a keyword's argument and the schema around it go together."""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name]) or (name == "integer" and isinstance(value, float) and value.is_integer())


def _is_format(value: str, name: str) -> bool:
    try:
        FORMATS[name](value)
    except ValueError:
        return False
    return True


def _same(value: Any, other: Any) -> bool:
    """Equality as JSON has it, where true is not 1."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


RULES: dict[str, Rule] = {
    "type": lambda value, names, _: any(_is_type(value, name) for name in ([names] if isinstance(names, str) else names)),
    "const": lambda value, other, _: _same(value, other),
    "enum": lambda value, others, _: any(_same(value, other) for other in others),
    "minimum": lambda value, least, _: not _number(value) or value >= least,
    "maximum": lambda value, most, _: not _number(value) or value <= most,
    "exclusiveMinimum": lambda value, bound, _: not _number(value) or value > bound,
    "exclusiveMaximum": lambda value, bound, _: not _number(value) or value < bound,
    "multipleOf": lambda value, step, _: not _number(value) or value % step == 0,
    "minLength": lambda value, least, _: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most, _: not isinstance(value, str) or len(value) <= most,
    "pattern": lambda value, pattern, _: not isinstance(value, str) or bool(re.search(pattern, value)),
    "format": lambda value, name, _: not isinstance(value, str) or _is_format(value, name),
    "minItems": lambda value, least, _: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, _: not isinstance(value, list) or len(value) <= most,
    "minProperties": lambda value, least, _: not isinstance(value, dict) or len(value) >= least,
    "required": lambda value, names, _: not isinstance(value, dict) or set(names) <= value.keys(),
}
"""Keywords that look at one value and hold no schema."""


def mistakes(value: Any, schema: Any, root: Mapping[str, Any] | None = None, path: str = "$") -> Iterator[str]:
    """Yield what is wrong with a value, and where; nothing if it is what the schema describes.

    Raises:
        ValueError: the schema has a keyword that is not known here.
    """
    if isinstance(schema, bool):
        yield from () if schema else [f"{path}: nothing is allowed here"]
        return
    root = schema if root is None else root
    for keyword, argument in schema.items():
        if keyword in RULES:
            if not RULES[keyword](value, argument, schema):
                yield f"{path}: {value!r} breaks {keyword} {argument!r}"
        elif keyword not in NOTES:
            yield from _inner(keyword)(value, schema, root, path)


Inner = Callable[[Any, Mapping[str, Any], Mapping[str, Any], str], Iterator[str]]


def _inner(keyword: str) -> Inner:
    if keyword not in INNER:
        raise ValueError(f"keyword {keyword!r} of a schema is not known here")
    return INNER[keyword]


def _reference(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    target: Any = root
    for name in schema["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    yield from mistakes(value, target, root, path)


def _branches(keyword: str, enough: Callable[[int, int], bool]) -> Inner:
    def check(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
        fitting = sum(next(mistakes(value, branch, root, path), None) is None for branch in schema[keyword])
        if not enough(fitting, len(schema[keyword])):
            yield f"{path}: {value!r} fits {fitting} of {keyword}"

    return check


def _properties(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, inner in schema["properties"].items():
        if isinstance(value, dict) and name in value:
            yield from mistakes(value[name], inner, root, f"{path}.{name}")


def _additional(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        yield from mistakes(value[name], schema["additionalProperties"], root, f"{path}.{name}")


def _leading_items(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    for index, (item, inner) in enumerate(zip(value, schema["prefixItems"], strict=False) if isinstance(value, list) else ()):
        yield from mistakes(item, inner, root, f"{path}[{index}]")


def _items(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[str]:
    first = len(schema.get("prefixItems", ()))
    for index, item in enumerate(value[first:] if isinstance(value, list) else (), first):
        yield from mistakes(item, schema["items"], root, f"{path}[{index}]")


INNER: dict[str, Inner] = {
    "$ref": _reference,
    "anyOf": _branches("anyOf", lambda fitting, _: fitting >= 1),
    "oneOf": _branches("oneOf", lambda fitting, _: fitting == 1),
    "allOf": _branches("allOf", lambda fitting, count: fitting == count),
    "properties": _properties,
    "additionalProperties": _additional,
    "prefixItems": _leading_items,
    "items": _items,
}
"""Keywords that hold schemas."""


def value_characters(text: str) -> set[int]:
    """Indices of the characters of a whole JSON text that are inside a string which is a value, quotation marks left out."""
    strings = ((found, text[found.end() :].lstrip()) for found in STRING.finditer(text))
    return {index for found, rest in strings if not rest.startswith(":") for index in range(found.start() + 1, found.end() - 1)}
