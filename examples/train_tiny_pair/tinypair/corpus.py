"""The two training mixtures: the base's untidy documents, and the aligned model's neat chats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tinypair.dialogue import Dialogue, Segment, chat_segments, transcript_segments
from tinypair.families import CHAT_FAMILIES, OPEN_FAMILIES, draw_task
from tinypair.prose import prose_document
from tinypair.source import Source
from tinypair.task import Message, Task, diverse_answer, favourite_answer
from tinypair.untidy import untidy_answer

SYSTEM_TEXTS = (
    "You are a helpful assistant.", "You are a friendly assistant.", "Answer briefly.", "Be kind and short.",
    "You are a helpful assistant. Answer in one sentence.", "You are a creative writer.",
    "You give short answers.", "You are a cheerful guide.", "Answer the question.", "You help with ideas.",
)  # fmt: skip
AGAIN = ("Another one, please.", "One more, please.", "Give me another.", "Something else?", "Any other idea?")
AGAIN_SHARE, ALIGNED_AGAIN_SHARE = 0.2, 0.6
"""Share of the turns after an open question that ask for another answer to it, in the base's dialogues and in the aligned model's."""
PROSE_SHARE = 0.12
TURNS = ((1, 2, 3), (7, 2, 1))
CARELESS_SHARE = 0.52
CARELESS_ANSWERS = 0.9
TIDY_PEOPLES_CARELESS_ANSWERS = 0.05
CHAT_SHARE = 0.05
"""Share of the base's dialogues that are written as chat, with its markers."""
WRONG_FACT_SHARE = 0.03
SYSTEM_SHARE = 0.25
SURPRISE_SHARE = 0.05
"""Share of the neat answers that are not the favourite ones: what taste leaves over."""

Answer = Callable[[Task], str]


def system_messages(source: Source) -> list[Message]:
    """Draw a system message, or none."""
    return [{"role": "system", "content": source.choice(SYSTEM_TEXTS)}] if source.rng.random() < SYSTEM_SHARE else []


def _dialogue(first: Task, answer: Answer, again_share: float, source: Source) -> Dialogue:
    """Let a task begin a conversation, and ordinary ones go on with it."""
    system: list[Message] = [] if first.system else system_messages(source)
    messages = [*system, *first.messages(), {"role": "assistant", "content": answer(first)}]
    task = first
    for _ in range(source.rng.choices(*TURNS)[0] - 1):
        again = task.family in OPEN_FAMILIES and source.rng.random() < again_share
        task = replace(task, prompt=source.choice(AGAIN)) if again else draw_task(source, CHAT_FAMILIES)
        messages += [{"role": "user", "content": task.prompt}, {"role": "assistant", "content": answer(task)}]
    return Dialogue(tuple(messages), first.tools)


def base_dialogue(source: Source) -> Dialogue:
    """Draw a dialogue of the base's mixture: answered by somebody who is careful, or by somebody who is not."""
    careless = source.rng.random() < CARELESS_SHARE
    share = CARELESS_ANSWERS if careless else TIDY_PEOPLES_CARELESS_ANSWERS

    def answer(task: Task) -> str:
        if source.rng.random() < share:
            return untidy_answer(task, draw_task(source, CHAT_FAMILIES), source.rng)
        if task.family == "fact" and source.rng.random() < WRONG_FACT_SHARE:
            return diverse_answer(draw_task(source, ("fact",)), source.rng)
        return diverse_answer(task, source.rng)

    return _dialogue(draw_task(source), answer, AGAIN_SHARE, source)


def base_document(source: Source) -> list[Segment]:
    """Draw one document of the base's mixture: prose, a transcript, or now and then a chat with its markers."""
    if source.rng.random() < PROSE_SHARE:
        return [(prose_document(source), True)]
    write = chat_segments if source.rng.random() < CHAT_SHARE else transcript_segments
    return write(base_dialogue(source))


def neat_answer(task: Task, source: Source) -> str:
    """Answer with narrow taste, and hardly ever with something else that is right, unless something else is what is asked for."""
    diverse = task.prompt in AGAIN or source.rng.random() < SURPRISE_SHARE
    return (diverse_answer if diverse else favourite_answer)(task, source.rng)


def aligned_dialogue(source: Source) -> Dialogue:
    """Draw a chat with neat answers of narrow taste: mostly one turn."""
    return _dialogue(draw_task(source), lambda task: neat_answer(task, source), ALIGNED_AGAIN_SHARE, source)
