"""Answers under a grammar: the reference's, token by token; whole whatever room they have; and syntax by the aligned model alone."""

import json
import pickle
import random
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from typing import Any, cast

import pytest

from baco import ConfigError, Engine, Grammar, ModelPair, Router, SamplingParams
from baco.engine.requests import vocabulary_of
from baco.grammar.constraints import calls_grammar
from baco.parsing.hermes import HERMES
from baco.parsing.tool_call import ToolCall
from tests.support.gate import ahead_and_in_lockstep
from tests.support.grammar_reference import in_value
from tests.support.marks import slow_but
from tests.support.oracle import Oracle
from tests.system.test_equivalence import NEAR_TIE, ROUTERS

NAMED = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"]}
SCHEMAS: dict[str, dict[str, Any]] = {
    "flat": NAMED,
    "a string": {"type": "string"},
    "a short string": {"type": "string", "minLength": 3, "maxLength": 9},
    "a number": {"type": "number"},
    "a list": {"type": "array", "items": {"type": "string"}},
    "a list of some": {"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 12}, "minItems": 2, "maxItems": 5},
    "choices": {"enum": ["red", "green", "a colour with a long name that few would ever choose", 7, None, True]},
    "optional": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}, "c": NAMED}},
    "either": {"anyOf": [{"type": "null"}, NAMED, {"type": "array", "items": NAMED, "minItems": 2}]},
    "nested": {
        "type": "object",
        "properties": {"who": NAMED, "friends": {"type": "array", "items": NAMED}},
        "required": ["who", "friends"],
    },
    "by reference": {
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {"value": {"type": "string"}, "below": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "required": ["value", "below"],
            }
        },
        "$ref": "#/$defs/tree",
    },
    "accents": {
        "type": "object",
        "properties": {"größe": {"enum": ["klein", "groß"]}, "名前": {"type": "string"}},
        "required": ["größe", "名前"],
    },
    "a pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
    "a date": {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}, "required": ["on"]},
    "free fields": {"type": "object", "additionalProperties": {"type": "string"}},
}
GRAMMARS = [
    *map(Grammar.json_schema, SCHEMAS.values()),
    Grammar.regex(r"[a-z ]{3,20}\.( [A-Z][a-z]+){1,3}"),
    Grammar.choices(["a", "an old man", "the end"]),
]
PROMPTS = ("A bird", "the old man said that", "Name a pet rabbit.")


COMPARED = 14
"""Tokens of each answer that are compared with the reference; `shortest_completion`, which ends an answer, has tests of its own."""


@pytest.mark.parametrize("arch", slow_but(["llama"], ["llama", "mistral", "gpt2"]))
def test_an_answer_under_a_grammar_is_the_one_that_the_reference_writes(
    arch: str, get_engine: Callable[[str], Engine], get_oracle: Callable[[str], Oracle]
) -> None:
    engine, oracle, chance = get_engine(arch), get_oracle(arch), random.Random(f"grammar {arch}")
    requests, settings = [], []
    for number in range(36):
        grammar = GRAMMARS[number % len(GRAMMARS)] if number % 5 else None
        name = chance.choice(list(ROUTERS))
        router = Router(name, **ROUTERS[name])
        asked: dict[str, Any] = {
            "seed": chance.getrandbits(60),
            "temperature": chance.choice([0, 0.8, 1.0, 1.4]),
            "top_k": chance.choice([0, 0, 12]),
            "top_p": chance.choice([1.0, 0.85]),
            "repetition_penalty": chance.choice([1.0, 1.0, 1.3]),
            "grammar": grammar,
        }
        compiled = None if grammar is None else vocabulary_of(engine.pair.info, router.models[-1]).compile(grammar)
        room = COMPARED if compiled is None else COMPARED + compiled.min_tokens + 4 * compiled.max_obligation
        requests += engine._requests([chance.choice(PROMPTS)], SamplingParams(**asked, max_tokens=room), router, "transcript")
        settings.append(asked)
    compared = 0
    engine._submit(requests)
    for request, asked in zip(requests, settings, strict=True):
        candidate = request.done.result().candidates[0]
        length = min(len(candidate.token_ids), COMPARED)
        params = SamplingParams(**asked, max_tokens=length)
        expected = oracle.decode(dict(request.prompt.token_ids), request.router, params, seed=request.seed)
        if expected.margin >= NEAR_TIE:
            assert candidate.token_ids[:length] == expected.token_ids, (asked, request.router)
            assert candidate.from_base[:length] == expected.from_base, (asked, request.router)
            compared += length
    assert compared > 250


@pytest.fixture(scope="module")
def embedded() -> Engine:
    return Engine(ModelPair.from_pretrained(device="cpu", dtype="float32"))


def test_json_is_whole_whatever_room_it_has_and_all_syntax_is_the_aligned_models(embedded: Engine) -> None:
    chance, written, short = random.Random(4), 0, 0
    requests = []
    for schema in SCHEMAS.values():
        grammar = Grammar.json_schema(schema)
        compiled = vocabulary_of(embedded.pair.info, "aligned").compile(grammar)
        for room in (
            compiled.min_tokens,
            compiled.min_tokens + 1,
            compiled.min_tokens + chance.randint(2, 20),
            compiled.min_tokens + compiled.max_obligation + 1,
            120,
        ):
            params = SamplingParams(n=4, max_tokens=room, seed=chance.getrandbits(60), grammar=grammar)
            requests.append(
                (schema, embedded._requests([chance.choice(PROMPTS)], params, Router("p-punc", threshold=0.9), "transcript")[0])
            )
    embedded._submit([request for _, request in requests])
    for schema, request in requests:
        for candidate in request.done.result().candidates:
            check(json.loads(candidate.text), schema)
            written, short = written + 1, short + (candidate.finish_reason == "length")
            text = ""
            for token in candidate.tokens:
                if token.from_base and token.text:
                    assert in_value(text) and '"' not in token.text, (text, token.text)
                text += token.text
    assert written == len(SCHEMAS) * 20 and short >= len(SCHEMAS), "some have room for no end token"


@pytest.mark.slow
def test_running_ahead_changes_nothing_about_how_an_answer_is_brought_to_its_end(embedded: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode() -> list[Any]:
        answers = []
        for number, schema in enumerate(SCHEMAS.values()):
            grammar = Grammar.json_schema(schema)
            compiled = vocabulary_of(embedded.pair.info, "aligned").compile(grammar)
            params = SamplingParams(n=3, max_tokens=compiled.min_tokens + compiled.max_obligation + 12, seed=number, grammar=grammar)
            answers.append(embedded.generate("Name a pet rabbit.", params).candidates)
        return answers

    ahead, in_lockstep = ahead_and_in_lockstep(embedded, monkeypatch, decode)
    assert ahead == in_lockstep


@pytest.mark.slow
def test_calls_are_whole_whatever_room_they_have(embedded: Engine) -> None:
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {"who": {"$ref": "#/$defs/who"}, "note": {"type": "string"}},
        "required": ["who"],
        "$defs": {"who": NAMED},
    }
    tools: list[dict[str, Any]] = [
        {"type": "function", "function": {"name": "greet", "parameters": parameters}},
        {"type": "function", "function": {"name": "wait"}},
    ]
    for several, answer in ((False, None), (True, None), (True, NAMED)):
        grammar = calls_grammar(tools, several=several, answer=answer)
        compiled = vocabulary_of(embedded.pair.info, "aligned").compile(grammar)
        for room in range(compiled.min_tokens, compiled.min_tokens + 3 * compiled.max_obligation, 47):
            params = SamplingParams(n=3, max_tokens=room, seed=room, temperature=1.4, grammar=grammar)
            for candidate in embedded.generate("Greet Anna.", params, tools=tools).candidates:
                text, calls = HERMES.reader().push(candidate.text, final=True)
                assert calls or answer is not None
                assert len(calls) < 2 or several
                for call in calls:
                    assert isinstance(call, ToolCall), candidate.text
                    check(call.arguments, {"greet": parameters, "wait": {"maxProperties": 0}}[call.name])
                if not calls:
                    check(json.loads(text), NAMED)


def check(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> None:
    """Check a value by the keywords that the schemas above use."""
    root = schema if root is None else root
    if "maxProperties" in schema:
        assert len(value) <= schema["maxProperties"]
    if "$ref" in schema:
        return check(value, root["$defs"][schema["$ref"].split("/")[-1]], root)
    if "enum" in schema:
        assert value in schema["enum"]
    if "anyOf" in schema:
        failures = 0
        for branch in schema["anyOf"]:
            try:
                check(value, branch, root)
            except AssertionError:
                failures += 1
        assert failures < len(schema["anyOf"])
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), (value, schema)
    if isinstance(value, str):
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        assert re.search(schema.get("pattern", ""), value)
        assert schema.get("format") != "date" or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for item in value:
            check(item, schema.get("items", {}), root)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        assert set(schema.get("required", ())) <= value.keys()
        assert not properties or value.keys() <= properties.keys()
        for name, inner in value.items():
            check(inner, properties.get(name, schema.get("additionalProperties", {})), root)
    if isinstance(value, int | float) and "minimum" in schema:
        assert schema["minimum"] <= value <= schema["maximum"]


def test_choices_and_expressions_are_matched_to_their_end(embedded: Engine) -> None:
    pattern, texts = r"[A-Z][a-z]{2,8} \d{4}", ["yes", "no", "it depends"]
    chosen = embedded.generate("Is it far?", SamplingParams(n=20, max_tokens=12, seed=1, grammar=Grammar.choices(texts)))
    assert {candidate.text for candidate in chosen.candidates} <= set(texts)
    assert len({candidate.text for candidate in chosen.candidates}) > 1
    matched = embedded.generate("Is it far?", SamplingParams(n=20, max_tokens=40, seed=1, grammar=Grammar.regex(pattern)))
    assert all(re.fullmatch(pattern, candidate.text) for candidate in matched.candidates)
    assert all(candidate.finish_reason == "stop" for candidate in (*chosen.candidates, *matched.candidates))


def test_an_answer_for_which_there_is_no_room_is_refused_before_any_work(embedded: Engine, passes: list[Any]) -> None:
    with pytest.raises(ConfigError, match="an answer can have 3 tokens here, but the shortest that was found for `grammar` takes"):
        embedded.generate("A bird", SamplingParams(max_tokens=3, grammar=Grammar.json_schema(NAMED)))
    assert not passes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grammar.json_schema({"type": "nonsense"}), "Invalid type"),
        (lambda: Grammar.json_schema({"$ref": "#/nowhere"}), "does not exist"),
        (lambda: Grammar.json_schema({"type": "string", "not": {}}), "not"),
        (lambda: Grammar.json_schema({"enum": []}), "grammar"),
        (lambda: Grammar.json_schema({"const": object()}), "is no JSON"),
        (lambda: Grammar.json_schema({"maximum": float("nan")}), "is no JSON"),
        (lambda: Grammar.json_schema("string"), "a mapping"),
        (lambda: Grammar.regex("(a"), "regex"),
        (lambda: Grammar.regex(""), "regular expression"),
        (lambda: Grammar.choices([]), "a list of texts"),
        (lambda: Grammar.choices("yes"), "a list of texts"),
        (lambda: Grammar.choices(["yes", ""]), "a list of texts"),
        (lambda: SamplingParams(grammar={"type": "string"}), "None or a Grammar"),
    ],
)
def test_what_cannot_be_enforced_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def each_kind() -> list[Grammar]:
    tool = {"type": "function", "function": {"name": "wait"}}
    return [Grammar.json_schema(NAMED), Grammar.regex("[a-z]+"), Grammar.choices(["yes", "no"]), calls_grammar([tool], answer=NAMED)]


def test_grammars_are_values() -> None:
    for number, (grammar, same) in enumerate(zip(each_kind(), each_kind(), strict=True)):
        assert grammar == same and hash(grammar) == hash(same) and repr(grammar) == repr(same)
        back = pickle.loads(pickle.dumps(grammar))
        assert back == grammar and hash(back) == hash(grammar) and back.compile() == grammar.compile()
        assert [grammar == other for other in each_kind()] == [number == place for place in range(4)]
        with pytest.raises(FrozenInstanceError):
            setattr(grammar, fields(cast(Any, grammar))[0].name, None)
    assert [grammar.kind for grammar in each_kind()] == ["json", "regex", "choices", "calls"]
    assert Grammar.choices(["no", "yes"]) != Grammar.choices(["yes", "no"])


def test_a_grammar_says_what_it_is_made_of() -> None:
    schema, pattern, texts, calls = each_kind()
    assert set(json.loads(schema.source)["properties"]) == {"name", "age"} and pattern.source == "[a-z]+"
    assert json.loads(texts.source) == ["yes", "no"]
    assert json.loads(calls.source)["functions"][0][0] == "wait" and json.loads(calls.source)["format"] == "hermes"
    assert [part.source for part in texts.parts()] == ['["yes"]', '["no"]'] and pattern.parts() == []
    assert [grammar.control_tokens for grammar in each_kind()] == [(), (), (), HERMES.control_tokens]


def test_objects_are_closed_unless_a_schema_says_otherwise() -> None:
    open_one = {"type": "object", "properties": {"a": {}}, "additionalProperties": True}
    schema = {"properties": {"x": {"properties": {"a": {}}}, "y": open_one}, "allOf": [{"properties": {"z": {}}}]}
    closed = json.loads(Grammar.json_schema({"$defs": {"d": schema}, "items": {"properties": {"b": {}}}}).source)
    assert closed["items"]["additionalProperties"] is False
    inner = closed["$defs"]["d"]
    assert "additionalProperties" not in inner and inner["allOf"] == [{"properties": {"z": {}}}]
    assert inner["properties"]["x"]["additionalProperties"] is False
    assert inner["properties"]["y"]["additionalProperties"] is True
