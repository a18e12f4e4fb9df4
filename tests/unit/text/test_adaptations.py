"""What messages become where a template does not take them as they are, worked by hand, and how little is changed."""

from collections.abc import Callable
from typing import Any

import pytest

from baco.errors import ChatTemplateError
from baco.parsing.hermes import HERMES
from baco.text.adaptations import adapt
from baco.text.prompts import encode_chat, normalise
from tests.support.chat_histories import CALLING, PLAIN, TOOLS, calls, result, says
from tests.support.chat_templates import TEMPLATES
from tests.support.tokenizers import byte_level_bpe


def prompt(family: str, history: list[dict[str, Any]], tools: Any = ()) -> str:
    """The prompt of a conversation under a family's template."""
    tokenizer: Any = byte_level_bpe()
    tokenizer.chat_template = TEMPLATES[family]
    return str(tokenizer.decode(encode_chat(tokenizer, normalise(history), tools=tools)))


@pytest.mark.parametrize(
    ("family", "history", "expected"),
    [
        ("Gemma 3", "a lone system message", "<s><start_of_turn>user\npelican.<end_of_turn>\n<start_of_turn>model\n"),
        ("Mistral 0.3", "a lone system message", "<s>[INST]pelican.[/INST]"),
        ("Mistral 0.3", "a greeting", "<s>[INST][/INST]heron.</s>[INST]ostrich?[/INST]"),
        (
            "Llama 2",
            "a greeting after a system message",
            "<s>[INST] <<SYS>>\npelican.\n<</SYS>> [/INST] heron. </s><s>[INST] ostrich? [/INST]",
        ),
        (
            "Gemma 2",
            "a late system message",
            "<s><start_of_turn>user\npelican.\n\nostrich?<end_of_turn>\n<start_of_turn>model\nheron.<end_of_turn>\n"
            "<start_of_turn>user\nflamingo.\n\nmagpie?<end_of_turn>\n<start_of_turn>model\n",
        ),
        (
            "Qwen 3.5",
            "a late system message",
            "<|im_start|>system\npelican.<|im_end|>\n<|im_start|>user\nostrich?\n<|im_end|>\n<|im_start|>assistant\nheron.\n<|im_end|>\n"
            "<|im_start|>user\nflamingo.\n\nmagpie?\n<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        (
            "Gemma 3",
            "a result",
            "<s><start_of_turn>user\npelican.\n\nostrich?<end_of_turn>\n<start_of_turn>model\n"
            '<tool_call>\n{"name": "barometer", "arguments": {"place": "lisbon"}}\n</tool_call><end_of_turn>\n'
            "<start_of_turn>user\nResult of barometer:\nwagtail<end_of_turn>\n<start_of_turn>model\n",
        ),
    ],
)
def test_a_template_gets_what_it_takes(family: str, history: str, expected: str) -> None:
    assert prompt(family, {**PLAIN, **CALLING}[history]) == expected


def test_an_agents_system_message_and_the_text_beside_its_calls_survive_mistral() -> None:
    short = {"lisbon": "1817d73eb", "madrid": "be3c2e825"}
    written = {
        place: f'[TOOL_CALLS][{{"name": "barometer", "arguments": {{"place": "{place}"}}, "id": "{id}"}}]</s>'
        for place, id in short.items()
    }
    returned = f'[TOOL_RESULTS]{{"content": wagtail, "call_id": "{short["lisbon"]}"}}[/TOOL_RESULTS]'
    asked = "<s>[INST]pelican.\n\nostrich?[/INST]"
    assert prompt("Mistral 0.3", CALLING["a result"]) == asked + written["lisbon"] + returned
    # The text stands before the call where it can, else in the answer that ends the turn.
    open_turn = CALLING["text beside a call"][:4]
    assert prompt("Mistral 0.3", open_turn) == asked + "heron.</s>" + written["lisbon"] + returned
    assert f"{returned}heron.\n\nbullfinch.</s>[INST]" in prompt("Mistral 0.3", CALLING["text beside a call"])
    twice = [*open_turn[1:], calls("curlew.", "madrid")]
    assert (
        prompt("Mistral 0.3", twice) == "<s>[INST]ostrich?[/INST]heron.\n\ncurlew.</s>" + written["lisbon"] + returned + written["madrid"]
    )


def test_arguments_are_written_as_text_where_a_template_joins_them() -> None:
    text = prompt("functionary 3.2", CALLING["a result"], TOOLS)
    assert '>>>barometer\n{"place": "lisbon"}<|eot_id|>' in text and "<tool_call>" not in text


def test_a_result_without_a_name_is_named_as_a_result() -> None:
    unnamed = [says("user", "ostrich?"), calls(None, "lisbon"), {"role": "tool", "content": "wagtail"}]
    assert "user\nTool result:\nwagtail<end_of_turn>" in prompt("Gemma 3", unnamed)


def test_what_a_template_takes_is_not_touched() -> None:
    for family in ("Qwen 3", "GLM 4.6", "Seed-OSS", "OLMo 3"):
        tokenizer: Any = byte_level_bpe()
        tokenizer.chat_template = TEMPLATES[family]
        for history in (*PLAIN.values(), *CALLING.values()):
            chat = normalise(history)
            ids = tokenizer.apply_chat_template(chat, tools=TOOLS, add_generation_prompt=True, return_dict=False)
            assert encode_chat(tokenizer, chat, tools=TOOLS) == ids


def test_a_users_own_template_may_leave_out_what_it_likes() -> None:
    tokenizer: Any = byte_level_bpe()
    chat = normalise(PLAIN["three turns"])
    assert tokenizer.decode(encode_chat(tokenizer, chat, "Q: {{ messages[-1].content }} A:")) == "Q: magpie? A:"


def test_a_thought_that_a_template_takes_out_of_the_history_is_no_loss() -> None:
    history = [says("user", "ostrich?"), says("assistant", "<think>\nswan\n</think>\n\nheron."), says("user", "magpie?")]
    text = prompt("Qwen 3", history)
    assert "swan" not in text and "assistant\nheron.<|im_end|>" in text


def test_arguments_that_are_dropped_are_named() -> None:
    tokenizer: Any = byte_level_bpe()
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"
    with pytest.raises(ChatTemplateError) as raised:
        encode_chat(tokenizer, normalise([says("user", "ostrich?"), says("assistant", "heron " * 20)]))
    assert "leaves out the text of message 1 (assistant), 'heron heron heron heron heron heron hero';" in str(raised.value)
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }}{% for call in m.tool_calls %}{{ call.function.name }}{% endfor %}"
        "{% if '<tool_call>' in m.content %}{{ raise_exception('no calls in texts') }}{% endif %}{% endfor %}"
    )
    with pytest.raises(ChatTemplateError, match=r"leaves out the arguments of call of 'barometer' in message 1 \(assistant\)"):
        encode_chat(tokenizer, normalise([says("user", "ostrich?"), calls(None, "lisbon"), result("lisbon", "wagtail")]))


def test_no_change_is_made_that_the_others_make_needless_and_the_messages_are_left_alone() -> None:
    chat = normalise(CALLING["two rounds"])
    before = repr(chat)

    def roles_of(works: Callable[[list[dict[str, Any]]], bool]) -> list[str] | None:
        change = adapt(chat, HERMES, lambda change: works(change(chat)))
        assert repr(chat) == before
        return None if change is None else [message["role"] for message in change(chat)]

    def alternates(form: list[dict[str, Any]]) -> bool:
        return all(message["role"] == ("user", "assistant")[place % 2] for place, message in enumerate(form))

    roles = [message["role"] for message in chat]
    assert roles_of(lambda form: True) == roles
    assert roles_of(lambda form: form[0]["role"] != "system") == roles[1:]
    assert roles_of(lambda form: not any("tool_calls" in message for message in form)) == roles, "results stay results"
    assert roles_of(alternates) == ["user", "assistant"] * 3 + ["user"], "the last resort is plain text of two speakers"
    assert roles_of(lambda form: False) is None


def test_a_long_conversation_takes_few_trials() -> None:
    chat = normalise([says("system", "pelican."), says("assistant", "heron."), *CALLING["two rounds"] * 30])
    for first_that_works in range(1, 40):
        trials = 0

        def works(change: Any, first: int = first_that_works) -> bool:
            nonlocal trials
            trials += 1
            return trials >= first

        adapt(chat, HERMES, works)
        assert trials <= 20
