"""`Grammar`: which texts an answer may be. JSON that a schema describes, what a regular expression matches, one of some texts, or calls.

Knows schemas and llguidance's form of grammars; knows no models, and of tokens only that a text may be one.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Literal, cast

from llguidance import LLMatcher

from baco.checks import check_characters
from baco.errors import ConfigError
from baco.grammar import call_grammar
from baco.grammar.json_scan import JsonPosition
from baco.grammar.schemas import closed, distinct, parts
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES


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

    @staticmethod
    def calls(
        functions: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        several: bool,
        answer: Mapping[str, Any] | None,
        call_format: ToolCallTemplate = HERMES,
    ) -> "CallsGrammar":
        """Calls of functions.

        Args:
            functions: names, and the schemas of their arguments.
            several: whether there may be more than one call.
            answer: the schema of JSON that there may be instead of calls.
            call_format: how calls are written. An engine replaces it by its pair's.
        """
        written = tuple((name, json.dumps(closed(schema), ensure_ascii=False)) for name, schema in functions)
        return CallsGrammar(written, several, None if answer is None else json.dumps(closed(answer), ensure_ascii=False), call_format)

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

    def parts(self) -> "list[Grammar]":
        """Its parts, of which one more token can oblige an answer to write a whole one; [] if it is not taken apart."""
        return []

    def beginning(self) -> JsonPosition:
        """The position at which its JSON begins."""
        return JsonPosition()


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
        return LLMatcher.grammar_from_json_schema(self.schema, overrides=cast(Any, call_grammar.SEPARATORS))

    def parts(self) -> list[Grammar]:
        """Each field and each item that the schema knows."""
        return list(_grammars_of(parts(json.loads(self.schema))))


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

    def parts(self) -> list[Grammar]:
        """Each of the texts."""
        return [ChoicesGrammar((text,)) for text in self.texts]


@dataclass(frozen=True, slots=True)
class CallsGrammar(Grammar):
    """Calls of functions, in the format of a family of models."""

    kind = "calls"
    is_json = True
    functions: tuple[tuple[str, str], ...]
    """Names, and the schemas of their arguments as JSON."""
    several: bool
    answer: str | None
    """The schema, as JSON, of what there may be instead of calls."""
    call_format: ToolCallTemplate

    @property
    def source(self) -> str:
        """What `Grammar.calls` was given, as JSON."""
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
        """The grammar in llguidance's form. `token_ids`: ids of those `control_tokens` that a vocabulary has."""
        functions, answer = self._schemas()
        lark = call_grammar.lark(functions, answer, self.call_format, several=self.several, token_ids=token_ids or {})
        return LLMatcher.grammar_from_lark(lark)

    def parts(self) -> list[Grammar]:
        """The answer, each field and each item of all schemas, and a further call of each function."""
        functions, answer = self._schemas()
        answers = [] if answer is None else [answer]
        inner = _grammars_of(chain(answers, *(parts(schema) for schema in (*(schema for _, schema in functions), *answers))))
        # A further call is as long as one alone, with what stands between two.
        further = replace(self.call_format, opening=self.call_format.opening + self.call_format.between)
        return [*inner, *(CallsGrammar((function,), False, None, further) for function in self.functions)]

    def beginning(self) -> JsonPosition:
        """The position at which its JSON begins."""
        return call_grammar.beginning(self.call_format, or_answer=self.answer is not None)

    def _schemas(self) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, Any] | None]:
        functions = [(name, json.loads(schema)) for name, schema in self.functions]
        return functions, None if self.answer is None else json.loads(self.answer)


@lru_cache(maxsize=256)
def _in_format(grammar: CallsGrammar, call_format: ToolCallTemplate) -> CallsGrammar:
    return replace(grammar, call_format=call_format)


def _grammars_of(schemas: Iterable[dict[str, Any]]) -> Iterator[Grammar]:
    """Schemas as grammars, without duplicates and without those that refer to what is not in them."""
    for schema in distinct(schemas):
        with suppress(ConfigError):
            yield JsonGrammar(schema)
