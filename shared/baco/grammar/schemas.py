"""JSON schemas for grammars: their objects are closed, their references moved, and their parts listed.

Knows schemas as plain data; knows no tokens.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from baco.errors import ConfigError
from baco.grammar.formats import PATTERNS

IN_ONE, IN_MANY, IN_LIST = (
    ("items", "additionalProperties", "not"),
    ("properties", "patternProperties", "$defs", "definitions"),
    ("anyOf", "oneOf", "prefixItems"),
)
"""Keywords whose value is a schema, schemas by name, or a list of schemas."""
DEFINITIONS = ("$defs", "definitions")
TO_DEFINITIONS = tuple(f"#/{word}/" for word in DEFINITIONS)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LEAST_INTEGER, MOST_INTEGER = -(2**63), 2**63 - 1
"""The widest bounds of integers that llguidance enforces: it replaces wider ones by these."""
DEEPEST = 100
"""Nested objects and lists. llguidance reads 127, and a schema is put into others (our own choice)."""


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Close the objects of a schema that say nothing of further properties, narrow its formats, and make it fit into another schema.

    Raises:
        ConfigError: it is too deep, bounds integers by larger numbers than can be enforced, or asks for something without an end.
    """
    _check_depth(schema)
    _check_bounds(schema)
    movable = _movable(schema)
    _check_end(movable)
    return dict(_closed(movable))


def _closed(schema: Any) -> Any:
    """Close the objects of a schema; those under `allOf` stay open for each other."""
    if not isinstance(schema, Mapping):
        return schema
    result = _changed(schema, _closed)
    if result.get("format") in PATTERNS and "pattern" not in result:
        result["pattern"] = PATTERNS[result.pop("format")]
    says = {"additionalProperties", "patternProperties", "unevaluatedProperties", "allOf"} & result.keys()
    if "properties" in result and not says:
        result["additionalProperties"] = False
    return result


def _changed(schema: Mapping[str, Any], change: Callable[[Any], Any], in_list: Sequence[str] = IN_LIST) -> dict[str, Any]:
    """Copy a schema and change the schemas in it."""
    result = dict(schema)
    for keyword in IN_ONE:
        if keyword in result:
            result[keyword] = change(result[keyword])
    for keyword in IN_MANY:
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = {name: change(inner) for name, inner in result[keyword].items()}
    for keyword in in_list:
        if isinstance(result.get(keyword), Sequence):
            result[keyword] = [change(inner) for inner in result[keyword]]
    return result


def _subschemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all schemas in it."""
    if isinstance(schema, Mapping):
        yield schema
        inner = list[Any]()
        _changed(schema, inner.append, (*IN_LIST, "allOf"))
        for part in inner:
            yield from _subschemas(part)


def _check_depth(schema: Mapping[str, Any]) -> None:
    level: list[Any] = [schema]
    for _ in range(DEEPEST):
        inner = [value for part in level for value in (part.values() if isinstance(part, Mapping) else part)]
        # A schema that contains itself, or a part many times, is looked at once per level.
        level = list({id(value): value for value in inner if isinstance(value, Mapping | list | tuple)}.values())
    if level:
        raise ConfigError(f"`grammar` must be a JSON schema of at most {DEEPEST} objects and lists inside of each other, but is deeper")


def _check_bounds(schema: Mapping[str, Any]) -> None:
    """Raise where llguidance would enforce another bound of integers than the schema's."""
    for part in _subschemas(schema):
        kinds = part.get("type", "integer")
        is_integer = kinds == "integer" or (isinstance(kinds, list | tuple) and "integer" in kinds)
        for word in BOUNDS if is_integer else ():
            bound = part.get(word)
            if isinstance(bound, int | float) and (bound < LEAST_INTEGER or bound > MOST_INTEGER):
                raise ConfigError(
                    f"`grammar` must bound integers by numbers from {LEAST_INTEGER} to {MOST_INTEGER}, but {word} is {bound!r}; "
                    "leave it out, or let the type be number"
                )


def _movable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Make all references lead to definitions, so that the schema can be put into another one.

    A reference to the whole schema, or to a part of it, leads to a definition that is a copy of the whole.
    """
    given = schema.get("$defs")
    known = given if isinstance(given, Mapping) else {}
    name = "root"
    while name in known:
        name += "_"
    moved: list[str] = []

    def move(part: Any) -> Any:
        if not isinstance(part, Mapping):
            return part
        result = _changed(part, move, (*IN_LIST, "allOf"))
        reference = result.get("$ref")
        if isinstance(reference, str) and reference.startswith("#") and not reference.startswith(TO_DEFINITIONS):
            moved.append(reference)
            result["$ref"] = f"#/$defs/{name}{reference[1:]}"
        return result

    result: dict[str, Any] = move(schema)
    if moved:
        whole = {keyword: value for keyword, value in result.items() if keyword not in DEFINITIONS}
        result["$defs"] = {**result.get("$defs", {}), name: whole}
    return result


def rooted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Replace a schema that is only a reference, as Pydantic's of a recursive class is, by the definition."""
    own = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**schema["$defs"][own], "$defs": schema["$defs"]} if own else dict(schema)


def is_recursive(schema: Mapping[str, Any]) -> bool:
    """Whether a definition of a schema refers to itself, directly or through others."""
    definitions = _definitions(_movable(schema))
    references = {name: {str(part.get("$ref")) for part in _subschemas(inner)} for name, inner in definitions.items()}
    waiting = {name: inner & definitions.keys() for name, inner in references.items()}
    while done := [reference for reference, inner in waiting.items() if not inner & waiting.keys()]:
        for reference in done:
            del waiting[reference]
    return bool(waiting)


def _definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema's definitions, by the references to them."""
    held = [(word, schema[word]) for word in DEFINITIONS if isinstance(schema.get(word), Mapping)]
    return {f"#/{word}/{name}": inner for word, definitions in held for name, inner in definitions.items()}


def _check_end(schema: Mapping[str, Any]) -> None:
    """Raise if nothing finite can meet a schema, because a definition requires itself."""
    targets = _definitions(schema)
    endless = set(targets)
    while ending := {reference for reference in endless if _ends(targets[reference], endless)}:
        endless -= ending
    if not _ends(schema, endless):
        raise ConfigError(
            f"`grammar` must be a JSON schema of something that has an end, but what {min(endless)!r} stands for requires itself for ever; "
            "let one of its fields be null or be left out, or a list in it be empty"
        )


def _ends(schema: Any, endless: set[str]) -> bool:
    """Whether a schema can be met without the definitions that `endless` references lead to, as far as can be seen."""
    if not isinstance(schema, Mapping):
        return True
    choices = [schema[word] for word in ("anyOf", "oneOf") if isinstance(schema.get(word), list) and schema[word]]
    can_choose = all(any(_ends(inner, endless) for inner in choice) for choice in choices)
    reference = schema.get("$ref")
    refers = isinstance(reference, str) and reference in endless
    return not refers and can_choose and all(_ends(inner, endless) for inner in _needed(schema))


def _needed(schema: Mapping[str, Any]) -> Iterator[Any]:
    """The schemas in a schema that cannot be avoided: those of `allOf`, of required fields, and of items up to `minItems`."""
    for word in ("allOf", "prefixItems", "required"):
        if not isinstance(schema.get(word, []), list):
            return  # llguidance refuses it with a better message
    yield from schema.get("allOf", ())
    if schema.get("type") == "object" and isinstance(schema.get("properties"), Mapping):
        yield from (inner for name, inner in schema["properties"].items() if name in schema.get("required", ()))
    least = schema.get("minItems")
    if schema.get("type") == "array" and isinstance(least, int):
        listed = [*schema.get("prefixItems", ()), *([schema["items"]] if "items" in schema else [])]
        yield from listed[:least]


def parts(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What one more token can oblige an answer to write: each field and each item of a schema, as a separate schema."""
    definitions = {word: schema[word] for word in DEFINITIONS if word in schema}
    for part in _parts(schema):
        yield {**part, **definitions}


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, Mapping):
        return
    for name, inner in schema.get("properties", {}).items():
        yield {"type": "object", "properties": {name: inner}, "required": [name], "additionalProperties": False}
    listed = [*schema.get("prefixItems", ()), *(schema[name] for name in ("items", "additionalProperties") if name in schema)]
    for inner in listed:
        if isinstance(inner, Mapping):
            yield {"type": "array", "items": inner, "minItems": 1, "maxItems": 1}
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    named = [inner for name in IN_MANY if isinstance(schema.get(name), Mapping) for inner in schema[name].values()]
    yield from (branch for branch in branches if isinstance(branch, dict))
    if schema.get("enum"):
        yield {"enum": [max(schema["enum"], key=lambda value: len(json.dumps(value)))]}
    for inner in [*branches, *listed, *named]:
        yield from _parts(inner)
