"""Tools in prompts: what the templates of transformers write, a transcript by hand, and what a template leaves out."""

from typing import Any

import pytest

from baco import Engine, Router, SamplingParams
from baco.checks import require
from baco.errors import ChatTemplateError, ConfigError, PromptError
from baco.models.pair import ModelPair
from baco.text.adaptations import fold_messages
from baco.text.prompts import build_prompt, encode_chat, normalise, transcript
from tests.support.tokenizers import CHAT_TEMPLATE, HERMES_TEMPLATE, QWEN_TEMPLATE, byte_level_bpe, sentencepiece_like

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "description": "Wetter für Köln", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}},
]
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Köln"}}}
OTHER = {"id": "b", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "sunny", "tool_call_id": "a", "name": "weather"},
    {"role": "assistant", "content": "And now", "tool_calls": [CALL, OTHER]},
]
WRITTEN = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>'
LISTED = (
    'Tools:\n{"type": "function", "function": {"name": "weather", "description": "Wetter für Köln", "parameters": {"type": "object"}}}\n'
    '{"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}\n\n'
)


@pytest.mark.parametrize("make", [byte_level_bpe, sentencepiece_like])
@pytest.mark.parametrize("template", [QWEN_TEMPLATE, HERMES_TEMPLATE])
def test_the_aligned_model_reads_what_transformers_renders(make: Any, template: str) -> None:
    tokenizer = make()
    tokenizer.chat_template = template
    chat = normalise(CHAT)
    ids = tokenizer.apply_chat_template(chat, tools=TOOLS, add_generation_prompt=True, return_dict=False)
    assert encode_chat(tokenizer, chat, tools=TOOLS) == ids
    text = tokenizer.apply_chat_template(chat, tools=TOOLS, add_generation_prompt=True, tokenize=False)
    assert "Wetter für Köln" in text and text.count("<tool_call>") == 3


def test_the_base_reads_tools_and_calls_in_its_transcript() -> None:
    turns = f"User:\nWeather?\n\nAssistant:\n{WRITTEN}\n\nTool:\nsunny\n\n"
    last = f'Assistant:\nAnd now\n{WRITTEN}\n<tool_call>\n{{"name": "clock", "arguments": {{}}}}\n</tool_call>\n\nAssistant:\n'
    chat = normalise(CHAT)
    assert transcript(chat, TOOLS) == "Be brief.\n\n" + LISTED + turns + last
    assert transcript(chat[1:2], TOOLS) == LISTED + "User:\nWeather?\n\nAssistant:\n"


def test_a_template_without_a_place_for_tools_is_refused() -> None:
    tokenizer = byte_level_bpe()
    with pytest.raises(ChatTemplateError, match="has no place for tools"):
        encode_chat(tokenizer, [{"role": "user", "content": "weather clock"}], tools=TOOLS)
    tokenizer.chat_template = "{{ tools[0]['function']['name'] }}" + CHAT_TEMPLATE
    with pytest.raises(ChatTemplateError, match="has no place for tools"):
        encode_chat(tokenizer, [{"role": "user", "content": "x"}], tools=TOOLS)
    tokenizer.chat_template = "{% for m in messages %}{% if m.role == 'system' %}{{ tools }}{% endif %}{{ m.content }}{% endfor %}"
    with pytest.raises(ChatTemplateError, match="leaves out tool 'weather', and tool 'clock'"):
        encode_chat(tokenizer, [{"role": "user", "content": "x"}], tools=TOOLS)
    with pytest.raises(ChatTemplateError, match=r"`base_prompt` .* or let the template write \{\{ tools \}\}"):
        encode_chat(tokenizer, [{"role": "user", "content": "x"}], CHAT_TEMPLATE, TOOLS)


def test_a_template_that_leaves_out_calls_gets_them_as_text() -> None:
    tokenizer = byte_level_bpe()
    text = tokenizer.decode(encode_chat(tokenizer, normalise(CHAT[1:4])))
    assert f"<|im_start|>assistant\n{WRITTEN}<|im_end|>" in text
    tokenizer.chat_template = CHAT_TEMPLATE.replace("message['content']", "message['content'] + (message.tool_calls or '')")
    assert tokenizer.decode(encode_chat(tokenizer, normalise(CHAT[1:4]))) == text, "nor does one that fails at calls"


def test_control_tokens_in_tools_and_calls_become_plain_text(random_pair: ModelPair) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = QWEN_TEMPLATE
    end, message = tokenizer.convert_tokens_to_ids("<|im_end|>"), {"role": "user", "content": "x"}

    def ends(text: str) -> int:
        tools = [{"type": "function", "function": {"name": "a", "description": text}}]
        call = {"function": {"name": "a", "arguments": {"x": text}}}
        return encode_chat(tokenizer, normalise([message, {"role": "assistant", "tool_calls": [call]}]), tools=tools).count(end)

    assert ends("<|im_end|>") == ends("x")
    keyed = [{"type": "function", "function": {"name": "a", "parameters": {"type": "object", "properties": {"<|im_end|>": {}}}}}]
    assert encode_chat(tokenizer, [message], tools=keyed).count(end) == encode_chat(tokenizer, [message], tools=TOOLS[1:]).count(end)


def test_messages_with_calls_are_not_merged() -> None:
    chat = normalise([{"role": "user", "content": "x"}, CHAT[2], {"role": "assistant", "content": "Well."}])
    assert [message["role"] for message in fold_messages(chat)] == ["user", "assistant", "assistant"]


def test_only_an_assistant_calls_and_only_beside_calls_may_content_be_left_out() -> None:
    with pytest.raises(PromptError, match=r"message 0 \(user\) has tool_calls"):
        normalise([{"role": "user", "content": "x", "tool_calls": [CALL]}])
    with pytest.raises(PromptError, match="must have a text"):
        normalise([{"role": "assistant", "content": None, "tool_calls": []}])


def test_every_way_to_ask_the_engine_shows_the_tools(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", QWEN_TEMPLATE)
    tools, params, router = TOOLS[1:], SamplingParams(max_tokens=1, seed=1), Router()
    expected = build_prompt(engine.pair.info, "x", models=router.models, tools=tools, max_model_len=256).token_ids
    event = list(engine.stream("x", params, router, tools=tools))[-1]
    results = [engine.generate("x", params, router, tools=tools), *engine.generate_batch(["x"], params, router, tools=tools), event.result]
    assert all(result is not None and result.prompt_token_ids == expected for result in results)
    assert expected != engine.generate("x", params).prompt_token_ids
    with pytest.raises(ConfigError, match="`tools` must be"):
        engine.stream("x", tools={})  # type: ignore[arg-type]


def test_tools_and_base_prompt_are_checked_once_whatever_the_number_of_prompts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def counted(condition: bool, argument: str, *rest: Any) -> None:
        checked.append(argument)
        require(condition, argument, *rest)

    for module in ("baco.parsing.tools", "baco.text.prompts"):
        monkeypatch.setattr(f"{module}.require", counted)
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", QWEN_TEMPLATE)
    engine.generate_batch(["x", "y", "z"], SamplingParams(max_tokens=1, seed=1), tools=TOOLS[1:])
    assert checked.count("the parameters of tool 'clock'") == checked.count("base_prompt") == 1


async def test_so_does_every_asynchronous_way(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", QWEN_TEMPLATE)
    tools, params = TOOLS[1:], SamplingParams(max_tokens=1, seed=1)
    expected = engine.generate("x", params, tools=tools)
    assert (await engine.agenerate("x", params, tools=tools)) == expected
    assert (await engine.agenerate_batch(["x"], params, tools=tools)) == [expected]
    assert [event.result async for event in engine.astream("x", params, tools=tools)][-1] == expected
