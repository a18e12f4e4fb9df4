"""`ArgumentRules`: the rules, in llguidance's form, of arguments that are written one by one instead of as a JSON object.

A text between markers has no quotation marks: it ends at the first closing marker. What is written as JSON is left to llguidance. Knows
schemas and markers; knows no tokens.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from baco.errors import ConfigError
from baco.grammar.formats import TEXT_FORMATS
from baco.grammar.grammar import SEPARATORS
from baco.grammar.schemas import DEFINITIONS
from baco.parsing.arguments import KINDS, MAX_REFERENCES, ArgumentMarkers, resolve

ANYTHING = "(?s:.*)"
KEY = "[A-Za-z_][A-Za-z0-9_]*"
"""What keys may be that a schema does not name (our own choice)."""
OF_TEXTS = ("minLength", "maxLength", "pattern", "format")
OF_OBJECTS = ("properties", "required", "additionalProperties")
OF_LISTS = ("items", "minItems", "maxItems")
NOTES = ("type", "title", "description", "default", "examples", "deprecated", "discriminator", *DEFINITIONS)
"""Keywords that say nothing about what a value may be, beside those that are read everywhere."""


class ArgumentRules:
    """The rules of one function's arguments."""

    def __init__(self, schema: Mapping[str, Any], markers: ArgumentMarkers, literal: Callable[[str], str], prefix: str) -> None:
        """Make the rules.

        Args:
            schema: of the arguments, closed.
            markers: what is written around them.
            literal: writes a text as a rule, with control tokens by their ids.
            prefix: with which the names of these rules begin.

        Raises:
            ConfigError: the schema asks for what can be held to in JSON only.
        """
        self.lines: list[str] = []
        """The rules, one a line."""
        self._whole, self._markers, self._literal, self._prefix = schema, markers, literal, prefix
        self._definitions = {word: schema[word] for word in DEFINITIONS if word in schema}
        self._known: dict[str, str] = {}
        """Names of rules by what they describe: a schema may contain itself."""
        self.start = self._either([self._arguments(branch) for branch in self._branches(schema)])
        """The rule of all arguments."""

    def _arguments(self, schema: Mapping[str, Any]) -> str:
        """Arguments in the order of the schema; what is not required may be left out."""
        self._check(schema)
        required, more = schema.get("required", ()), schema.get("additionalProperties", True)
        fields = [(self._field(self._literal(name), inner), name in required) for name, inner in schema.get("properties", {}).items()]
        if more is not False:
            between, further = self._literal(self._markers.between), self._field(f"/{KEY}/", more)
            fields.append((self._rule(f"{further} ({between} {further})*"), False))
        if not self._markers.between:
            return " ".join(field if needed else f"({field})?" for field, needed in fields)
        return self._separated(fields)

    def _separated(self, fields: Sequence[tuple[str, bool]]) -> str:
        """Fields with what stands between two, built from the last one on: what may follow a field, and what may begin with it."""
        between, after, beginning = self._literal(self._markers.between), "", ""
        for field, needed in reversed(fields):
            first = self._rule(f"{field} {after}")
            beginning = first if needed else self._rule(f"({first} | {beginning})" if beginning else f"({first})?")
            after = self._rule(f"{between} {first}" if needed else f"({between} {field})? {after}")
        return beginning

    def _field(self, key: str, schema: Any) -> str:
        texts, others = self._values(schema)
        ways = [f"{self._literal(self._markers.before_text)} ({self._either(texts)})"] if texts else []
        ways += [f"{self._literal(self._markers.before_value)} ({self._either(others)})"] if others else []
        return self._rule(f"{self._literal(self._markers.before_key)} {key} ({' | '.join(ways)})")

    def _values(self, schema: Any) -> tuple[list[str], list[str]]:
        """The rules of the texts and of the other values that a schema allows, up to the marker behind them.

        Raises:
            ConfigError: it allows none.
        """
        texts, others, end = list[str](), list[str](), self._literal(self._markers.after_value)
        for branch in self._branches(schema):
            listed = branch.get("enum", [branch["const"]] if "const" in branch else None)
            for value in listed or ():
                (texts if isinstance(value, str) else others).append(f"{self._literal(self._markers.value(value))} {end}")
            given = branch.get("type", [*KINDS])
            for kind in () if listed is not None else [given] if isinstance(given, str) else given:
                if kind == "string":
                    texts.append(self._text(branch))
                else:
                    others.append(f"{self._other(kind, branch)} {end}")
        if not texts and not others:
            raise ConfigError(f"`grammar` cannot be enforced: nothing meets {json.dumps(schema, ensure_ascii=False)}")
        return texts, others

    def _text(self, schema: Mapping[str, Any]) -> str:
        """A text, up to the first closing marker; a control token as marker is no character, so that no text holds it."""
        quote, end = self._markers.quote, self._markers.after_value
        if quote is None:
            return f"{self._json('string', schema)} {self._literal(end)}"
        patterns = [ANYTHING]
        if "pattern" in schema:
            patterns.append(_everywhere(schema["pattern"]))
        if "format" in schema:
            if schema["format"] not in TEXT_FORMATS:
                raise ConfigError(
                    f"`grammar` cannot be enforced: a text in this pair's calls cannot be held to the format {schema['format']!r}"
                )
            patterns.append(TEXT_FORMATS[schema["format"]])
        if "minLength" in schema or "maxLength" in schema:
            patterns.append(f"(?s:.{{{schema.get('minLength', 0)},{schema.get('maxLength', '')}}})")
        closing, control, rest = f" {self._literal(quote + end)}".partition(" <[")
        text = self._terminal(f"({' & '.join(map(_as_terminal, patterns))}){closing}")
        return f"{self._literal(quote)} {text if control else self._rule(text, '[lazy]')}{control}{rest}"

    def _other(self, kind: str, schema: Mapping[str, Any]) -> str:
        """A value of a type that is no text."""
        if kind == "boolean":
            return f"({self._literal(self._markers.words[0])} | {self._literal(self._markers.words[1])})"
        if kind == "null":
            return self._literal(self._markers.words[2])
        if self._markers.json_inside or kind not in ("object", "array"):
            return self._json(kind, schema)
        known = json.dumps([kind, schema], sort_keys=True)
        if known not in self._known:
            # The name comes first, since the schema may lead back to itself.
            name = self._known[known] = self._rule("")
            place = len(self.lines) - 1
            inner = self._arguments(schema) if kind == "object" else self._items(schema)
            left, right = "{}" if kind == "object" else "[]"
            self.lines[place] = f"{name}: {self._literal(left)} {inner} {self._literal(right)}"
        return self._known[known]

    def _items(self, schema: Mapping[str, Any]) -> str:
        self._check(schema)
        texts, others = self._values(schema.get("items", {}))
        item, between = self._either([*texts, *others]), self._literal(self._markers.between)
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if most == 0:
            return ""
        items = f"{item} ({between} {item}){{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
        return items if least else f"({items})?"

    def _json(self, kind: str, schema: Mapping[str, Any]) -> str:
        return self._rule(
            f"%json {json.dumps({**schema, 'type': kind, **self._definitions, 'x-guidance': SEPARATORS}, ensure_ascii=False)}"
        )

    def _branches(self, schema: Any, depth: int = 0) -> list[Mapping[str, Any]]:
        """The schemas that a schema stands for: its alternatives, and what they refer to."""
        if schema is False or depth > MAX_REFERENCES:
            return []
        rest = dict(schema) if isinstance(schema, Mapping) else {}
        for word in ("anyOf", "oneOf"):
            if word in rest:
                alternatives = rest.pop(word)
                return [branch for inner in alternatives for branch in self._branches(_both(rest, inner), depth + 1)]
        if "allOf" in rest:
            parts = rest.pop("allOf")
            if len(parts) == 1:
                return self._branches(_both(rest, parts[0]), depth + 1)
            raise ConfigError(
                "`grammar` cannot be enforced: a value in this pair's calls cannot be held to several schemas at once (`allOf`)"
            )
        if "$ref" in rest:
            return self._branches(_both(rest, resolve(rest.pop("$ref"), self._whole)), depth + 1)
        return [rest]

    def _check(self, schema: Mapping[str, Any]) -> None:
        """Raise where something is asked of an object or a list that is no JSON here, which only llguidance could hold it to."""
        unknown = sorted(word for word in schema if word not in (*NOTES, *OF_TEXTS, *OF_OBJECTS, *OF_LISTS))
        if unknown:
            raise ConfigError(f"`grammar` cannot be enforced: this pair's calls cannot be held to {', '.join(unknown)}")

    def _either(self, rules: Sequence[str]) -> str:
        return rules[0] if len(rules) == 1 else self._rule(" | ".join(dict.fromkeys(rules)))

    def _rule(self, body: str, attribute: str = "") -> str:
        name = f"{self._prefix}_{len(self.lines)}"
        self.lines.append(f"{name}{attribute}: {body}")
        return name

    def _terminal(self, body: str) -> str:
        name = f"{self._prefix.upper()}_{len(self.lines)}"
        self.lines.append(f"{name}: {body}")
        return name


def _both(outer: Mapping[str, Any], inner: Any) -> Any:
    """A schema with the keywords of another one, where both can be one; notes of the outer one count for nothing."""
    if not isinstance(inner, Mapping):
        return inner
    return {**{word: value for word, value in outer.items() if word == "type" or word not in NOTES}, **inner}


def _as_terminal(pattern: str) -> str:
    escaped = re.sub(r"\\.|/", lambda match: r"\/" if match[0][-1] == "/" else match[0], pattern, flags=re.DOTALL)
    return f"/{escaped}/".replace("\n", r"\n")


def _everywhere(pattern: str) -> str:
    """An expression that matches whole texts in which a schema's pattern is found anywhere."""
    begins, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    return f"{'' if begins else ANYTHING}(?:{pattern[begins : len(pattern) - ends]}){'' if ends else ANYTHING}"
