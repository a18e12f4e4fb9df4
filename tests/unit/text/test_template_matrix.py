"""Twelve conversations under the chat templates of more than thirty families: every word arrives, or is refused by name."""

from typing import Any

import pytest

from baco.errors import ChatTemplateError
from baco.text.prompts import encode_chat, normalise
from tests.support.chat_histories import CALLING, PLAIN, TOOLS, words
from tests.support.chat_templates import TEMPLATES
from tests.support.tokenizers import byte_level_bpe

HISTORIES = {**PLAIN, **CALLING}
WITHOUT_TOOLS = {
    *("SmolLM 2", "Llama 2", "Llama 3", "Gemma 2", "Gemma 3", "OLMo 2", "Phi 3.5", "SmolLM 3", "DeepSeek V3.1", "DeepSeek R1 distillate"),
    *("Hunyuan", "Falcon", "a question at a time"),
}
"""Templates that show no tools."""
LOSING = {"a question at a time": {"a question", "a lone system message", "a system message and a question", "neighbours of one role"}}
"""Templates that no change can make whole, and the conversations that they take all the same."""


def test_the_matrix_has_the_size_that_was_promised() -> None:
    assert len(HISTORIES) == 12 and len(TEMPLATES) >= 25
    assert all(len(set(words(history))) >= len(words(history)) - 1 for history in HISTORIES.values()), "a word stands for one text"


@pytest.mark.parametrize("family", TEMPLATES)
def test_no_text_is_missing_from_a_prompt_unless_it_was_refused_by_name(family: str) -> None:
    tokenizer: Any = byte_level_bpe()
    tokenizer.chat_template = TEMPLATES[family]
    for name, history in HISTORIES.items():
        if name in LOSING.get(family, HISTORIES):
            text = tokenizer.decode(encode_chat(tokenizer, normalise(history)))
            assert [word for word in words(history) if word not in text] == [], name
        else:
            with pytest.raises(ChatTemplateError, match=r"leaves out the text of message 0 \(\w+\)"):
                encode_chat(tokenizer, normalise(history))


@pytest.mark.parametrize("family", TEMPLATES)
def test_with_tools_none_is_missing_either_and_a_template_without_a_place_for_them_says_so(family: str) -> None:
    tokenizer: Any = byte_level_bpe()
    tokenizer.chat_template = TEMPLATES[family]
    for name, history in HISTORIES.items():
        if family in WITHOUT_TOOLS:
            with pytest.raises(ChatTemplateError, match="has no place for tools"):
                encode_chat(tokenizer, normalise(history), tools=TOOLS)
        else:
            text = tokenizer.decode(encode_chat(tokenizer, normalise(history), tools=TOOLS))
            expected = [*words(history), *(tool["function"]["name"] for tool in TOOLS)]
            assert [word for word in expected if word not in text] == [], name


def test_without_adaptation_many_of_them_would_be_missing() -> None:
    lost = 0
    for template in TEMPLATES.values():
        tokenizer: Any = byte_level_bpe()
        tokenizer.chat_template = template
        for history in HISTORIES.values():
            try:
                text = tokenizer.apply_chat_template(normalise(history), tokenize=False, add_generation_prompt=True)
            except Exception:
                lost += 1
            else:
                lost += any(word not in text for word in words(history))
    assert lost > len(TEMPLATES) * len(HISTORIES) / 4
