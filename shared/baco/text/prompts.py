"""From messages to token ids, once for each model. The only place where text becomes ids.

The aligned model's prompt is its chat template's. The base model's is a plain transcript by default, which suits a model without chat
training (Nudging does so too; the transcript's form is our own choice):

    <system text>

    User:
    <content>

    Assistant:
    <the answer starts here>

Tools stand under "Tools:" after the system text, one a line as JSON, and calls are written as the aligned model writes them. Control tokens
in the text of messages, tools and calls are encoded as ordinary text in both. Knows tokenizers and templates; knows no models.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateSyntaxError
from transformers import PreTrainedTokenizerBase

from baco.checks import check_characters, nearest, require
from baco.errors import ChatTemplateError, ConfigError, ContextOverflowError, PromptError
from baco.models.info import PairInfo
from baco.parsing.detection import REFUSALS, detect_tool_calls, template_name
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES
from baco.parsing.tools import Tool, check_calls
from baco.results import Model
from baco.text.chat_template import Message, adaptations, check_keys, visible
from baco.vocab.token_ids import least_tokens

ROLES = ("system", "user", "assistant", "tool")
TURN_NAMES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
TURN_MARKERS = tuple(f"{gap}{name}:" for gap in ("\n\n", "\n") for name in TURN_NAMES.values())
"""Texts that end an answer when the base model writes them: it has begun the next turn of the transcript. They include the blank line
before them, if any, so that none is left at the end of the answer."""
BASE_PROMPTS = ("transcript", "template")
HUGE = 64
"""Characters per token of the window above which a text's length is estimated before it is encoded (our own choice)."""

# A tokenizer keeps as state whether it splits control tokens, so two threads must not encode at once.
_encoding = threading.Lock()

UNBOUNDED = 2**63
"""A context window that any prompt fits, for counting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One request's prompt for each model."""

    token_ids: dict[Model, list[int]]
    base_stop: tuple[str, ...]
    """Texts that end the answer when the base model writes them."""


def build_prompt(
    info: PairInfo,
    messages: str | Sequence[Message],
    *,
    models: Sequence[Model],
    base_prompt: str = "transcript",
    tools: Sequence[Tool] = (),
    max_model_len: int,
) -> Prompt:
    """Encode one request for the models that will run.

    `messages` is a user's text, or messages with "role" and "content"; an assistant's may have "tool_calls" in OpenAI's form.
    `check_base_prompt` has passed `base_prompt`: "transcript", "template" (the aligned model's chat template) or a Jinja template.
    `tools` are functions that the answer may call, as `check_tools` returns them. `max_model_len` is the most tokens that prompt and
    answer may have together.

    Raises:
        PromptError: nothing to answer, or a malformed message.
        ConfigError: `base_prompt` is "template", and the base model lacks tokens of the chat template.
        ChatTemplateError: there is no chat template, it refuses the messages, or it has no place for tools.
        ContextOverflowError: the prompt leaves no room for an answer.
    """
    chat = normalise(messages)
    token_ids: dict[Model, list[int]] = {}
    calls = any("tool_calls" in message for message in chat)
    # Calls cannot be written in an unknown form.
    call_format = (detect_tool_calls(info.tokenizer) if calls else None) or HERMES
    for which in models:
        if which == "base":
            ids = _encode_base(info, chat, tools, base_prompt, call_format, max_model_len)
        else:
            ids = encode_chat(info.tokenizer, chat, None, tools, call_format)
        if len(ids) >= max_model_len:
            raise ContextOverflowError(model=which, prompt_tokens=len(ids), max_model_len=max_model_len)
        token_ids[which] = ids
    return Prompt(token_ids=token_ids, base_stop=TURN_MARKERS if base_prompt == "transcript" else ())


def check_base_prompt(base_prompt: str) -> None:
    """Raise `ConfigError` unless `base_prompt` is a known form or a Jinja template."""
    require(isinstance(base_prompt, str), "base_prompt", "a text", base_prompt)
    check_characters("`base_prompt`", base_prompt, ConfigError)
    if base_prompt not in BASE_PROMPTS and "{{" not in base_prompt and "{%" not in base_prompt:
        hint = nearest(base_prompt, BASE_PROMPTS)
        forms = "'transcript', 'template' or a Jinja template with {{ messages }}"
        raise ConfigError(f"`base_prompt` must be {forms}, but is {base_prompt!r}{hint}")


def normalise(messages: str | Sequence[Message]) -> list[dict[str, Any]]:
    """Turn a text into one user message, and check the form of messages.

    Raises:
        PromptError: there is no text, a message lacks a role or a content, or calls are malformed.
    """
    if isinstance(messages, str):
        return normalise([{"role": "user", "content": messages}])
    listed: Any = messages  # what arrives at run time may be anything
    if isinstance(listed, Mapping) or not isinstance(listed, Sequence) or not all(isinstance(item, Mapping) for item in listed):
        raise PromptError(f"a prompt must be a text or a list of messages like {{'role': 'user', 'content': …}}, but is {messages!r}")
    chat = [dict(message) for message in listed]
    for index, message in enumerate(chat):
        if message.get("role") not in ROLES:
            raise PromptError(f"message {index} has the role {message.get('role')!r}; roles are: {', '.join(ROLES)}")
        _check_calls_of(index, message)
        if not isinstance(message.get("content"), str):
            raise PromptError(f"message {index} ({message['role']}) must have a text as its content, but has {message.get('content')!r}")
        texts = [text for text in message.values() if isinstance(text, str)]
        for text in (*texts, json.dumps(message.get("tool_calls"), ensure_ascii=False, default=repr)):
            check_characters(f"message {index} ({message['role']})", text, PromptError)
    if not any(message["content"].strip() or "tool_calls" in message for message in chat):
        raise PromptError("the prompt is empty; give at least one message with text")
    return chat


def _check_calls_of(index: int, message: dict[str, Any]) -> None:
    """Check and complete a message's calls in place; a message with calls needs no content."""
    calls = message.pop("tool_calls", None)
    if calls is None or calls == []:
        return
    if message["role"] != "assistant":
        raise PromptError(f"message {index} ({message['role']}) has tool_calls, which only an assistant's message may have")
    message["tool_calls"] = check_calls(f"message {index}", calls)
    if message.get("content") is None:
        message["content"] = ""


def encode_chat(
    tokenizer: PreTrainedTokenizerBase,
    chat: Sequence[Message],
    template: str | None = None,
    tools: Sequence[Tool] = (),
    call_format: ToolCallTemplate = HERMES,
) -> list[int]:
    """Encode messages by a chat template, up to where the answer starts.

    Where a template refuses the messages as they are (no system role, a late system message, roles that must alternate, ids of other
    lengths, one call a message), it gets them with as few changes as possible: see `adaptations`. Where it drops calls, they are written
    into the content, in `call_format`.

    Raises:
        ChatTemplateError: there is no template, it refuses the changed messages too, or it drops the tools.
    """
    if template is None and not tokenizer.chat_template:
        raise ChatTemplateError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no chat template; is this the aligned (instruct) model, and not its base? "
            "If so, set pair.tokenizer.chat_template"
        )
    refusal: Exception | None = None
    for messages in adaptations(chat):
        try:
            return _apply_template(tokenizer, messages, template, tools, call_format)
        except TemplateSyntaxError as error:
            raise ChatTemplateError(f"{template_name(tokenizer, template)} is no valid Jinja template: {error}") from error
        except REFUSALS as error:
            refusal = refusal or error
    raise ChatTemplateError(f"{template_name(tokenizer, template)} refuses these messages: {refusal}") from refusal


def _apply_template(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Message], template: str | None, tools: Sequence[Tool], call_format: ToolCallTemplate
) -> list[int]:
    messages: Any = list(chat)
    if tools or any("tool_calls" in message for message in chat):
        check_keys(tokenizer, [tools, [message.get("tool_calls") for message in chat]])
        messages = visible(tokenizer, chat, template, tools, call_format)
    with _encoding:
        ids: Any = tokenizer.apply_chat_template(
            messages,
            tools=list(tools) or None,  # type: ignore[arg-type]
            chat_template=template,
            add_generation_prompt=True,
            sanitize_control_tokens=True,
            return_dict=False,
        )
    bos = tokenizer.bos_token_id
    while bos is not None and ids[:2] == [bos, bos]:
        ids = ids[1:]
    return list(ids)


def _encode_base(
    info: PairInfo,
    chat: Sequence[Message],
    tools: Sequence[Tool],
    base_prompt: str,
    call_format: ToolCallTemplate,
    max_model_len: int,
) -> list[int]:
    if base_prompt == "template":
        ids = encode_chat(info.tokenizer, chat, None, tools, call_format)
        unknown = sorted({token_id for token_id in ids if token_id >= info.base_embedding_rows})
        require(not unknown, "base_prompt", f"'transcript', since the base model's embedding lacks the chat tokens {unknown}", base_prompt)
        return ids
    if base_prompt != "transcript":
        return encode_chat(info.base_tokenizer, chat, base_prompt, tools, call_format)
    text = transcript(chat, tools, call_format)
    least = least_tokens(info.base_tokenizer, text) if len(text) > HUGE * max_model_len else 0
    if least >= max_model_len:
        raise ContextOverflowError(model="base", prompt_tokens=least, max_model_len=max_model_len, is_exact=False)
    return encode_text(info.base_tokenizer, text)


def transcript(chat: Sequence[Message], tools: Sequence[Tool] = (), call_format: ToolCallTemplate = HERMES) -> str:
    """Write messages, and tools after the opening system text, as a plain transcript that ends where the assistant's turn begins."""
    turns = [
        f"{message['content']}\n\n"
        if message["role"] == "system"
        else f"{TURN_NAMES[message['role']]}:\n{call_format.with_written_calls(message)}\n\n"
        for message in chat
    ]
    if tools:
        opening = next((index for index, message in enumerate(chat) if message["role"] != "system"), len(chat))
        turns.insert(opening, "\n".join(["Tools:", *(json.dumps(tool, ensure_ascii=False) for tool in tools)]) + "\n\n")
    return "".join(turns) + f"{TURN_NAMES['assistant']}:\n"


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Encode plain text, with the tokenizer's BOS token and without an EOS token."""
    check_characters("the text", text, PromptError)
    with _encoding:
        ids: list[int] = tokenizer(text, add_special_tokens=True, split_special_tokens=True)["input_ids"]
    special = set(tokenizer.all_special_ids)
    while ids and ids[-1] in special:
        ids = ids[:-1]
    return ids


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Encode a piece of text, without BOS and EOS tokens."""
    ids = encode_text(tokenizer, text)
    return ids[1:] if ids[:1] == [tokenizer.bos_token_id] else ids
