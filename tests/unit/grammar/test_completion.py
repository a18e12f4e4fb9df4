"""Strings of a format, and others without a plain completion: whole and valid whatever room they have, and found or refused soon.

Validity is the verdict of readers that know no grammars. Answers are drawn without models, by guides alone, where models would add nothing.
"""

import datetime
import ipaddress
import json
import random
import re
import uuid
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from llguidance import LLMatcher
from transformers import PreTrainedTokenizerFast

from baco import ConfigError, Engine, Grammar, ModelPair, SamplingParams
from baco.engine.requests import vocabulary_of
from baco.grammar.compiled import CompiledGrammar, GrammarVocabulary
from baco.grammar.completion import shortest_completion
from baco.grammar.guide import Guide
from baco.grammar.json_scan import JsonPosition
from tests.support.gate import ahead_and_in_lockstep
from tests.support.tokenizers import byte_level_bpe, sentencepiece_like

LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"


def is_email(text: str) -> None:
    """Is one of RFC 5321's, without quotation marks."""
    local, _, domain = text.partition("@")
    assert re.fullmatch(rf"{ATOM}(\.{ATOM})*", local, re.ASCII)
    if domain.startswith("["):
        ipaddress.IPv4Address(domain[1:-1])
    else:
        assert re.fullmatch(rf"{LABEL}(\.{LABEL})*", domain)


def is_uri(text: str) -> None:
    """Has a scheme and what may follow it, and is one that Python takes apart."""
    assert urlsplit(text).scheme or not re.match("[a-z]", text), text
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*", text)
    assert not re.search(r"%(?![0-9A-Fa-f]{2})", text)


def is_duration(text: str) -> None:
    """Is one of ISO 8601's, and not empty."""
    assert re.fullmatch(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?", text)


def is_hostname(text: str) -> None:
    """Consists of labels that are not too long."""
    assert re.fullmatch(rf"{LABEL}(\.{LABEL})*", text) and max(map(len, text.split("."))) <= 63


FORMATS: dict[str, Callable[[str], Any]] = {
    "email": is_email,
    "date": datetime.date.fromisoformat,
    "date-time": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "duration": is_duration,
    "uuid": uuid.UUID,
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "hostname": is_hostname,
    "uri": is_uri,
}
STRINGS = {name: {"type": "string", "format": name} for name in FORMATS}
USER = {"type": "object", "properties": {name: STRINGS[name] for name in ("email", "date-time", "uri")}, "required": ["email", "date-time"]}


@pytest.fixture(scope="module")
def embedded() -> Engine:
    return Engine(ModelPair.from_pretrained(device="cpu", dtype="float32"))


@pytest.fixture(scope="module", params=["embedded", byte_level_bpe, sentencepiece_like], ids=lambda one: getattr(one, "__name__", one))
def vocabulary(request: pytest.FixtureRequest, embedded: Engine) -> GrammarVocabulary:
    if request.param == "embedded":
        return vocabulary_of(embedded.pair.info, "aligned")
    tokenizer: PreTrainedTokenizerFast = request.param()
    return GrammarVocabulary(tokenizer, len(tokenizer), [cast(int, tokenizer.eos_token_id)])


def drawn(compiled: CompiledGrammar, room: int, chance: random.Random) -> list[int]:
    """An answer of at most so many tokens, any allowed one as likely; a third of the time a sign, a third a character."""
    guide, token_ids = Guide(compiled, room), list[int]()
    while len(token_ids) < room:
        allowed = guide.allowed(token_ids)
        assert allowed is not None
        options = allowed.tokens.nonzero()[:, 0].tolist()
        wanted = chance.choice([r"[^\w\"]", ".", ".*"])
        some = [
            token_id for token_id in options if re.fullmatch(wanted, compiled.vocabulary.tokens.bytes[token_id].decode(errors="replace"))
        ]
        token_ids.append(chance.choice(some or options))
        if token_ids[-1] in compiled.vocabulary.end_ids:
            return token_ids[:-1]
    return token_ids


def text_of(compiled: CompiledGrammar, token_ids: list[int]) -> str:
    return b"".join(compiled.vocabulary.tokens.bytes[token_id] for token_id in token_ids).decode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_whole_and_valid_whatever_room_it_has(name: str, vocabulary: GrammarVocabulary) -> None:
    compiled, chance = vocabulary.compile(Grammar.json_schema(STRINGS[name])), random.Random(name)
    for more in (0, 2, 4, 5, 6, 7, 9, 30):
        for _ in range(4):
            FORMATS[name](json.loads(text_of(compiled, drawn(compiled, compiled.min_tokens + more, chance))))


def test_models_write_objects_with_formats_whole_whatever_room_they_have(embedded: Engine) -> None:
    grammar = Grammar.json_schema(USER)
    compiled = vocabulary_of(embedded.pair.info, "aligned").compile(grammar)
    for room in (compiled.min_tokens, compiled.min_tokens + 9, compiled.min_tokens + compiled.max_obligation + 5):
        for candidate in embedded.generate("A bird", SamplingParams(n=3, max_tokens=room, seed=room, grammar=grammar)).candidates:
            value = json.loads(candidate.text)
            assert {"email", "date-time"} <= value.keys()
            for name, text in value.items():
                FORMATS[name](text)


def test_running_ahead_changes_nothing_about_formats(embedded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode() -> list[Any]:
        answers = []
        for number, schema in enumerate([STRINGS["email"], STRINGS["ipv6"], USER]):
            grammar = Grammar.json_schema(schema)
            compiled = vocabulary_of(embedded.pair.info, "aligned").compile(grammar)
            params = SamplingParams(n=3, max_tokens=compiled.min_tokens + compiled.max_obligation + 5, seed=number, grammar=grammar)
            answers.append(embedded.generate("Name a pet rabbit.", params).candidates)
        return answers

    ahead, in_lockstep = ahead_and_in_lockstep(embedded, monkeypatch, decode)
    assert ahead == in_lockstep


@pytest.mark.parametrize("name", ["email", "time", "ipv4"])
def test_what_is_allowed_depends_on_the_tokens_before_and_not_on_what_was_asked(name: str, vocabulary: GrammarVocabulary) -> None:
    compiled, chance, detours = vocabulary.compile(Grammar.json_schema(STRINGS[name])), random.Random(f"asked {name}"), 0
    room = compiled.min_tokens + compiled.max_obligation + 4
    for _ in range(2):
        answer, other = drawn(compiled, room, chance), drawn(compiled, room, chance)
        steady, wandering = Guide(compiled, room), Guide(compiled, room)
        expected = [steady.allowed(answer[:length]) for length in range(len(answer) + 1)]
        for length in chance.sample(range(len(answer) + 1), 5):
            detours += wandering.allowed(answer[: length // 2] + other[length // 2 :]) is not None
            for guide in (wandering, Guide(compiled, room)):
                says, said = guide.allowed(answer[:length]), expected[length]
                assert says is not None and said is not None
                assert says.tokens.tolist() == said.tokens.tolist() and says.base_may_write == said.base_may_write
    assert detours


class Counted:
    """A matcher that counts how many masks it computes."""

    def __init__(self, matcher: LLMatcher) -> None:
        self.matcher, self.count = matcher, 0

    def __getattr__(self, name: str) -> Any:
        self.count += name == "compute_bitmask"
        return getattr(self.matcher, name)


def completion_of(grammar: Grammar, vocabulary: GrammarVocabulary) -> tuple[list[int] | None, int]:
    """The completion of an empty answer, and how many masks were computed to find it or to give up."""
    matcher = Counted(LLMatcher(vocabulary.tokens.tokenizer, grammar.compile(), log_level=0))
    position = JsonPosition() if grammar.is_json else None
    return shortest_completion(cast(LLMatcher, matcher), vocabulary.tokens.completion_scores, position, {}, b""), matcher.count


def test_the_completion_of_a_format_takes_few_masks(vocabulary: GrammarVocabulary) -> None:
    for schema in [*STRINGS.values(), USER]:
        completion, count = completion_of(Grammar.json_schema(schema), vocabulary)
        assert completion and count < 10_000, (schema, count)


LABELS = r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        (r"(ab)*cdefg", 5),
        (r"(ab)*c[0-9]{20}x", 22),
        (r"(a|b)*[0-9]{20}x", 21),
        (r"[A-Z][a-z]{2,8} [0-9]{4}", 8),
        (r"[a-f0-9]{128}", 128),
        (r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", 15),
        (rf"[A-Za-z0-9]{{1,24}}([._+-][A-Za-z0-9]{{1,12}}){{0,3}}@({LABELS}\.){{1,3}}[a-z]{{2,12}}", 6),
        (r"C:\\[a-z]+\\[a-z]+\.txt", 9),
        (r".{1500,}", 1500),
    ],
)
def test_a_short_completion_of_repetitions_is_found_in_strings_and_in_plain_text(
    pattern: str, least: int, vocabulary: GrammarVocabulary
) -> None:
    for grammar in (Grammar.regex(pattern), Grammar.json_schema({"type": "string", "pattern": f"^({pattern})$"})):
        compiled = vocabulary.compile(grammar)
        written = text_of(compiled, drawn(compiled, compiled.min_tokens, random.Random(1)))
        text = json.loads(written) if grammar.is_json else written
        assert re.fullmatch(pattern, text) and len(text) < 2 * least, text


def test_numbers_and_choices_that_lead_back_to_themselves_are_brought_to_an_end(vocabulary: GrammarVocabulary) -> None:
    seventh = vocabulary.compile(Grammar.json_schema({"type": "integer", "minimum": 1, "multipleOf": 7}))
    assert int(text_of(seventh, drawn(seventh, seventh.min_tokens, random.Random(1)))) % 7 == 0
    leaf = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}
    inner = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/inner"}, "minItems": 1, "maxItems": 2}, leaf]}
    compiled = vocabulary.compile(Grammar.json_schema({"$defs": {"inner": inner}, "$ref": "#/$defs/inner"}))
    assert json.loads(text_of(compiled, drawn(compiled, compiled.min_tokens, random.Random(1)))) in ({"a": True}, {"a": False})


def test_what_would_take_too_long_is_refused_after_bounded_work_and_named(vocabulary: GrammarVocabulary) -> None:
    endless = {"type": "string", "minLength": 100_000}
    completion, count = completion_of(Grammar.json_schema(endless), vocabulary)
    assert completion is None and count < 30_000
    grammar = Grammar.json_schema({"type": "object", "properties": {"fine": {"type": "string"}, "long": endless}})
    with pytest.raises(ConfigError, match=r'cannot be enforced: no text, or none short enough, .* for \{.*"properties": \{"long": '):
        vocabulary.compile(grammar)


@pytest.mark.parametrize("word", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
def test_bounds_of_integers_that_would_be_taken_for_others_are_refused(word: str) -> None:
    for bound in (10**30, -(2**63) - 1, 1e19):
        for kind in ({"type": "integer"}, {"type": ["null", "integer"]}, {}):
            with pytest.raises(ConfigError, match=f"from -9223372036854775808 to 9223372036854775807, but {word} is"):
                Grammar.json_schema({"type": "array", "items": {"allOf": [{**kind, word: bound}]}})
    Grammar.json_schema({"type": "object", "properties": {word: {"type": "integer", word: 10**17}}})
    Grammar.json_schema({"type": "number", "minimum": 10**30, "maximum": 10**30 + 5})
