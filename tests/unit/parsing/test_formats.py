"""Calls written in each form, by hand and read back; their control tokens in answers."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES
from baco.parsing.llama3 import LLAMA3
from baco.parsing.mistral import MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall
from baco.text.detokenize import AnswerText
from tests.support.call_templates import FAMILIES
from tests.support.tokenizers import LLAMA_CONTROL, MISTRAL_CONTROL, byte_level_bpe, sentencepiece_like, with_control_tokens

FORMATS = [HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED, *(family.form for family in FAMILIES.values())]
NAMES = st.text(string.ascii_letters, min_size=1, max_size=9)


def values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.text()
    return st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=5)


def calls_in(form: ToolCallTemplate) -> st.SearchStrategy[list[tuple[str, dict[str, Any]]]]:
    """Calls with any arguments; where keys have no quotation marks, they are names."""
    keys = st.text() if form.arguments is None else NAMES
    return st.lists(st.tuples(NAMES, st.dictionaries(keys, values(keys))), min_size=1, max_size=3, unique_by=lambda call: call[0])


def with_schemas(form: ToolCallTemplate, calls: list[tuple[str, dict[str, Any]]]) -> ToolCallTemplate:
    """The format for tools whose schemas say of each argument what it is here."""
    kinds = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object", type(None): "null"}
    described = [(name, {key: {"type": kinds[type(value)]} for key, value in arguments.items()}) for name, arguments in calls]
    return form.for_tools([{"function": {"name": name, "parameters": {"properties": fields}}} for name, fields in described])


ARGUMENTS = ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "你好\n🎉", "\\", "}]"]
CALLS = [("weather", {"city": "Köln", "days": 2}), ("clock", {})]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (
            HERMES,
            '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln", "days": 2}}\n</tool_call>\n'
            '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
        ),
        (LLAMA3, '{"name": "weather", "parameters": {"city": "Köln", "days": 2}}; {"name": "clock", "parameters": {}}'),
        (MISTRAL, '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln", "days": 2}}, {"name": "clock", "arguments": {}}]'),
        (MISTRAL_NAMED, '[TOOL_CALLS]weather[ARGS]{"city": "Köln", "days": 2}[TOOL_CALLS]clock[ARGS]{}'),
        *((family.form, family.written) for family in FAMILIES.values()),
    ],
)
def test_calls_are_written_as_the_family_writes_them(form: ToolCallTemplate, written: str) -> None:
    assert form.write(CALLS) == written


@given(st.sampled_from(FORMATS).flatmap(lambda form: st.tuples(st.just(form), calls_in(form))))
def test_what_is_written_is_read_back(given_calls: tuple[ToolCallTemplate, list[tuple[str, dict[str, Any]]]]) -> None:
    form, calls = given_calls
    expected = [ToolCall(name=name, arguments=arguments) for name, arguments in calls]
    bound = with_schemas(form, calls)
    assert bound == form
    assert bound.reader().push(form.write(calls), final=True) == ("", expected)
    if form is not LLAMA3:
        assert bound.reader().push(f"Let me see.\n{form.write(calls)}", final=True) == ("Let me see.", expected)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_calls_come_one_character_at_a_time_as_they_come_whole(form: ToolCallTemplate) -> None:
    parser, content, calls = form.reader(), "", Calls()
    for character in form.write(CALLS):
        more, found = parser.push(character)
        content, calls = content + more, calls + found
    assert (content, calls) == ("", [ToolCall(name=name, arguments=arguments) for name, arguments in CALLS])
    assert parser.push("", final=True) == ("", [])


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_call_that_breaks_off_is_invalid_and_not_lost(form: ToolCallTemplate) -> None:
    written = form.write(CALLS[:1])
    body = written[: written.index("Köln") + 2]
    content, (call,) = form.reader().push(body, final=True)
    assert content == "" and isinstance(call, InvalidToolCall) and call.error
    assert call.text.endswith("Kö") and "weather" in call.text


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize(
    "argument", ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "你好\n🎉", "\\", "}]"]
)
def test_an_argument_may_hold_anything(form: ToolCallTemplate, argument: str) -> None:
    calls = [("say", {"text": argument})]
    assert with_schemas(form, calls).reader().push(form.write(calls), final=True) == (
        "",
        [ToolCall(name="say", arguments={"text": argument})],
    )


def test_a_message_has_its_calls_after_its_content() -> None:
    calls = [{"type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in CALLS]
    for form in FORMATS:
        assert form.with_written_calls({"content": "So:", "tool_calls": calls}) == "So:\n" + form.write(CALLS)
        assert form.with_written_calls({"content": "", "tool_calls": calls}) == form.write(CALLS)
        assert form.with_written_calls({"content": "So:"}) == "So:"


@pytest.mark.parametrize("make", [byte_level_bpe, sentencepiece_like])
@pytest.mark.parametrize("form", [form for form in FORMATS if form.control_tokens], ids=lambda form: form.name)
@pytest.mark.parametrize("special", [True, False])
def test_the_markers_of_calls_are_text_in_an_answer_that_shows_them(make: Any, form: ToolCallTemplate, special: bool) -> None:
    if make is sentencepiece_like and not special and "▁" in form.write(CALLS):
        return  # in such a vocabulary ▁ is a space
    tokenizer = make()
    if special:
        with_control_tokens(tokenizer, "", [*LLAMA_CONTROL, *MISTRAL_CONTROL, *form.control_tokens])
    else:
        tokenizer.add_tokens([*form.control_tokens])
    written = "<|python_tag|>" * (form is LLAMA3) + form.write(CALLS)
    ids = tokenizer(written, add_special_tokens=False)["input_ids"]
    assert any(tokenizer.convert_tokens_to_ids(text) in ids for text in form.control_tokens)
    answers = []
    for shown in (form.control_tokens, ()):
        answer = AnswerText(tokenizer, shown=shown)
        tokens = [token for token_id in ids for token in answer.push(token_id, False)] + answer.finish()
        answers.append("".join(token.text for token in tokens))
    assert answers[0].strip() == written
    assert form.reader().push(answers[0], final=True) == ("", [ToolCall(name=name, arguments=arguments) for name, arguments in CALLS])
    assert answers[1] == tokenizer.decode(ids, skip_special_tokens=True)
