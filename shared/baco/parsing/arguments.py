"""`ArgumentMarkers`: arguments that are written one by one, each with its key, instead of as a JSON object.

Knows texts and schemas of arguments; knows no family and no calls.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KINDS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
"""Types of JSON schemas, and those that Python has for them."""
WORDS = {"True": True, "False": False, "None": None}
"""Python's words, which some templates write for JSON's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArgumentMarkers:
    """What is written around keys and values."""

    before_key: str = ""
    before_text: str
    """Between a key and a value that is a text."""
    before_value: str
    """Between a key and another value."""
    after_value: str = ""
    between: str = ""
    """Between two arguments."""
    quote: str | None = ""
    """What stands around a text, which is written as it is; None if a text is a JSON string."""
    words: tuple[str, str, str] = ("true", "false", "null")
    """How the values true, false and null are written."""
    json_inside: bool = True
    """Whether lists and objects are JSON; else they are written like arguments, between brackets."""

    def write(self, arguments: Mapping[str, Any]) -> str:
        """Write arguments."""
        return self.between.join(map(self._argument, arguments, arguments.values()))

    def _argument(self, key: str, value: Any) -> str:
        before = self.before_text if isinstance(value, str) else self.before_value
        return f"{self.before_key}{key}{before}{self.value(value)}{self.after_value}"

    def value(self, value: Any) -> str:
        """Write a value, without what stands around an argument."""
        if isinstance(value, str) and self.quote is not None:
            return f"{self.quote}{value}{self.quote}"
        if value is None or isinstance(value, bool):
            return self.words[(True, False, None).index(value)]
        if isinstance(value, list) and not self.json_inside:
            return f"[{self.between.join(map(self.value, value))}]"
        if isinstance(value, dict) and not self.json_inside:
            return f"{{{self.write(value)}}}"
        return json.dumps(value, ensure_ascii=False)


def read_value(text: str, schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Read a value that is written without quotation marks, as JSON or as a text.

    It is JSON where that gives a type that its schema has, other than a text. Where a schema says nothing, it is any JSON (our own choice).

    Args:
        text: the value as it is written.
        schema: of the value; None if there is none.
        definitions: the schema of all arguments, for references.
    """
    kinds = kinds_of(schema, definitions) or set(KINDS)
    if kinds == {"string"}:
        return text
    try:
        value = WORDS[text.strip()] if text.strip() in WORDS else json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    fits = any(type(value) in KINDS[kind] for kind in kinds - {"string"})
    return value if fits or "string" not in kinds else text


def kinds_of(schema: Any, definitions: Mapping[str, Any]) -> set[str]:
    """The types that a schema allows, as far as it says so; an empty set where it does not."""
    return set(_kinds(schema, definitions, 0))


def _kinds(schema: Any, definitions: Mapping[str, Any], depth: int) -> Iterator[str]:
    """Yield the types that a schema allows; none where it does not say."""
    if not isinstance(schema, Mapping) or depth > MAX_REFERENCES:
        return
    kind = schema.get("type", ())
    yield from (word for word in ([kind] if isinstance(kind, str) else kind) if word in KINDS)
    for value in [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]:
        yield from (word for word, types in KINDS.items() if type(value) in types)
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _kinds(inner, definitions, depth + 1)
    if "$ref" in schema:
        yield from _kinds(resolve(schema["$ref"], definitions), definitions, depth + 1)


MAX_REFERENCES = 20
"""References and alternatives inside of each other that are followed (our own choice)."""


def resolve(reference: object, whole: Mapping[str, Any]) -> Any:
    """What a reference leads to in a schema; None where it leads nowhere."""
    found: Any = whole
    for step in str(reference).removeprefix("#").split("/")[1:]:
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found
