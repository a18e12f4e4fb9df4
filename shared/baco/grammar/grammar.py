"""`Grammar`: which texts an answer may be. JSON that a schema describes, what a regular expression matches, or one of some texts.

Knows schemas and llguidance's form of grammars; knows no models, and of tokens only that a text may be one.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

from llguidance import LLMatcher

from baco.checks import check_characters
from baco.errors import ConfigError
from baco.grammar.argument_position import ArgumentPosition
from baco.grammar.json_scan import QUOTE, JsonPosition
from baco.grammar.schemas import closed, parts

Position = JsonPosition | ArgumentPosition
"""Where in an answer with syntax one is."""
SEPARATORS = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON is written as Python's `json.dumps` writes it: in one way, so that no token is spent on white space."""


class Grammar(ABC):
    """What an answer may be, for `SamplingParams`. Made by `json_schema`, `regex` or `choices`.

    Raises:
        ConfigError: it is no such thing, or uses what cannot be enforced.
    """

    __slots__ = ()
    kind: ClassVar[Literal["json", "regex", "choices", "calls"]]
    is_json: ClassVar[bool]
    """Whether its texts have syntax, which the aligned model writes, as against plain text."""

    @staticmethod
    def json_schema(schema: Mapping[str, Any]) -> "JsonGrammar":
        """JSON that a schema describes.

        An object with `properties` has no others unless the schema says `additionalProperties` (our own choice: otherwise a model may add
        fields without end, which nobody asked for). What llguidance cannot enforce is refused.
        """
        if not isinstance(schema, Mapping):
            raise ConfigError(f"`grammar` must be a JSON schema, a mapping, but is {schema!r}")
        enforced = closed(schema)
        try:
            written = json.dumps(enforced, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"`grammar` must be a JSON schema, but is no JSON: {error}") from error
        return JsonGrammar(written)

    @staticmethod
    def regex(pattern: str) -> "RegexGrammar":
        """Texts that an expression matches from beginning to end (Rust's syntax: no look-around and no back-references)."""
        if not isinstance(pattern, str) or not pattern:
            raise ConfigError(f"`grammar` must be a regular expression, but is {pattern!r}")
        return RegexGrammar(pattern)

    @staticmethod
    def choices(texts: Sequence[str]) -> "ChoicesGrammar":
        """One of some texts."""
        listed = not isinstance(texts, str) and len(texts) > 0 and all(isinstance(text, str) and text for text in texts)
        if not listed:
            raise ConfigError(f"`grammar` must be a list of texts, none of them empty, but is {texts!r}")
        return ChoicesGrammar(tuple(texts))

    def __post_init__(self) -> None:
        check_characters("`grammar`", self.source, ConfigError)
        try:
            problem, messages = LLMatcher.validate_grammar_with_warnings(self.compile())
        except ValueError as refusal:  # llguidance reads schemas of limited depth
            raise ConfigError(f"`grammar` cannot be enforced: {refusal}") from refusal
        if problem:
            # llguidance shows a regular expression above what is wrong with it.
            lines = messages[0].splitlines()
            raise ConfigError(f"`grammar` cannot be enforced: {lines[0] if len(lines) == 1 else f'{lines[0]} {lines[-1]}'}")

    @property
    @abstractmethod
    def source(self) -> str:
        """The grammar as text, for errors."""

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """Texts in it that are control tokens in some vocabularies."""
        return ()

    @abstractmethod
    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form. `token_ids`: ids of those `control_tokens` that a vocabulary has."""

    def parts(self) -> "Sequence[Grammar]":
        """Its parts, of which one more token can oblige an answer to write a whole one; [] if it is not taken apart."""
        return []

    def beginning(self) -> Position:
        """The position at which an answer begins, if it has syntax."""
        return JsonPosition()

    @property
    def ending(self) -> bytes:
        """What ends an answer that might go on, once its parts are whole."""
        return b""

    @property
    def closing_bytes(self) -> bytes:
        """Bytes that a token may end a value with, if there is syntax: the base model writes none of them."""
        return bytes([QUOTE])


@dataclass(frozen=True, slots=True)
class JsonGrammar(Grammar):
    """JSON that a schema describes."""

    kind = "json"
    is_json = True
    schema: str
    """The schema as JSON, which can be hashed."""

    @property
    def source(self) -> str:
        """The schema."""
        return self.schema

    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form."""
        return LLMatcher.grammar_from_json_schema(self.schema, overrides=cast(Any, SEPARATORS))

    def parts(self) -> Sequence[Grammar]:
        """Each field and each item that the schema knows."""
        return distinct_grammars(parts(json.loads(self.schema)))


@dataclass(frozen=True, slots=True)
class RegexGrammar(Grammar):
    """What a regular expression matches."""

    kind = "regex"
    is_json = False
    pattern: str

    @property
    def source(self) -> str:
        """The expression."""
        return self.pattern

    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form."""
        return LLMatcher.grammar_from_regex(self.pattern)


@dataclass(frozen=True, slots=True)
class ChoicesGrammar(Grammar):
    """One of some texts."""

    kind = "choices"
    is_json = False
    texts: tuple[str, ...]

    @property
    def source(self) -> str:
        """The texts as JSON."""
        return json.dumps(self.texts, ensure_ascii=False)

    def compile(self, token_ids: Mapping[str, int] | None = None) -> str:
        """The grammar in llguidance's form."""
        return LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(text, ensure_ascii=False) for text in self.texts))

    def parts(self) -> Sequence[Grammar]:
        """Each of the texts."""
        return [ChoicesGrammar((text,)) for text in self.texts]


def distinct_grammars(schemas: Iterable[dict[str, Any]]) -> list[Grammar]:
    """Schemas as grammars, without duplicates and without those that refer to what is not in them."""
    grammars = list[Grammar]()
    for schema in dict.fromkeys(json.dumps(schema, ensure_ascii=False) for schema in schemas):
        with suppress(ConfigError):
            grammars.append(JsonGrammar(schema))
    return grammars
