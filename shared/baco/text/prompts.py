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
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
from baco.text.adaptations import Change, adapt
from baco.text.chat_template import Message, Probe, render
from baco.text.encoding import TextEncoder
from baco.text.template_variables import template_date, template_variables
from baco.vocab.token_ids import least_tokens

ROLES = ("system", "user", "assistant", "tool")
TURN_NAMES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
TURN_MARKERS = tuple(f"{gap}{name}:" for gap in ("\n\n", "\n") for name in TURN_NAMES.values())
"""Texts that end an answer when the base model writes them: it has begun the next turn of the transcript. They include the blank line
before them, if any, so that none is left at the end of the answer."""
BASE_PROMPTS = ("transcript", "template")
HUGE = 64
"""Characters per token of the window above which a text's length is estimated before it is encoded (our own choice)."""

UNBOUNDED = 2**63
"""A context window that any prompt fits, for counting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One request's prompt for each model."""

    token_ids: dict[Model, list[int]]
    base_stop: tuple[str, ...]
    """Texts that end the answer when the base model writes them."""
    template_date: str | None = None
    """The moment that a chat template was told, in ISO 8601; None where none has asked."""


def build_prompt(
    info: PairInfo,
    messages: str | Sequence[Message],
    *,
    models: Sequence[Model],
    base_prompt: str = "transcript",
    tools: Sequence[Tool] = (),
    variables: Mapping[str, Any] | None = None,
    max_model_len: int,
) -> Prompt:
    """Encode one request for the models that will run.

    `messages` is a user's text, or messages with "role" and "content"; an assistant's may have "tool_calls" in OpenAI's form.
    `check_base_prompt` has passed `base_prompt`: "transcript", "template" (the aligned model's chat template) or a Jinja template.
    `tools` are functions that the answer may call, as `check_tools` returns them. `variables` are what `template_variables` settled; None
    settles none but the date. `max_model_len` is the most tokens that prompt and answer may have together.

    Raises:
        PromptError: nothing to answer, or a malformed message.
        ConfigError: `base_prompt` is "template", and the base model lacks tokens of the chat template.
        ChatTemplateError: there is no chat template, it refuses the messages or leaves out a part of them, or it has no place for tools.
        ContextOverflowError: the prompt leaves no room for an answer.
    """
    chat = normalise(messages)
    calls = any("tool_calls" in message for message in chat)
    # Calls cannot be written in an unknown form.
    call_format = (detect_tool_calls(info.tokenizer) if calls else None) or HERMES
    if variables is None:
        variables = template_variables(info.tokenizer, own_template=own_template(base_prompt))
    token_ids: dict[Model, list[int]] = {}
    for which in models:
        if which == "base":
            ids = _encode_base(info, chat, tools, base_prompt, call_format, variables, max_model_len)
        else:
            ids = encode_chat(info.tokenizer, chat, None, tools, call_format, variables)
        if len(ids) >= max_model_len:
            raise ContextOverflowError(model=which, prompt_tokens=len(ids), max_model_len=max_model_len)
        token_ids[which] = ids
    rendered = "aligned" in models or base_prompt != "transcript"
    return Prompt(
        token_ids=token_ids,
        base_stop=TURN_MARKERS if base_prompt == "transcript" else (),
        template_date=template_date(variables) if rendered else None,
    )


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
    variables: Mapping[str, Any] | None = None,
) -> list[int]:
    """Encode messages by a chat template, up to where the answer starts.

    Where a template refuses the messages as they are, or leaves a part of one out, it gets them with as few changes as possible: see
    `adapt`. Calls that it cannot render are written into the content, in `call_format`. A `template` that a user wrote may leave
    out messages as it likes. `variables` are settled by `template_variables`.

    Raises:
        ChatTemplateError: there is no template, or however the messages are changed, it refuses them or leaves something out.
    """
    if template is None and not tokenizer.chat_template:
        raise ChatTemplateError(
            f"the tokenizer of {tokenizer.name_or_path!r} has no chat template; is this the aligned (instruct) model, and not its base? "
            "If so, set pair.tokenizer.chat_template"
        )
    variables = template_variables(tokenizer, own_template=template) if variables is None else variables
    probe = Probe(chat, tools, texts=template is None)
    name = template_name(tokenizer, template)
    refusals: list[Exception] = []
    losses: list[list[str]] = []

    def works(change: Change) -> bool:
        try:
            lost = probe.lost(render(tokenizer, change(probe.chat), template, probe.tools, variables, tokenize=False))
        except TemplateSyntaxError as error:
            raise ChatTemplateError(f"{name} is no valid Jinja template: {error}") from error
        except REFUSALS as error:
            refusals.append(error)
        else:
            if not lost:
                return True
            losses.append(lost)
        if tools and len(refusals) + len(losses) == 1:
            _check_place_for_tools(tokenizer, template, tools, variables)
        return False

    change = adapt(chat, call_format, works)
    if change is None and losses:
        least = min(losses, key=len)
        raise ChatTemplateError(f"{name} leaves out {', and '.join(least)}; send it in a message of another role, or leave it out")
    try:
        if change is None:
            raise refusals[0]
        return _encode_rendered(tokenizer, change(chat), template, tools, variables)
    except REFUSALS as error:
        raise ChatTemplateError(f"{name} refuses these messages: {error}") from error


def _check_place_for_tools(
    tokenizer: PreTrainedTokenizerBase, template: str | None, tools: Sequence[Tool], variables: Mapping[str, Any]
) -> None:
    """Check that a template can show tools at all, so that an error is not about the messages where it is about the tools.

    Raises:
        ChatTemplateError: it leaves one out.
    """
    question = {"role": "user", "content": "x"}
    lost = []
    for chat in ([question], [{"role": "system", "content": "x"}, question]):
        probe = Probe(chat, tools, texts=False)
        with suppress(*REFUSALS):
            lost.append(probe.lost(render(tokenizer, probe.chat, template, probe.tools, variables, tokenize=False)))
    if lost and all(lost):
        raise ChatTemplateError(
            f"{template_name(tokenizer, template)} has no place for tools; choose a model that was trained to call tools"
            + ("" if template is None else ", or let the template write {{ tools }}")
        )


def _encode_rendered(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Message], template: str | None, tools: Sequence[Tool], variables: Mapping[str, Any]
) -> list[int]:
    encoder = TextEncoder.of(tokenizer)
    marked_chat, marked_tools, marked_variables = encoder.mark([list(chat), list(tools), dict(variables)])
    ids = encoder.encode(str(render(tokenizer, marked_chat, template, marked_tools, marked_variables, tokenize=False)))
    bos = tokenizer.bos_token_id
    while bos is not None and ids[:2] == [bos, bos]:
        ids = ids[1:]
    return ids


def own_template(base_prompt: str) -> str | None:
    """The Jinja template that a user gave as `base_prompt`; None where it is one of the names."""
    return None if base_prompt in BASE_PROMPTS else base_prompt


def _encode_base(
    info: PairInfo,
    chat: Sequence[Message],
    tools: Sequence[Tool],
    base_prompt: str,
    call_format: ToolCallTemplate,
    variables: Mapping[str, Any],
    max_model_len: int,
) -> list[int]:
    if base_prompt == "template":
        ids = encode_chat(info.tokenizer, chat, None, tools, call_format, variables)
        unknown = sorted({token_id for token_id in ids if token_id >= info.base_embedding_rows})
        require(not unknown, "base_prompt", f"'transcript', since the base model's embedding lacks the chat tokens {unknown}", base_prompt)
        return ids
    if base_prompt != "transcript":
        return encode_chat(info.base_tokenizer, chat, base_prompt, tools, call_format, variables)
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
    return [*TextEncoder.of(tokenizer).opening, *text_ids(tokenizer, text)]


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Encode a piece of text, without BOS and EOS tokens."""
    check_characters("the text", text, PromptError)
    return TextEncoder.of(tokenizer).encode_plain(text)
