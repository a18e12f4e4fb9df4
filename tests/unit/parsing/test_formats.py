"""Calls written in each form, by hand and read back; their control tokens in answers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES
from baco.parsing.llama3 import LLAMA3
from baco.parsing.mistral import MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import ToolCall
from baco.text.detokenize import AnswerText
from tests.support.tokenizers import LLAMA_CONTROL, MISTRAL_CONTROL, byte_level_bpe, sentencepiece_like, with_control_tokens

FORMATS = [HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
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
    ],
)
def test_calls_are_written_as_the_family_writes_them(form: ToolCallTemplate, written: str) -> None:
    assert form.write(CALLS) == written


@given(st.sampled_from(FORMATS), st.lists(st.tuples(NAMES, st.dictionaries(st.text(), JSON)), min_size=1, max_size=3))
def test_what_is_written_is_read_back(form: ToolCallTemplate, calls: list[tuple[str, dict[str, Any]]]) -> None:
    expected = [ToolCall(name=name, arguments=arguments) for name, arguments in calls]
    assert form.reader().push(form.write(calls), final=True) == ("", expected)
    if form is not LLAMA3:
        assert form.reader().push(f"Let me see.\n{form.write(calls)}", final=True) == ("Let me see.", expected)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize(
    "argument", ["</tool_call>", 'say "</tool_call>"', "<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "你好\n🎉", "\\", "}]"]
)
def test_an_argument_may_hold_anything(form: ToolCallTemplate, argument: str) -> None:
    assert form.reader().push(form.write([("say", {"text": argument})]), final=True) == (
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
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("special", [True, False])
def test_the_markers_of_calls_are_text_in_an_answer_that_shows_them(make: Any, form: ToolCallTemplate, special: bool) -> None:
    tokenizer = make()
    if special:
        with_control_tokens(tokenizer, "", [*LLAMA_CONTROL, *MISTRAL_CONTROL, *HERMES.control_tokens])
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
