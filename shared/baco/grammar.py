"""`Grammar`: which texts an answer may be. JSON that a schema describes, what a regular expression matches, or one of some texts.

Knows schemas and llguidance's form of them; knows no tokens and no models.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, cast

from llguidance import LLMatcher

from baco.errors import ConfigError
from baco.schemas import closed, distinct, parts

SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON is written as Python's `json.dumps` does it: one way, so that no token goes into spaces."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer may be, for `SamplingParams`. Use `json_schema`, `regex` or `choices`.

    Raises:
        ConfigError: it is no such thing, or uses what cannot be enforced.
    """

    kind: Literal["json", "regex", "choices", "marked"]
    source: str
    """The schema as JSON, the expression, the texts as JSON, or what `marked` was given as JSON."""

    def __post_init__(self) -> None:
        problem, messages = LLMatcher.validate_grammar_with_warnings(self.compile())
        if problem:
            raise ConfigError(f"`grammar` cannot be enforced: {messages[0].splitlines()[0]}")

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any]) -> "Grammar":
        """JSON that a schema describes.

        An object with `properties` has no others unless the schema says `additionalProperties` (our own choice: else a model may add
        fields for ever, which nobody asked for). What llguidance cannot enforce is refused.
        """
        if not isinstance(schema, Mapping):
            raise ConfigError(f"`grammar` must be a JSON schema, a mapping, but is {schema!r}")
        try:
            source = json.dumps(closed(schema), ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"`grammar` must be a JSON schema, but is no JSON: {error}") from error
        return cls("json", source)

    @classmethod
    def regex(cls, pattern: str) -> "Grammar":
        """Texts that an expression matches from beginning to end (Rust's syntax: no look-around and no back-references)."""
        if not isinstance(pattern, str) or not pattern:
            raise ConfigError(f"`grammar` must be a regular expression, but is {pattern!r}")
        return cls("regex", pattern)

    @classmethod
    def choices(cls, texts: Sequence[str]) -> "Grammar":
        """One of some texts."""
        listed = not isinstance(texts, str) and len(texts) > 0 and all(isinstance(text, str) and text for text in texts)
        if not listed:
            raise ConfigError(f"`grammar` must be a list of texts, none of them empty, but is {texts!r}")
        return cls("choices", json.dumps(list(texts), ensure_ascii=False))

    @classmethod
    def marked(
        cls, schemas: Sequence[Mapping[str, Any]], *, markers: tuple[str, str], several: bool, answer: Mapping[str, Any] | None
    ) -> "Grammar":
        """JSON between two markers, on lines of their own.

        Args:
            schemas: one of them describes what stands between the markers.
            markers: before and after it.
            several: whether there may be more than one such piece.
            answer: another schema, of JSON without markers that there may be instead.
        """
        given = {
            "schemas": [closed(schema) for schema in schemas],
            "markers": markers,
            "several": several,
            "answer": None if answer is None else closed(answer),
        }
        return cls("marked", json.dumps(given, ensure_ascii=False))

    @property
    def is_json(self) -> bool:
        """Whether there is syntax in it, as against plain text."""
        return self.kind in ("json", "marked")

    def compile(self) -> str:
        """The grammar in llguidance's form."""
        if self.kind == "json":
            return LLMatcher.grammar_from_json_schema(self.source, overrides=cast(Any, SEPARATORS))
        if self.kind == "regex":
            return LLMatcher.grammar_from_regex(self.source)
        if self.kind == "marked":
            return LLMatcher.grammar_from_lark(_lark(json.loads(self.source)))
        options = " | ".join(json.dumps(text, ensure_ascii=False) for text in json.loads(self.source))
        return LLMatcher.grammar_from_lark(f"start: {options}")

    def parts(self) -> "list[Grammar]":
        """Its parts, each of which one more token can oblige an answer to write."""
        if self.kind == "choices":
            return [Grammar.choices([text]) for text in json.loads(self.source)]
        if not self.is_json:
            return []
        source = json.loads(self.source)
        if self.kind == "json":
            return _as_grammars(distinct(parts(source)))
        answers = [] if source["answer"] is None else [source["answer"]]
        inner = _as_grammars(distinct(chain(answers, *(parts(schema) for schema in (*source["schemas"], *answers)))))
        pieces = [json.dumps({**source, "schemas": [schema], "several": False, "answer": None}) for schema in source["schemas"]]
        return inner + [Grammar("marked", piece) for piece in pieces]


def _lark(source: Mapping[str, Any]) -> str:
    """What `Grammar.marked` was given, in llguidance's own notation."""
    before, after = (json.dumps(text, ensure_ascii=False) for text in (f"{source['markers'][0]}\n", f"\n{source['markers'][1]}"))
    schemas = {f"schema{index}": schema for index, schema in enumerate(source["schemas"])}
    lines = [
        ('start: one ("\\n" one)*' if source["several"] else "start: one") + ("" if source["answer"] is None else " | answer"),
        f"one: {before} ({' | '.join(schemas)}) {after}",
    ]
    for name, schema in (schemas | ({} if source["answer"] is None else {"answer": source["answer"]})).items():
        lines.append(f"{name}: %json {json.dumps({**schema, 'x-guidance': SEPARATORS}, ensure_ascii=False)}")
    return "\n".join(lines)


def _as_grammars(schemas: Sequence[str]) -> list[Grammar]:
    """Schemas as grammars, without those that refer to what is no part of them."""
    found = []
    for schema in schemas:
        with suppress(ConfigError):
            found.append(Grammar("json", schema))
    return found
