"""gpt-oss' answers: messages in channels. Reasoning is in "analysis", content in "final", and a call in "commentary", to its function.

    <|channel|>analysis<|message|>Shall I look?<|end|><|start|>assistant<|channel|>commentary to=functions.weather
    <|constrain|>json<|message|>{"city": "Köln"}<|call|>

(There is no line break in it.) Knows texts; knows no tokenizers.
"""

import re

from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.marked_json import MarkedJsonParser
from baco.parsing.reasoning import ReasoningFormat, ReasoningSplitter
from baco.parsing.tool_call import length_before_marker

START, CHANNEL, CONSTRAIN, MESSAGE, END, CALL = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>"
NEXT_MESSAGE = f"{CALL}{START}assistant"
MARKERS = (START, CHANNEL, CONSTRAIN, MESSAGE, END, CALL)
HEADERS, ENDS = (START, CHANNEL, "to="), (END, CALL, START, CHANNEL)
"""What a header begins with, and what a message ends before."""
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")


class HarmonyParser(MarkedJsonParser):
    """Parses messages to functions. The recipient stands behind the channel, or before it, as templates write it."""

    openings = (f"{CHANNEL}commentary to=", f"{START}assistant to=", f"{CHANNEL}analysis to=")
    closings = (CALL, END, f"{START}assistant")
    head = re.compile(rf"(?:functions\.)?([^\s<>{{}}]+)[^{{}}]*?{re.escape(MESSAGE)}\s*(?=\{{)")


HARMONY = ToolCallTemplate(
    name="harmony",
    parser=HarmonyParser,
    control_tokens=MARKERS,
    before=f"{CHANNEL}commentary to=functions.",
    key=None,
    middle=f" {CONSTRAIN}json{MESSAGE}",
    between=NEXT_MESSAGE,
    ends_answer=True,
)


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find a message to the function."""
    return HARMONY if re.search(rf"to=functions\.{PROBE_NAME}\b[^{{}}]*{re.escape(MESSAGE)}", rendered.text) else None


class ChannelSplitter(ReasoningSplitter):
    """Splits messages into reasoning and the rest, in which a message to a function keeps its header.

    Messages of one part stand on lines of their own. An answer that begins without a header is all rest.
    """

    def __init__(self) -> None:
        self._pending = ""
        self._part = "header"
        """What is being read: a "header", a message that is "reasoning", "content" or a "call", or a last "text" without an end."""
        self._joint = {"reasoning": "", "rest": ""}
        """What comes before the next text of a part."""
        self._begun = {"reasoning": False, "rest": False}

    def push(self, text: str, final: bool = False) -> tuple[str, str]:
        """Take more text; return the reasoning and the rest that are now certain."""
        self._pending += text
        found = {"reasoning": "", "rest": ""}
        while self._pending and (self._read_header(final) if self._part == "header" else self._read_body(found, final)):
            pass
        return found["reasoning"], found["rest"]

    def _read_header(self, final: bool) -> bool:
        """Read a header, if it is whole; return whether it was."""
        head, message, rest = self._pending.partition(MESSAGE)
        begun = head.lstrip()
        is_header = any(begun.startswith(mark) or (not message and mark.startswith(begun)) for mark in HEADERS)
        if not is_header or (final and not message):
            # Text without a header is left as it is; an unfinished header at the end of the answer, too.
            self._part, self._begun["rest"] = "text" if is_header else "content", True
            return True
        if not message:
            return False
        recipient = _RECIPIENT.search(head)
        if recipient is not None:
            self._part, self._pending = "call", f"{CHANNEL}commentary to={recipient[1]} {CONSTRAIN}json{MESSAGE}{rest}"
        else:
            self._part, self._pending = "reasoning" if f"{CHANNEL}analysis" in head else "content", rest
        part = "reasoning" if self._part == "reasoning" else "rest"
        self._joint[part] = "\n" if self._begun[part] else ""
        return True

    def _read_body(self, found: dict[str, str], final: bool) -> bool:
        """Read a message up to its end, or as far as it is certain; return whether its end was found."""
        text = self._pending
        header = text.find(MESSAGE) + len(MESSAGE) if self._part == "call" and MESSAGE in text else 0
        ends = () if self._part == "text" else ENDS
        places = {mark: place for mark in ends if (place := text.find(mark, header)) >= 0}
        mark = min(places, key=lambda each: places[each], default="")
        end = places[mark] if mark else len(text) if final else min(length_before_marker(text, each) for each in ENDS)
        if end >= header:
            self._say(text[:end].rstrip() if mark else text[:end], found)
            # The marker of another header is part of it.
            self._pending = text[end + (len(mark) if mark in (END, CALL) else 0) :]
        self._part = "header" if mark else self._part
        return bool(mark)

    def _say(self, text: str, found: dict[str, str]) -> None:
        part = "reasoning" if self._part == "reasoning" else "rest"
        text = text if self._begun[part] and not self._joint[part] else text.lstrip()
        if text:
            found[part] += self._joint[part] + text
            self._joint[part], self._begun[part] = "", True


CHANNELS = ReasoningFormat(inside=False, start=f"{CHANNEL}analysis{MESSAGE}", end=END, splitter=ChannelSplitter, more_tokens=MARKERS)
