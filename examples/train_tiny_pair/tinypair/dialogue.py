"""The two written forms of a dialogue: a plain transcript, and chat with turn markers."""

from __future__ import annotations

from dataclasses import dataclass

BOS, EOS, PAD = "<s>", "<|endoftext|>", "<|pad|>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (BOS, EOS, PAD, TURN_START, TURN_END)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Dialogue:
    """A system text (may be empty) and turns of a question and an answer."""

    system: str
    turns: tuple[tuple[str, str], ...]


Segment = tuple[str, bool]
"""A piece of a text, and whether it is an answer (or anything else that is worth learning in full)."""


def transcript_segments(dialogue: Dialogue) -> list[Segment]:
    """Cut a transcript, as the base sees it, into questions and answers."""
    head = f"{dialogue.system}\n\n" if dialogue.system else ""
    segments: list[Segment] = []
    for question, answer in dialogue.turns:
        segments += [(f"{head}User:\n{question}\n\nAssistant:\n", False), (answer, True)]
        head = "\n\n"
    return segments


def chat_segments(dialogue: Dialogue) -> list[Segment]:
    """Cut a chat, as the aligned model sees it, into questions and answers with the end of their turn."""
    head = f"{TURN_START}system\n{dialogue.system}{TURN_END}\n" if dialogue.system else ""
    segments: list[Segment] = []
    for question, answer in dialogue.turns:
        opening = f"{head}{TURN_START}user\n{question}{TURN_END}\n{TURN_START}assistant\n"
        segments += [(opening, False), (f"{answer}{TURN_END}", True)]
        head = "\n"
    return segments


def written(segments: list[Segment]) -> str:
    """Join segments to the text that they were cut from."""
    return "".join(text for text, _ in segments)
