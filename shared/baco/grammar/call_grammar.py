"""`CallsGrammar`: calls of functions in the format of a family of models; in such an answer the base writes the values of arguments.

Knows schemas and formats of calls; knows tokens only by their ids.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from llguidance import LLMatcher

from baco.errors import ConfigError
from baco.grammar.argument_position import ArgumentPosition
from baco.grammar.argument_rules import ArgumentRules
from baco.grammar.grammar import SEPARATORS, Grammar, Position, distinct_grammars
from baco.grammar.json_scan import JsonPosition
from baco.grammar.schemas import DEFINITIONS, parts
from baco.parsing.arguments import KINDS, kinds_of
from baco.parsing.formats import ToolCallTemplate

MAX_NUMBERED = 16
"""Calls of one answer, where each has a number (our own choice)."""


@dataclass(frozen=True, slots=True)
class CallsGrammar(Grammar):
    """Calls of functions."""

    kind = "calls"
    is_json = True
    functions: tuple[tuple[str, str], ...]
    """Names, and the closed schemas of their arguments as JSON."""
    several: bool
    """Whether there may be more than one call."""
    answer: str | None
    """The closed schema, as JSON, of what there may be instead of calls."""
    call_format: ToolCallTemplate

    @property
    def source(self) -> str:
        """Its fields as JSON."""
        functions, answer = self._schemas()
        given = {"functions": functions, "several": self.several, "answer": answer, "format": self.call_format.name}
        return json.dumps(given, ensure_ascii=False)

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """The markers of calls."""
        return self.call_format.control_tokens

    def in_format(self, call_format: ToolCallTemplate) -> "CallsGrammar":
        """The same calls in another format."""
        return _in_format(self, call_format)

    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form, with control tokens by their ids: written as text, they would be allowed but never taken."""
        (functions, answer), form = self._schemas(), self.call_format

        def literal(text: str) -> str:
            return _literal(text, token_ids or {})

        lines = list[str]()
        for index, (name, parameters) in enumerate(functions):
            if form.arguments is not None:
                rules = ArgumentRules(parameters, form.arguments, literal, f"schema{index}")
                lines += [*rules.lines, f"schema{index}: {rules.start}"]
            else:
                lines.append(_json_rule(f"schema{index}", parameters if form.key is None else _call_schema(name, parameters, form.key)))
        calls = [f"call{number}" for number in range(MAX_NUMBERED if self._is_numbered else 1)]
        for number, call in enumerate(calls):
            numbered = form.numbered(number)
            ways = [
                _sequence(literal(name), literal(numbered.middle), f"schema{index}") if form.key is None else f"schema{index}"
                for index, (name, _) in enumerate(functions)
            ]
            any_of = f"({' | '.join(ways)})"
            lines.append(f"{call}: {_sequence(literal(numbered.before), any_of, literal(form.after))}")
        written = _sequence(literal(form.opening), calls[0], self._further(calls, literal(form.between)), literal(form.closing))
        if answer is not None:
            lines.append(_json_rule("answer", answer))
        return LLMatcher.grammar_from_lark("\n".join([f"start: {written}" + ("" if answer is None else " | answer"), *lines]))

    @property
    def _is_numbered(self) -> bool:
        return self.call_format.numbered(1) != self.call_format

    def _further(self, calls: Sequence[str], between: str) -> str:
        """The rule of what may follow the first call; calls with numbers follow in their order."""
        if not self.several or self.call_format.ends_answer:
            return ""
        if not self._is_numbered:
            return f"({_sequence(between, calls[0])})*"
        rule = ""
        for call in reversed(calls[1:]):
            rule = f"({_sequence(between, call, rule)})?"
        return rule

    def parts(self) -> Sequence[Grammar]:
        """The answer, each field and each item of all schemas, and a further call of each function."""
        functions, answer = self._schemas()
        answers, schemas = [] if answer is None else [answer], [schema for _, schema in functions]
        inner = [part for schema in schemas for part in parts(schema)]
        # A further call is as long as one alone, with what stands between two.
        further = replace(self.call_format, opening=self.call_format.opening + self.call_format.between)
        calls = list(self.functions)
        if self.call_format.arguments is not None:
            # What is written in markers is measured in a call that has nothing else.
            calls += [("x", json.dumps(_with_definitions(part), ensure_ascii=False)) for part in inner]
            inner = []
        whole = distinct_grammars(chain(answers, inner, *map(parts, answers)))
        for call in dict.fromkeys(calls):
            with suppress(ConfigError):
                whole.append(CallsGrammar((call,), False, None, further))
        return whole

    def beginning(self) -> Position:
        """The position at which an answer begins, which knows where the values of arguments are.

        Another answer than calls is recognised by its beginning. Where both begin alike, with a field "name", the strings of its outermost
        object are left to the aligned model too (our own choice).
        """
        form = self.call_format.numbered(0)
        around = form.opening + form.before
        marker = b"" if self.answer is None else (around or '{"name": "').encode()
        if form.arguments is not None and form.arguments.quote is not None:
            texts = frozenset(key.encode() for key in _keys_of_texts([schema for _, schema in self._schemas()[0]]))
            return ArgumentPosition.of(form.arguments, texts, marker)
        opened = sum(around.count(bracket) for bracket in "[{") - sum(around.count(bracket) for bracket in "]}")
        inner = 0 if form.arguments is not None else 1 if form.key is None else 2
        return JsonPosition(marker=marker, depth=opened + inner)

    @property
    def ending(self) -> bytes:
        """The marker after all calls."""
        return self.call_format.closing.encode()

    @property
    def closing_bytes(self) -> bytes:
        """A quotation mark, and what closes a text that has none."""
        markers = self.call_format.arguments
        closing = "" if markers is None or markers.quote is None else markers.quote or markers.after_value.lstrip()
        return super(CallsGrammar, self).closing_bytes + closing[:1].encode()

    def _schemas(self) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any] | None]:
        functions = [(name, json.loads(schema)) for name, schema in self.functions]
        return functions, None if self.answer is None else json.loads(self.answer)


def _with_definitions(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a schema as the one argument of a call, with its definitions where references look for them."""
    definitions = {word: part[word] for word in DEFINITIONS if word in part}
    inner = {word: value for word, value in part.items() if word not in DEFINITIONS}
    return {"type": "object", "properties": {"x": inner}, "required": ["x"], "additionalProperties": False, **definitions}


def _keys_of_texts(schemas: Sequence[Mapping[str, Any]]) -> set[str]:
    """The keys of arguments that are texts, if they are anything but null, in every function that has them."""
    kinds: dict[str, set[str]] = {}
    for schema in schemas:
        for key, inner in schema.get("properties", {}).items():
            kinds.setdefault(key, set()).update(kinds_of(inner, schema) or KINDS)
    return {key for key, found in kinds.items() if "string" in found <= {"string", "null"}}


@lru_cache(maxsize=256)
def _in_format(grammar: CallsGrammar, call_format: ToolCallTemplate) -> CallsGrammar:
    return replace(grammar, call_format=call_format)


def _call_schema(name: str, parameters: dict[str, Any], key: str) -> dict[str, Any]:
    """The schema of an object with a function's name and its arguments; definitions are moved up to where references look for them."""
    definitions: dict[str, Any] = {word: parameters.pop(word) for word in DEFINITIONS if word in parameters}
    properties: dict[str, Any] = {"name": {"const": name}, key: parameters}
    schema = {"type": "object", "properties": properties, "required": ["name", key], "additionalProperties": False}
    return schema | definitions


def _json_rule(name: str, schema: Mapping[str, Any]) -> str:
    return f"{name}: %json {_quoted({**schema, 'x-guidance': SEPARATORS})}"


def _sequence(*rules: str) -> str:
    return " ".join(rule for rule in rules if rule)


def _literal(text: str, token_ids: Mapping[str, int]) -> str:
    pieces: Sequence[str] = re.split(f"({'|'.join(map(re.escape, token_ids))})", text) if token_ids else [text]
    return _sequence(*(f"<[{token_ids[piece]}]>" if piece in token_ids else _quoted(piece) for piece in pieces if piece))


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
