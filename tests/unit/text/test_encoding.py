"""Control tokens come from chat templates alone: whatever users write, wherever they write it, and however the template changes it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models
from transformers import PreTrainedTokenizerFast

from baco.errors import PromptError
from baco.parsing.tools import check_tools
from baco.text.encoding import OPEN, TextEncoder
from baco.text.prompts import encode_chat, encode_text, normalise
from baco.vocab import plain_tokenizer
from tests.support.marks import slow_but
from tests.support.tokenizers import (
    CHAT_TEMPLATE,
    LLAMA_CONTROL,
    LLAMA_TEMPLATE,
    MISTRAL_CONTROL,
    MISTRAL_TEMPLATE,
    QWEN_TEMPLATE,
    TEXT,
    byte_level_bpe,
    sentencepiece_like,
    with_control_tokens,
    wordpiece,
)

PIECEWISE_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content | trim + (m.name or '') + '<|end|>' }}{% endfor %}{{ '<|assistant|>' }}"
)
"""As Phi-4-mini: no control token of a turn stands in the template as a whole, and texts stand beside each other."""
LOWERING_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content | lower | replace('~', '') }}{{ '<|im_end|>\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
REPEATING_TEMPLATE = (
    "{% for m in messages %}{{ '[SEP]' + (m | tojson) + (m.content | tojson(ensure_ascii=True)) }}{{ m }}{% endfor %}{{ '[SEP]' }}"
)


def _with_markers(tokenizer: PreTrainedTokenizerFast, template: str, markers: list[str], ordinary: list[str]) -> PreTrainedTokenizerFast:
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in (*markers, *ordinary)])
    tokenizer.chat_template = template
    return tokenizer


MARKERS = ["<tool_call>", "</tool_call>", "<think>", "</think>", "<|fim_prefix|>", "<|file_sep|>"]
UNUSED = [f"<unused{number}>" for number in range(12)]
LOOKALIKES: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "qwen": lambda: _with_markers(byte_level_bpe(), QWEN_TEMPLATE, MARKERS, []),
    "olmo": lambda: _with_markers(byte_level_bpe(), CHAT_TEMPLATE, ["|||PHONE_NUMBER|||", "|||EMAIL_ADDRESS|||"], ["  ", "   "]),
    "gemma": lambda: _with_markers(sentencepiece_like(), CHAT_TEMPLATE, UNUSED, ["\n\n", "\n\n\n", "▁▁", "<table>", "</td>"]),
    "llama3": lambda: with_control_tokens(byte_level_bpe(), LLAMA_TEMPLATE, LLAMA_CONTROL),
    "mistral": lambda: with_control_tokens(sentencepiece_like(), MISTRAL_TEMPLATE, MISTRAL_CONTROL),
    "phi": lambda: with_control_tokens(byte_level_bpe(), PIECEWISE_TEMPLATE, ["<|user|>", "<|assistant|>", "<|end|>"]),
    "lowering": lambda: _with_markers(byte_level_bpe(), LOWERING_TEMPLATE, MARKERS, []),
    "bert": lambda: _with_markers(wordpiece(), REPEATING_TEMPLATE, ["[think]"], []),
}
TOKENIZERS = {name: make() for name, make in LOOKALIKES.items()}
STEERING = {
    name: {
        token.content: index
        for index, token in tokenizer.added_tokens_decoder.items()
        if token.special or token.content in (*MARKERS, *UNUSED, "|||PHONE_NUMBER|||", "|||EMAIL_ADDRESS|||", "[think]")
    }
    for name, tokenizer in TOKENIZERS.items()
}
INNOCENT = "word"


def pieces(name: str) -> st.SearchStrategy[str]:
    """Texts that are made of control tokens, of parts of them, in any case of letters, and of a little else."""
    tokens = sorted(STEERING[name])
    whole = st.sampled_from(tokens)
    part = st.builds(lambda token, cut, first: token[:cut] if first else token[cut:], whole, st.integers(1, 5), st.booleans())
    plain = st.sampled_from(["a", " ", "\n", "\n\n", "  ", "<", ">", "|", "[", "é", "~", "<table>", '"', "\\"])
    return st.lists(st.one_of(whole, part, whole.map(str.upper), plain), min_size=1, max_size=6).map(lambda parts: f"x{''.join(parts)}")


def conversation(text: Callable[[], str], name: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """A conversation that has a text in every place where a user's text may stand."""
    arguments = {text(): text(), "list": [text()]} if "tool_calls" in str(TOKENIZERS[name].chat_template) else {}
    calls = [{"id": "abcdefghi", "function": {"name": "look", "arguments": arguments}}]
    asked = {"role": "assistant", "content": text(), **({"tool_calls": calls} if arguments else {})}
    rest = [{"role": "tool", "tool_call_id": "abcdefghi", "content": text(), "name": text()}] if arguments else []
    schema = {"type": "object", "properties": {text(): {"type": "string", "description": text()}}}
    tools = [{"type": "function", "function": {"name": "look", "description": text(), "parameters": schema}}] if arguments else []
    user = {"role": "user", "content": text(), "name": text()}
    return normalise([{"role": "system", "content": text()}, user, asked, *rest]), check_tools(tools)


def steering(name: str, ids: list[int]) -> Counter[int]:
    return Counter(index for index in ids if index in STEERING[name].values() and index != TOKENIZERS[name].unk_token_id)


@pytest.mark.parametrize("name", slow_but(["qwen", "olmo", "gemma", "lowering"], list(LOOKALIKES)))
@settings(max_examples=30)
@given(data=st.data())
def test_a_conversation_has_the_control_tokens_that_it_has_with_innocent_texts(name: str, data: st.DataObject) -> None:
    tokenizer, written = TOKENIZERS[name], list[str]()

    def text() -> str:
        written.append(data.draw(pieces(name)))
        return written[-1]

    chat, tools = conversation(text, name)
    innocent_chat, innocent_tools = conversation(lambda: INNOCENT, name)
    expected = steering(name, encode_chat(tokenizer, innocent_chat, tools=innocent_tools))
    ids = encode_chat(tokenizer, chat, tools=tools)
    assert steering(name, ids) == expected
    if name in ("qwen", "olmo", "gemma"):
        shown = tokenizer.decode(ids)
        assert all(m["content"].strip() in shown or json.dumps(m["content"], ensure_ascii=False)[1:-1] in shown for m in chat)
    for each in written:
        assert not steering(name, encode_text(tokenizer, each)[len(TextEncoder.of(tokenizer).opening) :])


@pytest.mark.parametrize("name", ["qwen", "olmo", "gemma", "llama3", "phi"])
def test_innocent_texts_are_encoded_as_transformers_encodes_them(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    texts = [*TEXT.splitlines(), "a\n\nb\n\n\n", "  two   three", " <table><tr></td>", "\n\n", "end ", "<", "<|", "|> x", "[a]"]
    for text in texts:
        chat = [{"role": "user", "content": text}]
        assert encode_chat(tokenizer, chat) == tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False), text
        assert encode_text(tokenizer, text) == tokenizer(text)["input_ids"], text


@example(text="<|im_end|>")
@example(text="<think>\nwell\n</think>\n\nyes")
@given(text=pieces("qwen"))
def test_a_text_of_control_tokens_is_encoded_as_by_a_tokenizer_that_has_none(text: str) -> None:
    state = json.loads(TOKENIZERS["qwen"].backend_tokenizer.to_str())
    without = Tokenizer.from_str(json.dumps(state | {"added_tokens": [], "post_processor": None}))
    assert TextEncoder.of(TOKENIZERS["qwen"]).encode_plain(text) == without.encode(text).ids


def test_what_a_template_writes_around_a_thought_of_the_history_are_control_tokens() -> None:
    tokenizer = _with_markers(byte_level_bpe(), "", MARKERS, [])
    tokenizer.chat_template = (
        "{% for m in messages %}{% if '</think>' in m.content %}{{ '<think>' + m.content.split('</think>')[0].split('<think>')[-1] }}"
        "{{ '\n</think>' + m.content.split('</think>')[-1] + '<|im_end|>' }}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{% endfor %}"
    )
    names = {index: text for text, index in tokenizer.get_vocab().items()}
    written = encode_chat(tokenizer, [{"role": "user", "content": "<think>x<|im_end|></think>y<think>"}])
    control = [names[index] for index in written if index in tokenizer.added_tokens_decoder]
    assert control == ["<think>", "</think>", "<|im_end|>"]
    assert tokenizer.decode(written) == "<think>x<|im_end|>\n</think>y<think><|im_end|>"


@pytest.mark.parametrize("text", [f"a{OPEN}b", f"{plain_tokenizer.OPEN}<|im_end|>"])
def test_a_text_with_a_noncharacter_that_serves_as_a_mark_is_refused(text: str) -> None:
    for encode, given_text in ((encode_chat, [{"role": "user", "content": text}]), (encode_text, text)):
        with pytest.raises(PromptError, match=r"the text has U\+FDD[02]"):
            encode(byte_level_bpe(), given_text)


def test_a_tokenizer_that_makes_a_control_token_of_ordinary_text_is_refused() -> None:
    backend = Tokenizer(models.Unigram([("<unk>", 0.0), ("</s>", -1.0), ("a", -1.0), ("<", -9.0)], unk_id=0))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    assert encode_text(tokenizer, "a<aé") == [2, 3, 2, 0]
    with pytest.raises(PromptError, match="reads '</s>' in a text only as its control token"):
        encode_text(tokenizer, "a</s>")
