"""`Grammar`: which texts an answer may be. JSON that a schema describes, what a regular expression matches, one of some texts, or calls.

Knows schemas and llguidance's form of them; knows no models, and of tokens only that a text may be one.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, cast

from llguidance import LLMatcher

from baco.checks import check_characters
from baco.errors import ConfigError
from baco.grammar import call_grammar
from baco.grammar.json_scan import JsonPosition
from baco.grammar.schemas import closed, distinct, parts
from baco.parsing.formats import HERMES, ToolCallTemplate

SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON is written as Python's `json.dumps` does it: one way, so that no token goes into spaces."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer may be, for `SamplingParams`. Use `json_schema`, `regex` or `choices`.

    Raises:
        ConfigError: it is no such thing, or uses what cannot be enforced.
    """

    kind: Literal["json", "regex", "choices", "calls"]
    source: str
    """The schema as JSON, the expression, the texts as JSON, or what `calls` was given as JSON."""

    def __post_init__(self) -> None:
        check_characters("`grammar`", self.source, ConfigError)
        try:
            problem, messages = LLMatcher.validate_grammar_with_warnings(self.compile())
        except ValueError as refusal:  # llguidance reads schemas of limited depth
            raise ConfigError(f"`grammar` cannot be enforced: {refusal}") from refusal
        if problem:
            # A regular expression is shown above what is wrong with it.
            lines = messages[0].splitlines()
            raise ConfigError(f"`grammar` cannot be enforced: {lines[0] if len(lines) == 1 else f'{lines[0]} {lines[-1]}'}")

    @classmethod
    def json_schema(cls, schema: Mapping[str, Any]) -> "Grammar":
        """JSON that a schema describes.

        An object with `properties` has no others unless the schema says `additionalProperties` (our own choice: else a model may add
        fields for ever, which nobody asked for). What llguidance cannot enforce is refused.
        """
        if not isinstance(schema, Mapping):
            raise ConfigError(f"`grammar` must be a JSON schema, a mapping, but is {schema!r}")
        enforced = closed(schema)
        try:
            source = json.dumps(enforced, ensure_ascii=False, allow_nan=False)
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
    def calls(
        cls,
        functions: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        several: bool,
        answer: Mapping[str, Any] | None,
        call_format: ToolCallTemplate = HERMES,
    ) -> "Grammar":
        """Calls of functions.

        Args:
            functions: names, and the schemas of their arguments.
            several: whether there may be more calls than one.
            answer: another schema, of JSON that there may be instead.
            call_format: how calls are written. An engine puts its pair's in the place of it.
        """
        given = {
            "functions": [[name, closed(schema)] for name, schema in functions],
            "several": several,
            "answer": None if answer is None else closed(answer),
            "format": asdict(call_format),
        }
        return cls("calls", json.dumps(given, ensure_ascii=False))

    def in_format(self, call_format: ToolCallTemplate) -> "Grammar":
        """The same calls, written in another form; a grammar of something else stays as it is."""
        return _in_format(self, call_format) if self.kind == "calls" else self

    @property
    def is_json(self) -> bool:
        """Whether there is syntax in it, as against plain text."""
        return self.kind in ("json", "calls")

    @property
    def control(self) -> tuple[str, ...]:
        """Texts in it that are control tokens in some vocabularies."""
        return tuple(json.loads(self.source)["format"]["control"]) if self.kind == "calls" else ()

    def beginning(self) -> JsonPosition:
        """The place where its JSON begins."""
        return call_grammar.beginning(json.loads(self.source)) if self.kind == "calls" else JsonPosition()

    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form. `token_ids`: those of the texts in `control` that are control tokens."""
        if self.kind == "json":
            return LLMatcher.grammar_from_json_schema(self.source, overrides=cast(Any, SEPARATORS))
        if self.kind == "regex":
            return LLMatcher.grammar_from_regex(self.source)
        if self.kind == "calls":
            return LLMatcher.grammar_from_lark(call_grammar.lark(json.loads(self.source), token_ids or {}, SEPARATORS))
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
        schemas = [*(schema for _, schema in source["functions"]), *answers]
        inner = _as_grammars(distinct(chain(answers, *(parts(schema) for schema in schemas))))
        # A further call is as long as one, with what stands between them.
        given = ToolCallTemplate(**{**source["format"], "control": self.control})
        alone = {"several": False, "answer": None, "format": asdict(replace(given, opening=given.opening + given.between))}
        return inner + [Grammar("calls", json.dumps({**alone, "functions": [function]})) for function in source["functions"]]


@lru_cache(maxsize=256)
def _in_format(grammar: Grammar, call_format: ToolCallTemplate) -> Grammar:
    return Grammar("calls", json.dumps({**json.loads(grammar.source), "format": asdict(call_format)}, ensure_ascii=False))


def _as_grammars(schemas: Sequence[str]) -> list[Grammar]:
    """Schemas as grammars, without those that refer to what is no part of them."""
    found = []
    for schema in schemas:
        with suppress(ConfigError):
            found.append(Grammar("json", schema))
    return found
