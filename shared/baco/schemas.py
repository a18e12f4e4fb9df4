"""What grammars do with JSON schemas: close their objects, and take them apart.

Knows schemas as plain data; knows no tokens.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

IN_ONE, IN_MANY, IN_LIST = (
    ("items", "additionalProperties", "not"),
    ("properties", "$defs", "definitions"),
    ("anyOf", "oneOf", "prefixItems"),
)
"""Keywords of a schema that hold a schema, schemas by name, or a list of schemas."""


def closed(schema: Any) -> Any:
    """Close the objects of a schema that say nothing of further properties. Under `allOf` they have to stay open for each other."""
    if not isinstance(schema, Mapping):
        return schema
    result = dict(schema)
    for keyword in IN_ONE:
        if keyword in result:
            result[keyword] = closed(result[keyword])
    for keyword in IN_MANY:
        if isinstance(result.get(keyword), Mapping):
            result[keyword] = {name: closed(inner) for name, inner in result[keyword].items()}
    for keyword in IN_LIST:
        if isinstance(result.get(keyword), Sequence):
            result[keyword] = [closed(inner) for inner in result[keyword]]
    says = {"additionalProperties", "patternProperties", "unevaluatedProperties", "allOf"} & result.keys()
    if "properties" in result and not says:
        result["additionalProperties"] = False
    return result


def parts(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What one more token can oblige an answer to: each field and each item that a schema knows, as a schema of its own."""
    definitions = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
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
    named = [inner for name in ("properties", "$defs", "definitions", "patternProperties") for inner in schema.get(name, {}).values()]
    yield from (branch for branch in branches if isinstance(branch, dict))
    if schema.get("enum"):
        yield {"enum": [max(schema["enum"], key=lambda value: len(json.dumps(value)))]}
    for inner in [*branches, *listed, *named]:
        yield from _parts(inner)


def distinct(schemas: Iterable[dict[str, Any]]) -> list[str]:
    """Schemas as JSON, each once."""
    return list(dict.fromkeys(json.dumps(schema, ensure_ascii=False) for schema in schemas))
