"""Calls of functions in llguidance's notation, and where in such an answer the base may write: in the values of arguments.

Knows schemas and formats of calls; knows tokens only by their ids.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from baco.grammar.json_scan import JsonPosition
from baco.parsing.formats import ToolCallTemplate

SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON is written as Python's `json.dumps` writes it: in one way, so that no token is spent on white space."""


def lark(
    functions: Sequence[tuple[str, Mapping[str, Any]]],
    answer: Mapping[str, Any] | None,
    form: ToolCallTemplate,
    *,
    several: bool,
    token_ids: Mapping[str, int],
) -> str:
    """Calls of functions in llguidance's own notation.

    Args:
        functions: names, and the schemas of their arguments.
        answer: the schema of JSON that there may be instead of calls.
        form: how calls are written.
        several: whether there may be more than one call.
        token_ids: ids of the texts in it that are one control token each; others are written as text.
    """
    names, schemas = list[str](), dict[str, Mapping[str, Any]]()
    for index, (name, parameters) in enumerate(functions):
        rule = f"schema{index}"
        schemas[rule] = call_schema(name, parameters, form.key)
        names.append(rule if form.key is not None else _sequence(_quoted(name), _literal(form.middle, token_ids), rule))
    if answer is not None:
        schemas["answer"] = answer
    further = f"({_sequence(_literal(form.between, token_ids), 'one')})*" if several else ""
    calls = _sequence(_literal(form.opening, token_ids), "one", further, _literal(form.closing, token_ids))
    one = _sequence(_literal(form.before, token_ids), f"({' | '.join(names)})", _literal(form.after, token_ids))
    lines = [f"start: {calls}" + ("" if answer is None else " | answer"), f"one: {one}"]
    for rule, schema in schemas.items():
        lines.append(f"{rule}: %json {json.dumps({**schema, 'x-guidance': SEPARATORS}, ensure_ascii=False)}")
    return "\n".join(lines)


def call_schema(name: str, parameters: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """The schema of a call's JSON: its arguments, or an object of them and the function's name.

    Definitions are moved up to where references look for them.
    """
    inner = dict(parameters)
    if key is None:
        return inner
    definitions: dict[str, Any] = {word: inner.pop(word) for word in ("$defs", "definitions") if word in inner}
    properties: dict[str, Any] = {"name": {"const": name}, key: inner}
    schema = {"type": "object", "properties": properties, "required": ["name", key], "additionalProperties": False}
    return schema | definitions


def beginning(form: ToolCallTemplate, *, or_answer: bool) -> JsonPosition:
    """The position at which an answer begins, which knows where the values of arguments are.

    Another answer than calls is recognised by its beginning. Where both begin alike, with a field "name", the strings of its outermost
    object are left to the aligned model too (our own choice).

    Args:
        form: how calls are written.
        or_answer: whether there may be JSON instead of calls.
    """
    around = form.opening + form.before
    depth = around.count("[") - around.count("]") + (1 if form.key is None else 2)
    marker = around or '{"name": "'
    return JsonPosition(marker=marker.encode() if or_answer else b"", depth=depth)


def _sequence(*rules: str) -> str:
    return " ".join(rule for rule in rules if rule)


def _literal(text: str, token_ids: Mapping[str, int]) -> str:
    """A text in llguidance's notation, with control tokens by their ids: written as text, they would be allowed but never taken."""
    pieces: Sequence[str] = re.split(f"({'|'.join(map(re.escape, token_ids))})", text) if token_ids else [text]
    return _sequence(*(f"<[{token_ids[piece]}]>" if piece in token_ids else _quoted(piece) for piece in pieces if piece))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
