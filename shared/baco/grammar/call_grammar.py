"""Calls of functions in llguidance's notation, and where in such an answer the base may write: in the values of arguments.

Knows what `Grammar.calls` was given, as plain data; knows no tokens but by their ids.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from baco.grammar.json_scan import JsonPosition


def lark(source: Mapping[str, Any], token_ids: Mapping[str, int], separators: Mapping[str, Any]) -> str:
    """What `Grammar.calls` was given, in llguidance's own notation.

    Args:
        source: that.
        token_ids: of texts in it that are one control token each; others are written as text.
        separators: how JSON is written.
    """
    form, names, schemas = source["format"], list[str](), dict[str, Any]()
    for index, (name, parameters) in enumerate(source["functions"]):
        rule = f"schema{index}"
        schemas[rule] = call_schema(name, parameters, form["key"])
        names.append(rule if form["key"] is not None else _sequence(_quoted(name), _literal(form["middle"], token_ids), rule))
    if source["answer"] is not None:
        schemas["answer"] = source["answer"]
    further = f"({_sequence(_literal(form['between'], token_ids), 'one')})*" if source["several"] else ""
    calls = _sequence(_literal(form["opening"], token_ids), "one", further, _literal(form["closing"], token_ids))
    one = _sequence(_literal(form["before"], token_ids), f"({' | '.join(names)})", _literal(form["after"], token_ids))
    lines = [f"start: {calls}" + ("" if source["answer"] is None else " | answer"), f"one: {one}"]
    for rule, schema in schemas.items():
        lines.append(f"{rule}: %json {json.dumps({**schema, 'x-guidance': separators}, ensure_ascii=False)}")
    return "\n".join(lines)


def call_schema(name: str, parameters: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """The schema of what a call has in JSON: of its arguments, or of these with the function's name.

    Definitions are moved up, to where references look for them.
    """
    inner = dict(parameters)
    if key is None:
        return inner
    definitions: dict[str, Any] = {word: inner.pop(word) for word in ("$defs", "definitions") if word in inner}
    properties: dict[str, Any] = {"name": {"const": name}, key: inner}
    schema = {"type": "object", "properties": properties, "required": ["name", key], "additionalProperties": False}
    return schema | definitions


def beginning(source: Mapping[str, Any]) -> JsonPosition:
    """The place where an answer begins, told where values are.

    An answer that is no call is told from one by its beginning. Where both begin alike, with a field "name", the strings of its outermost
    object are left to the aligned model too (our own choice).
    """
    form = source["format"]
    around = form["opening"] + form["before"]
    depth = around.count("[") - around.count("]") + (1 if form["key"] is None else 2)
    marker = around or '{"name": "'
    return JsonPosition(marker=b"" if source["answer"] is None else marker.encode(), depth=depth)


def _sequence(*rules: str) -> str:
    return " ".join(rule for rule in rules if rule)


def _literal(text: str, token_ids: Mapping[str, int]) -> str:
    """A text in llguidance's notation, with control tokens by their ids: as text they are allowed, and then not taken."""
    pieces: Sequence[str] = re.split(f"({'|'.join(map(re.escape, token_ids))})", text) if token_ids else [text]
    return _sequence(*(f"<[{token_ids[piece]}]>" if piece in token_ids else _quoted(piece) for piece in pieces if piece))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
