"""Messages and tools adapted to a chat template, and errors for those that it cannot render. Knows texts; knows no token ids.

A template is code that comes with a model, and silently drops what it does not know: this module detects that.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import combinations, count, takewhile
from typing import Any

from transformers import PreTrainedTokenizerBase

from baco.errors import ChatTemplateError, PromptError
from baco.parsing.detection import template_name
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.hermes import HERMES
from baco.parsing.tools import Tool

Message = Mapping[str, Any]
ID_LENGTH = 9
"""Characters of a call's id in Mistral's templates."""


def adaptations(chat: Sequence[Message]) -> Iterator[list[dict[str, Any]]]:
    """Yield messages as they are, then with ever more changes that some templates need: short ids, one call each, no system role."""
    seen: list[list[dict[str, Any]]] = []
    for size in range(len(_CHANGES) + 1):
        for changes in combinations(_CHANGES, size):
            changed = [dict(message) for message in chat]
            for change in changes:
                changed = change(changed)
            if changed not in seen:
                seen.append(changed)
                yield changed


def short_ids(chat: Sequence[Message]) -> list[dict[str, Any]]:
    """Give calls, and their results, ids of nine letters and digits, as Mistral's templates demand; those that have such keep them."""
    open_ids: list[str] = []
    changed = []
    for index, message in enumerate(chat):
        message = dict(message)
        if message.get("tool_calls"):
            calls = [{**call, "id": _short(call.get("id") or f"{index}.{place}")} for place, call in enumerate(message["tool_calls"])]
            message["tool_calls"], open_ids = calls, [call["id"] for call in calls]
        elif message["role"] == "tool":
            given = message.get("tool_call_id")
            message["tool_call_id"] = _short(given) if given else (open_ids[0] if open_ids else _short(str(index)))
            open_ids = [each for each in open_ids if each != message["tool_call_id"]]
        changed.append(message)
    return changed


def _short(given: str) -> str:
    return given if len(given) == ID_LENGTH and given.isascii() and given.isalnum() else sha256(given.encode()).hexdigest()[:ID_LENGTH]


def one_call_each(chat: Sequence[Message]) -> list[dict[str, Any]]:
    """Write several calls of one message as messages with one call each, and each one's result behind it, as Llama 3 demands."""
    changed: list[dict[str, Any]] = []
    rest = [dict(message) for message in chat]
    while rest:
        message = rest.pop(0)
        calls = message.get("tool_calls") or ()
        if len(calls) < 2:
            changed.append(message)
            continue
        results = list(takewhile(lambda other: other["role"] == "tool", rest))
        del rest[: len(results)]
        for place, call in enumerate(calls):
            changed.append({**message, "content": message["content"] if place == 0 else "", "tool_calls": [call]})
            # A result without an id belongs to the first call that has none yet.
            own = next((each for each in results if each.get("tool_call_id") in (None, call.get("id"))), None)
            if own is not None:
                results.remove(own)
                changed.append(own)
        changed += results
    return changed


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


def arguments_as_text(chat: Sequence[Message]) -> list[dict[str, Any]]:
    """Write the arguments of calls as JSON texts, which some templates join with other texts."""

    def written(call: Mapping[str, Any]) -> dict[str, Any]:
        arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        return {**call, "function": {**call["function"], "arguments": arguments}}

    return [
        {**message, "tool_calls": [written(call) for call in message["tool_calls"]]} if message.get("tool_calls") else dict(message)
        for message in chat
    ]


_CHANGES = (short_ids, one_call_each, arguments_as_text, fold_messages)


def visible(
    tokenizer: PreTrainedTokenizerBase,
    chat: Sequence[Message],
    template: str | None,
    tools: Sequence[Tool],
    call_format: ToolCallTemplate = HERMES,
) -> list[dict[str, Any]]:
    """Return messages whose calls a template renders: calls that it would drop are written into the content.

    A rendering in which each tool and call has a unique name shows which of them the template drops.

    Raises:
        ChatTemplateError: the template drops a tool.
    """
    names = (f"baco_probe_{index}_" for index in count())
    probed_tools: list[Any] = [_renamed(tool, names) for tool in tools]
    probed_chat = [
        {**message, "tool_calls": [_renamed(call, names) for call in message["tool_calls"]]} if "tool_calls" in message else dict(message)
        for message in chat
    ]
    text = str(
        tokenizer.apply_chat_template(
            probed_chat, tools=probed_tools or None, chat_template=template, add_generation_prompt=True, tokenize=False
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
    return [{**message, "content": call_format.with_written_calls(message), "tool_calls": None} for message in chat]


def _renamed(item: Mapping[str, Any], names: Iterator[str]) -> dict[str, Any]:
    return {**item, "function": {**item["function"], "name": next(names)}}


def check_keys(tokenizer: PreTrainedTokenizerBase, value: object) -> None:
    """Check the keys inside tools and calls. Templates write them too, but transformers neutralises control tokens in values only.

    Raises:
        PromptError: a key contains the text of a control token.
    """
    keys = set(_keys(value))
    together = "\n".join(keys)
    # Some vocabularies have added tokens for ordinary words and white space, which control nothing; some have hundreds of any kind.
    for token in tokenizer.added_tokens_decoder.values():
        if token.content in together and (token.special or "<" in token.content) and any(token.content in key for key in keys):
            raise PromptError(f"a tool or a call has a key that contains the control token {token.content!r}; name it otherwise")


def _keys(value: object) -> Iterator[str]:
    """Yield the keys of all dicts inside a value."""
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from _keys(inner)
