"""Calls that transformers reads by a tokenizer's own description of answers: as its `parse_response` does, and streamed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baco import Engine, SamplingParams
from baco.errors import PairError
from baco.parsing.detection import tool_call_format
from baco.parsing.response_template import ResponseTemplate
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall
from tests.support.pairs import make_pair
from tests.support.tokenizers import QWEN_TEMPLATE, byte_level_bpe, with_control_tokens

TEMPLATE = QWEN_TEMPLATE.replace('{"name": "', "<operation=").replace('", "arguments": ', ">")
"""Calls in a form that baco does not know."""
XML: dict[str, Any] = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "reasoning_content": {"open": "<think>", "close": "</think>", "content": "text"},
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>\s*<function=(?P<name>[^>\n]+)>",
            "close_pattern": r"</function>\s*</tool_call>",
            "repeats": True,
            "content": "xml-inline",
            "content_args": {"tag_pattern": r"<parameter=(?P<key>[^>\n]+)>\s*(?P<value>.*?)\s*</parameter>"},
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close_pattern": r"\s*<\|im_end\|>", "content": "text"},
    },
}
JSON: dict[str, Any] = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"<\|tool_call>call:(?P<name>\w+)",
            "close": "<tool_call|>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": {"name": "{name}", "arguments": "{content}"}},
        },
        "content": {"close": "<turn|>", "content": "text"},
    },
}
DAYS = {"type": "object", "properties": {"days": {"type": "integer"}, "city": {"type": "string"}}}
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": DAYS}}]
PROMPT = "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n"
WEATHER = (
    "<tool_call>\n<function=weather>\n<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>"
)
TEXTS = [
    "Good day.",
    WEATHER,
    f"I look.\n{WEATHER}\n{WEATHER}",
    f"<think>\nHm.\n</think>\n\nI look.\n\n{WEATHER}",
    " a < b ",
    "",
]


def described(template: dict[str, Any], *control: str) -> Any:
    tokenizer = with_control_tokens(byte_level_bpe(), TEMPLATE, control)
    tokenizer.response_template = template
    return tokenizer


@pytest.mark.parametrize("text", TEXTS)
def test_whole_answers_are_read_as_transformers_reads_them(text: str) -> None:
    tokenizer = described(XML)
    expected = tokenizer.parse_response(text, prefix=PROMPT, tools=TOOLS)
    content, calls = ResponseTemplate.of(tokenizer, PROMPT, TOOLS).reader().push(text, final=True)
    assert content == expected.get("content", "")
    assert [{"name": call.name, "arguments": call.arguments} for call in calls if isinstance(call, ToolCall)] == [
        call["function"] for call in expected.get("tool_calls", [])
    ]
    assert len(calls) == text.count("<tool_call>")
    assert all(isinstance(call, ToolCall) and call.arguments == {"city": "Köln", "days": 2} for call in calls)


FORMS = [ResponseTemplate.of(described(template), PROMPT, TOOLS) for template in (XML, JSON)]
PARTS = [WEATHER, "<tool_call>", "</tool_call>", "<|tool_call>call:a", "{}", "{", "<tool_call|>", " ", "\n", "x", "<"]


@given(st.lists(st.sampled_from(PARTS), max_size=8), st.data())
def test_how_an_answer_is_cut_into_pieces_makes_no_difference(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    for form in FORMS:
        parser, content, calls, rest = form.reader(), "", Calls(), text
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            more, found = parser.push(rest[:size])
            content, calls, rest = content + more, calls + found, rest[size:]
        more, found = parser.push("", final=True)
        assert (content + more, calls + found) == form.reader().push(text, final=True)


def test_content_is_streamed_and_each_call_comes_as_soon_as_it_is_whole() -> None:
    parser = ResponseTemplate.of(described(JSON), PROMPT, TOOLS).reader()
    assert [parser.push(piece) for piece in ("I ", "look.\n", "<|tool", '_call>call:weather{"days": 2}<tool_cal')] == [
        ("I", []),
        (" look.", []),
        ("", []),
        ("", []),
    ]
    assert parser.push("l|>") == ("", [ToolCall(name="weather", arguments={"days": 2})])
    assert parser.push("\nDone.") == ("\nDone.", [])
    assert parser.push("", final=True) == ("", [])


@pytest.mark.parametrize(
    ("text", "content", "invalid"),
    [
        ('So: <|tool_call>call:weather{"days": 2<tool_call|> More.', "So:", '<|tool_call>call:weather{"days": 2<tool_call|> More.'),
        ("So: <|tool_call>call:weather[1]<tool_call|>", "So:", "<|tool_call>call:weather[1]<tool_call|>"),
        ('<|tool_call>call:weather{"da', "", '<|tool_call>call:weather{"da'),
    ],
)
def test_what_transformers_cannot_read_is_an_invalid_call_and_not_dropped(text: str, content: str, invalid: str) -> None:
    found, (call,) = ResponseTemplate.of(described(JSON), PROMPT, TOOLS).reader().push(text, final=True)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (found, call.text) == (content, invalid)


def test_control_tokens_of_the_description_are_shown_and_those_that_end_the_answer_are_not() -> None:
    tokenizer = described(JSON, "<|tool_call>", "<tool_call|>", "<turn|>", "<|other|>")
    assert set(ResponseTemplate.of(tokenizer, "", []).control_tokens) == {"<|tool_call>", "<tool_call|>"}


def test_a_description_that_transformers_refuses_is_named() -> None:
    with pytest.raises(PairError, match="response_template"):
        ResponseTemplate.of(described({"fields": {}}), "", [])


def test_an_engine_reads_by_the_description_where_the_form_is_not_known() -> None:
    tokenizer = described(XML)
    result = Engine(make_pair("llama", tokenizer)).generate(
        "x", SamplingParams(max_tokens=3, seed=1), tools=[{"type": "function", "function": {"name": "a"}}]
    )
    form = result.format.tool_calls
    assert isinstance(form, ResponseTemplate) and form.reader().push(f"So.{WEATHER}", final=True)[0] == "So."
    assert form.prompt == tokenizer.decode(result.prompt_token_ids["aligned"])
    assert tool_call_format(described(XML), [], TOOLS).name == "response_template"
