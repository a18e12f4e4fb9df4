"""Messages and tools made fit for a chat template, and templates that they do not fit named. Renders text; knows no token ids.

A template is code that comes with a model, and drops without a word what it does not know. Here that is found out.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from transformers import PreTrainedTokenizerBase

from baco.errors import ChatTemplateError, PromptError
from baco.tools import Tool, with_written_calls

Message = Mapping[str, Any]


def template_name(tokenizer: PreTrainedTokenizerBase, template: str | None) -> str:
    """Name a template in an error: the tokenizer's own, or a text given as `base_prompt`."""
    return f"the chat template of {tokenizer.name_or_path!r}" if template is None else f"`base_prompt` {template!r}"


def fold_messages(chat: Sequence[Message]) -> list[dict[str, Any]]:
    """Fold system messages into the user message after them (or the last one), and merge neighbours of one role that call no tools."""
    folded: list[dict[str, Any]] = []
    for message in chat:
        plain = dict(message) | {"role": "user"} if message["role"] == "system" else dict(message)
        calls = "tool_calls" in plain or (folded and "tool_calls" in folded[-1])
        if folded and folded[-1]["role"] == plain["role"] != "tool" and not calls:
            folded[-1]["content"] += "\n\n" + plain["content"]
        else:
            folded.append(plain)
    return folded


def visible(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Message], template: str | None, tools: Sequence[Tool]
) -> list[dict[str, Any]]:
    """Return messages of which a template leaves out no call, those that it would leave out being written into the content.

    Whether it shows tools and calls is seen from a rendering in which each has a name that occurs nowhere else.

    Raises:
        ChatTemplateError: it leaves out a tool.
    """
    names = (f"baco_probe_{index}_" for index in count())
    probed_tools: list[Any] = [_renamed(tool, names) for tool in tools]
    probed_chat = [
        {**message, "tool_calls": [_renamed(call, names) for call in message["tool_calls"]]} if "tool_calls" in message else dict(message)
        for message in chat
    ]
    text = str(
        tokenizer.apply_chat_template(
            probed_chat,
            tools=probed_tools or None,
            chat_template=template,
            add_generation_prompt=True,
            tokenize=False,
        )
    )
    if any(tool["function"]["name"] not in text for tool in probed_tools):
        raise ChatTemplateError(
            f"{template_name(tokenizer, template)} has no place for tools; choose a model that was trained to call tools"
            + ("" if template is None else ", or let the template write {{ tools }}")
        )
    calls = [call for message in probed_chat for call in message.get("tool_calls", ())]
    if all(call["function"]["name"] in text for call in calls):
        return [dict(message) for message in chat]
    return [{**message, "content": with_written_calls(message), "tool_calls": None} for message in chat]


def _renamed(item: Mapping[str, Any], names: Iterator[str]) -> dict[str, Any]:
    return {**item, "function": {**item["function"], "name": next(names)}}


def check_keys(tokenizer: PreTrainedTokenizerBase, value: object) -> None:
    """Check the keys inside tools and calls. Templates write them too, but only values are kept from becoming control tokens.

    Raises:
        PromptError: a key contains the text of a control token.
    """
    keys = set(_keys(value))
    # Some vocabularies have added tokens for ordinary words and white space, which steer nothing.
    for token in tokenizer.added_tokens_decoder.values():
        if (token.special or "<" in token.content) and any(token.content in key for key in keys):
            raise PromptError(f"a tool or a call has a key that contains the control token {token.content!r}; name it otherwise")


def _keys(value: object) -> Iterator[str]:
    """Yield the keys of all dicts inside a value."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _keys(inner)
