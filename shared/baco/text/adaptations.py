"""Messages changed as little as a chat template needs: other ids, other roles, calls or results as text. Knows messages; knows no template.

Templates differ in what they take: some refuse or drop a system message, text beside a call, results, or an answer that comes first.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import takewhile
from typing import Any

from baco.parsing.formats import ToolCallTemplate
from baco.text.chat_template import Message

Chat = list[dict[str, Any]]
Change = Callable[[Sequence[Message]], Chat]
ID_LENGTH = 9
"""Characters of a call's id in Mistral's templates."""


def adapt(chat: Sequence[Message], call_format: ToolCallTemplate, works: Callable[[Change], bool]) -> Change | None:
    """Find changes of messages that work, and none that they can do without; None where even all of them together do not work.

    What is dear to the conversation is decided first, while everything else is changed (our own choice): that calls and results keep their
    form, then who speaks, then the order, then ids. So a chat takes some twenty trials at most, however long it is.

    Args:
        chat: messages, checked.
        call_format: how calls are written into a text.
        works: whether a template takes the messages that a change makes of these.
    """
    rows = _rows(chat, call_format)
    chosen = [row[-1] for row in rows]
    if works(unchanged):
        return unchanged
    for place, row in enumerate(rows):
        tried = ([*chosen[:place], change, *chosen[place + 1 :]] for change in row)
        found = next((changes for changes in tried if works(_composed(changes))), None)
        if found is None:
            return None
        chosen = found
    return _composed(chosen)


def _rows(chat: Sequence[Message], call_format: ToolCallTemplate) -> list[list[Change]]:
    """What may be changed about messages of this shape, in the order in which it is done: rows of alternatives, from none to the most."""

    def written_calls(messages: Sequence[Message]) -> Chat:
        return [_without_calls(message) | {"content": call_format.with_written_calls(message)} for message in messages]

    roles = [message["role"] for message in chat]
    calling = [message for message in chat if _calls(message)]
    all_text = _composed([written_calls, results_as_user])
    rows: list[tuple[bool, list[Change]]] = [
        (bool(calling) or "tool" in roles, [arguments_as_text, results_as_user, written_calls, all_text]),
        ("system" in roles, [fold_late, fold_messages]),
        (next((role for role in roles if role != "system"), None) == "assistant", [open_with_user]),
        (any(_says_and_calls(message) for message in calling), [texts_apart, texts_gathered]),
        (any(len(message["tool_calls"]) > 1 for message in calling), [one_call_each]),
        (bool(calling) or "tool" in roles, [short_ids]),
        (True, [merge_neighbours]),
    ]
    return [[unchanged, *changes] for applies, changes in rows if applies]


def _composed(changes: Sequence[Change]) -> Change:
    def changed(chat: Sequence[Message]) -> Chat:
        messages = unchanged(chat)
        for change in changes:
            messages = change(messages)
        return messages

    return changed


def unchanged(chat: Sequence[Message]) -> Chat:
    """Copy messages as they are."""
    return [dict(message) for message in chat]


def short_ids(chat: Sequence[Message]) -> Chat:
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


def one_call_each(chat: Sequence[Message]) -> Chat:
    """Write several calls of one message as messages with one call each, and each one's result behind it, as Llama 3 demands."""
    changed: Chat = []
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


def arguments_as_text(chat: Sequence[Message]) -> Chat:
    """Write the arguments of calls as JSON texts, which some templates join with other texts."""

    def written(call: Mapping[str, Any]) -> dict[str, Any]:
        arguments = json.dumps(call["function"]["arguments"], ensure_ascii=False)
        return {**call, "function": {**call["function"], "arguments": arguments}}

    return [
        {**message, "tool_calls": [written(call) for call in message["tool_calls"]]} if _calls(message) else dict(message)
        for message in chat
    ]


def texts_apart(chat: Sequence[Message]) -> Chat:
    """Give the text beside calls a message of its own, before them."""
    return [
        part
        for message in chat
        for part in ([_without_calls(message), {**message, "content": ""}] if _says_and_calls(message) else [dict(message)])
    ]


def texts_gathered(chat: Sequence[Message]) -> Chat:
    """Put the texts beside the calls of a turn into the answer that ends it; where none does, into one message before the calls.

    Some templates count an answer without calls as a turn, so that there can be only one between two of the user's messages.
    """
    changed: Chat = []
    rest = [dict(message) for message in chat]
    while rest:
        turn = list(takewhile(lambda message: message["role"] in ("assistant", "tool"), rest))
        del rest[: len(turn)]
        texts = [message["content"] for message in turn if _says_and_calls(message)]
        if texts:
            turn = [{**message, "content": ""} if _calls(message) else message for message in turn]
            if turn[-1]["role"] == "assistant" and not _calls(turn[-1]):
                turn[-1] = {**turn[-1], "content": "\n\n".join([*texts, turn[-1]["content"]])}
            else:
                turn.insert(0, {"role": "assistant", "content": "\n\n".join(texts)})
        changed += turn + rest[:1]
        del rest[:1]
    return changed


def results_as_user(chat: Sequence[Message]) -> Chat:
    """Let the user say the results of calls, as models do it that were not trained with results (the words are our own choice)."""

    def said(message: Message) -> dict[str, Any]:
        what = f"Result of {message['name']}" if message.get("name") else "Tool result"
        return {"role": "user", "content": f"{what}:\n{message['content']}"}

    return [said(message) if message["role"] == "tool" else dict(message) for message in chat]


def fold_late(chat: Sequence[Message]) -> Chat:
    """Fold system messages behind the opening ones into the user's, and merge neighbours."""
    opening = len(list(takewhile(lambda message: message["role"] == "system", chat)))
    return merge_neighbours(chat[:opening]) + fold_messages(chat[opening:])


def fold_messages(chat: Sequence[Message]) -> Chat:
    """Fold system messages into the user message after them (or the last one), and merge neighbours of one role that call no tools."""
    return merge_neighbours([{**message, "role": "user"} if message["role"] == "system" else message for message in chat])


def open_with_user(chat: Sequence[Message]) -> Chat:
    """Put an empty message of the user before an answer that opens the conversation."""
    opening = len(list(takewhile(lambda message: message["role"] == "system", chat)))
    messages = [dict(message) for message in chat]
    greets = messages[opening : opening + 1] and messages[opening]["role"] == "assistant"
    return [*messages[:opening], {"role": "user", "content": ""}, *messages[opening:]] if greets else messages


def merge_neighbours(chat: Sequence[Message]) -> Chat:
    """Merge neighbours of one role that call no tools, results excepted."""
    merged: Chat = []
    for message in chat:
        calls = _calls(message) or (merged and _calls(merged[-1]))
        if merged and merged[-1]["role"] == message["role"] != "tool" and not calls:
            merged[-1]["content"] += "\n\n" + message["content"]
        else:
            merged.append(dict(message))
    return merged


def _calls(message: Message) -> bool:
    return bool(message.get("tool_calls"))


def _says_and_calls(message: Message) -> bool:
    return _calls(message) and bool(message["content"].strip())


def _without_calls(message: Message) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "tool_calls"}
