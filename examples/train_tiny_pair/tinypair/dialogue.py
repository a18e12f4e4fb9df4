"""The two written forms of a dialogue: a plain transcript, and chat with turn markers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinypair.families.tool_schemas import call_text
from tinypair.task import Message

BOS, EOS, PAD = "<s>", "<|endoftext|>", "<|pad|>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (BOS, EOS, PAD, TURN_START, TURN_END)
TURN_NAMES = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
CALL_FORM = 'Call a tool with:\n<tool_call>\n{"name": <name>, "arguments": <arguments>}\n</tool_call>'

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% set has_system = messages[0]['role'] == 'system' %}"
    "{% if has_system or tools %}"
    "{{ '<|im_start|>system\\n' }}"
    "{% if has_system %}{{ messages[0]['content'] }}{% endif %}"
    "{% if has_system and tools %}{{ '\\n\\n' }}{% endif %}"
    "{% if tools %}{{ '# Tools\\n<tools>\\n' }}"
    "{% for tool in tools %}{{ tool | tojson + '\\n' }}{% endfor %}"
    "{{ '</tools>\\n" + CALL_FORM.replace("\n", "\\n") + "' }}{% endif %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if not (loop.first and has_system) %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{% if message['content'] or not loop.first %}{{ '\\n' }}{% endif %}"
    "{{ '<tool_call>\\n{\"name\": ' + call['function']['name'] | tojson + ', \"arguments\": ' + call['function']['arguments'] | tojson }}"
    "{{ '}\\n</tool_call>' }}"
    "{% endfor %}"
    "{{ '<|im_end|>\\n' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Dialogue:
    """Messages (the system's first, if there is one), and the tools on offer."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()


Segment = tuple[str, bool]
"""A piece of a text, and whether it is an answer (or anything else that is worth learning in full)."""


def spoken(message: Message) -> str:
    """Give what a message says, its tool calls included."""
    functions = [call["function"] for call in message.get("tool_calls", ())]
    calls = [call_text(function["name"], function["arguments"]) for function in functions]
    return "\n".join([message["content"], *calls] if message["content"] else calls)


def _schemas(dialogue: Dialogue) -> str:
    """Write the tools as JSON, one a line."""
    return "".join(json.dumps(tool, ensure_ascii=False) + "\n" for tool in dialogue.tools)


def _split(dialogue: Dialogue) -> tuple[str, tuple[Message, ...]]:
    """Split off the system's text (empty if there is none)."""
    first, *rest = dialogue.messages
    return (first["content"], tuple(rest)) if first["role"] == "system" else ("", dialogue.messages)


def transcript_segments(dialogue: Dialogue) -> list[Segment]:
    """Cut a transcript, as the base sees it, into answers and all else."""
    system, turns = _split(dialogue)
    head = f"{system}\n\n" if system else ""
    head += f"Tools:\n{_schemas(dialogue)}\n" if dialogue.tools else ""
    segments: list[Segment] = []
    for message in turns:
        head += f"{TURN_NAMES[message['role']]}:\n"
        if message["role"] == "assistant":
            segments += [(head, False), (spoken(message), True)]
            head = "\n\n"
        else:
            head += f"{message['content']}\n\n"
    return segments


def chat_segments(dialogue: Dialogue) -> list[Segment]:
    """Cut a chat, as the aligned model sees it, into answers with the end of their turn, and all else."""
    system, turns = _split(dialogue)
    block = f"# Tools\n<tools>\n{_schemas(dialogue)}</tools>\n{CALL_FORM}" if dialogue.tools else ""
    opening = "\n\n".join(text for text in (system, block) if text)
    head = f"{TURN_START}system\n{opening}{TURN_END}\n" if opening else ""
    segments: list[Segment] = []
    for message in turns:
        head += f"{TURN_START}{message['role']}\n"
        if message["role"] == "assistant":
            segments += [(head, False), (f"{spoken(message)}{TURN_END}", True)]
            head = "\n"
        else:
            head += f"{message['content']}{TURN_END}\n"
    return segments


def written(segments: list[Segment]) -> str:
    """Join segments to the text that they were cut from."""
    return "".join(text for text, _ in segments)
