"""The form in which a pair writes calls, found out from its chat template; and templates that write none, or others."""

import json
from typing import Any

import pytest

from baco import Engine, Router, SamplingParams
from baco.errors import ChatTemplateError, ConfigError
from baco.grammar.constraints import calls_grammar
from baco.parsing.answer import AnswerFormat
from baco.parsing.deepseek import DEEPSEEK_V3
from baco.parsing.detection import detect_tool_calls, find_reasoning, tool_call_format
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.granite import GRANITE
from baco.parsing.hermes import HERMES
from baco.parsing.llama3 import LLAMA3
from baco.parsing.mistral import MISTRAL, MISTRAL_NAMED
from baco.parsing.tool_call import ToolCall
from baco.text.prompts import build_prompt, encode_chat, normalise
from tests.support.call_templates import FAMILIES
from tests.support.pairs import make_pair
from tests.support.tokenizers import (
    CHAT_TEMPLATE,
    HERMES_TEMPLATE,
    LLAMA_CONTROL,
    LLAMA_TEMPLATE,
    MISTRAL_CONTROL,
    MISTRAL_NAMED_TEMPLATE,
    MISTRAL_TEMPLATE,
    QWEN_TEMPLATE,
    byte_level_bpe,
    sentencepiece_like,
    with_control_tokens,
)

TEMPLATES = {
    QWEN_TEMPLATE: HERMES,
    HERMES_TEMPLATE: HERMES,
    LLAMA_TEMPLATE: LLAMA3,
    MISTRAL_TEMPLATE: MISTRAL,
    MISTRAL_NAMED_TEMPLATE: MISTRAL_NAMED,
    **{family.template: family.form for family in FAMILIES.values()},
}
NAMES = ["qwen", "hermes-3", "llama3", "mistral", "mistral-named", *FAMILIES]
CONTROL = (*LLAMA_CONTROL, *MISTRAL_CONTROL, *(token for family in FAMILIES.values() for token in family.form.control_tokens))
TOOLS: list[Any] = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("weather", "clock")]
CALLS = [("weather", {"city": "Köln", "days": [1, 2]}), ("clock", {})]
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather and time?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}} for name, arguments in CALLS
        ],
    },
    {"role": "tool", "content": "noon", "tool_call_id": "call_clock"},
    {"role": "tool", "content": "sunny", "tool_call_id": "call_weather"},
    {"role": "user", "content": "Thanks."},
]


def unknown_template() -> str:
    """Calls between Qwen's markers, but not as JSON."""
    return QWEN_TEMPLATE.replace('{"name": "', "<does=").replace('", "arguments": ', ">")


@pytest.mark.parametrize("make", [byte_level_bpe, sentencepiece_like])
@pytest.mark.parametrize(("template", "form"), TEMPLATES.items(), ids=NAMES)
def test_a_template_shows_its_form_and_what_it_writes_is_read_back(make: Any, template: str, form: ToolCallTemplate) -> None:
    tokenizer = with_control_tokens(make(), template, CONTROL)
    assert detect_tool_calls(tokenizer) == form
    if form == GRANITE:  # its template leaves calls out
        return
    arguments = json.dumps(CALLS[0][1], ensure_ascii=False) if form == DEEPSEEK_V3 else CALLS[0][1]
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    chat = [CHAT[1], {"role": "assistant", "content": "", "tool_calls": [call]}]
    text = str(tokenizer.apply_chat_template(chat, tools=TOOLS, tokenize=False))
    before = str(tokenizer.apply_chat_template(chat[:1], tools=TOOLS, tokenize=False, add_generation_prompt=True))
    assert text.startswith(before)
    answer = text.removeprefix(before).strip().removesuffix("</s>").removesuffix("<|im_end|>").removesuffix("<|eot_id|>")
    read = AnswerFormat(reasoning=find_reasoning(template), tool_calls=form).read(answer)
    assert (read.content, read.calls) == ("", [ToolCall(name="weather", arguments=CALLS[0][1])])


def test_white_space_and_fields_are_those_of_the_template() -> None:
    tight = MISTRAL_TEMPLATE.replace("[TOOL_CALLS] [", "[TOOL_CALLS][")
    tagged = LLAMA_TEMPLATE.replace('{"name": "\' + call', '<|python_tag|>{"name": "\' + call')
    for template, expected in (
        (tight, '[TOOL_CALLS][{"name": "a", "arguments": {}}]'),
        (tagged, '<|python_tag|>{"name": "a", "parameters": {}}'),
        (LLAMA_TEMPLATE.replace("'\"parameters\": '", "'\"arguments\": '"), '{"name": "a", "arguments": {}}'),
    ):
        form = detect_tool_calls(with_control_tokens(byte_level_bpe(), template, CONTROL))
        assert form is not None and form.write([("a", {})]) == expected


def test_a_template_that_shows_no_calls_or_is_none_has_the_form_in_which_they_become_content() -> None:
    tokenizer = byte_level_bpe()
    for template in (CHAT_TEMPLATE, None, CHAT_TEMPLATE + "{{ raise_exception('no') }}", "{% for m in messages %}"):
        tokenizer.chat_template = template
        assert detect_tool_calls(tokenizer) == HERMES


def test_another_template_of_the_same_tokenizer_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = with_control_tokens(byte_level_bpe(), QWEN_TEMPLATE, CONTROL)
    for template, form in TEMPLATES.items():
        monkeypatch.setattr(tokenizer, "chat_template", template)
        assert detect_tool_calls(tokenizer) == form
    tokenizer.chat_template = {"default": CHAT_TEMPLATE, "tool_use": LLAMA_TEMPLATE}
    assert detect_tool_calls(tokenizer) == LLAMA3


@pytest.mark.parametrize("before", ["<|tool|>", "["])
def test_bare_calls_are_llamas_only_where_the_answer_would_begin(before: str) -> None:
    template = LLAMA_TEMPLATE.replace('{"name": "\' + call', before + '{"name": "\' + call')
    assert template != LLAMA_TEMPLATE
    assert detect_tool_calls(with_control_tokens(byte_level_bpe(), template, CONTROL)) is None


def test_a_form_that_is_not_known_is_refused_where_calls_would_be_read_or_forced(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", unknown_template())
    tokenizer = engine.pair.tokenizer
    assert detect_tool_calls(tokenizer) is None
    with pytest.raises(ChatTemplateError, match=r"does not know \(it knows Hermes, Llama 3, Mistral, .*\).*response_template"):
        tool_call_format(tokenizer, [], TOOLS)
    tools = [{"type": "function", "function": {"name": "a"}}]
    with pytest.raises(ChatTemplateError, match="leave out the tools"):
        engine.generate("x", SamplingParams(max_tokens=4), tools=tools)
    with pytest.raises(ConfigError, match="a call cannot be forced with this pair"):
        engine.generate("x", SamplingParams(max_tokens=64, grammar=calls_grammar(tools)), tools=tools)
    assert engine.generate("x", SamplingParams(max_tokens=4)).format.tool_calls is None


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            LLAMA_TEMPLATE,
            '{"name": "weather", "parameters": {"city": "Köln", "days": [1, 2]}}<|eot_id|>'
            '<|start_header_id|>ipython<|end_header_id|>\n\n"sunny"<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n'
            '{"name": "clock", "parameters": {}}<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n"noon"<|eot_id|>',
        ),
        (
            MISTRAL_TEMPLATE,
            '[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}, "id": "WWWWWWWWW"}, '
            '{"name": "clock", "arguments": {}, "id": "CCCCCCCCC"}]</s>[TOOL_RESULTS] {"content": noon, "call_id": "CCCCCCCCC"}'
            '[/TOOL_RESULTS][TOOL_RESULTS] {"content": sunny, "call_id": "WWWWWWWWW"}[/TOOL_RESULTS]',
        ),
    ],
)
def test_a_history_is_put_as_the_template_demands_it(template: str, expected: str) -> None:
    tokenizer = with_control_tokens(byte_level_bpe(), template, CONTROL)
    text = tokenizer.decode(encode_chat(tokenizer, normalise(CHAT), tools=TOOLS))
    ids = [part.split('"')[0] for part in text.split('"id": "')[1:]]
    assert all(len(each) == 9 and each.isalnum() for each in ids) and len(set(ids)) == len(ids)
    for given, letter in zip(ids, "WC", strict=False):
        text = text.replace(given, letter * 9)
    assert expected in text
    assert text.count("Be brief.") == 1


def test_both_models_read_calls_in_the_same_form() -> None:
    pair = make_pair("llama", with_control_tokens(byte_level_bpe(), CHAT_TEMPLATE, CONTROL))
    for template, form in TEMPLATES.items():
        pair.tokenizer.chat_template = template
        written = form.write(CALLS)
        for base_prompt in ("transcript", "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"):
            chat = CHAT[:3]
            prompt = build_prompt(pair.info, chat, models=["base"], base_prompt=base_prompt, max_model_len=4096)
            assert written in pair.tokenizer.decode(prompt.token_ids["base"])
            assert not set(prompt.token_ids["base"]) & {pair.tokenizer.convert_tokens_to_ids(text) for text in CONTROL}, "as plain text"


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_history_with_calls_and_results_reaches_the_aligned_model(family: Any) -> None:
    tokenizer = with_control_tokens(byte_level_bpe(), family.template, CONTROL)
    pair = make_pair("llama", tokenizer)
    prompt = build_prompt(pair.info, CHAT, models=["aligned"], tools=TOOLS, max_model_len=8192)
    text = tokenizer.decode(prompt.token_ids["aligned"])
    for said in ("Be brief.", "Weather and time?", "Köln", "noon", "sunny", "Thanks."):
        assert text.count(said) == 1, said
    if family.form == GRANITE:
        assert family.form.write(CALLS) in text


def test_an_answer_says_how_its_calls_are_read() -> None:
    pair = make_pair("llama", with_control_tokens(byte_level_bpe(), MISTRAL_TEMPLATE, CONTROL))
    engine = Engine(pair)
    params = SamplingParams(max_tokens=3, seed=1)
    for router in (Router(), Router("base"), Router("aligned")):
        events = list(engine.stream("x", params, router, tools=[{"type": "function", "function": {"name": "a"}}]))
        assert {event.format.tool_calls for event in events} == {MISTRAL} == {events[-1].result.format.tool_calls}  # type: ignore[union-attr]
        assert {event.format.tool_calls for event in engine.stream("x", params, router)} == {None}
