"""`CallsGrammar`: calls of functions in the format of a family of models; in such an answer the base writes the values of arguments.

Knows schemas and formats of calls; knows tokens only by their ids.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

from llguidance import LLMatcher

from baco.grammar.grammar import SEPARATORS, Grammar, distinct_grammars
from baco.grammar.json_scan import JsonPosition
from baco.grammar.schemas import DEFINITIONS, parts
from baco.parsing.formats import ToolCallTemplate


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
        (functions, answer), form, ids = self._schemas(), self.call_format, token_ids or {}
        names, schemas = list[str](), dict[str, Mapping[str, Any]]()
        for index, (name, parameters) in enumerate(functions):
            rule = f"schema{index}"
            schemas[rule] = parameters if form.key is None else _call_schema(name, parameters, form.key)
            names.append(rule if form.key is not None else _sequence(_quoted(name), _literal(form.middle, ids), rule))
        if answer is not None:
            schemas["answer"] = answer
        further = f"({_sequence(_literal(form.between, ids), 'one')})*" if self.several else ""
        calls = _sequence(_literal(form.opening, ids), "one", further, _literal(form.closing, ids))
        one = _sequence(_literal(form.before, ids), f"({' | '.join(names)})", _literal(form.after, ids))
        lines = [f"start: {calls}" + ("" if answer is None else " | answer"), f"one: {one}"]
        for rule, schema in schemas.items():
            lines.append(f"{rule}: %json {_quoted({**schema, 'x-guidance': SEPARATORS})}")
        return LLMatcher.grammar_from_lark("\n".join(lines))

    def parts(self) -> Sequence[Grammar]:
        """The answer, each field and each item of all schemas, and a further call of each function."""
        functions, answer = self._schemas()
        answers = [] if answer is None else [answer]
        inner = distinct_grammars(chain(answers, *(parts(schema) for schema in (*(schema for _, schema in functions), *answers))))
        # A further call is as long as one alone, with what stands between two.
        further = replace(self.call_format, opening=self.call_format.opening + self.call_format.between)
        return [*inner, *(CallsGrammar((function,), False, None, further) for function in self.functions)]

    def beginning(self) -> JsonPosition:
        """The position at which an answer begins, which knows where the values of arguments are.

        Another answer than calls is recognised by its beginning. Where both begin alike, with a field "name", the strings of its outermost
        object are left to the aligned model too (our own choice).
        """
        around = self.call_format.opening + self.call_format.before
        depth = around.count("[") - around.count("]") + (1 if self.call_format.key is None else 2)
        marker = around or '{"name": "'
        return JsonPosition(marker=b"" if self.answer is None else marker.encode(), depth=depth)

    def _schemas(self) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any] | None]:
        functions = [(name, json.loads(schema)) for name, schema in self.functions]
        return functions, None if self.answer is None else json.loads(self.answer)


@lru_cache(maxsize=256)
def _in_format(grammar: CallsGrammar, call_format: ToolCallTemplate) -> CallsGrammar:
    return replace(grammar, call_format=call_format)


def _call_schema(name: str, parameters: dict[str, Any], key: str) -> dict[str, Any]:
    """The schema of an object with a function's name and its arguments; definitions are moved up to where references look for them."""
    definitions: dict[str, Any] = {word: parameters.pop(word) for word in DEFINITIONS if word in parameters}
    properties: dict[str, Any] = {"name": {"const": name}, key: parameters}
    schema = {"type": "object", "properties": properties, "required": ["name", key], "additionalProperties": False}
    return schema | definitions


def _sequence(*rules: str) -> str:
    return " ".join(rule for rule in rules if rule)


def _literal(text: str, token_ids: Mapping[str, int]) -> str:
    pieces: Sequence[str] = re.split(f"({'|'.join(map(re.escape, token_ids))})", text) if token_ids else [text]
    return _sequence(*(f"<[{token_ids[piece]}]>" if piece in token_ids else _quoted(piece) for piece in pieces if piece))


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
