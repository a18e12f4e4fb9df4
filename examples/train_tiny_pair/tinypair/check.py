"""The oracle: is a text a right answer to a task? It judges the text alone.

A text is valid when it can be read as one of the task's frames with right options in the gaps: that is at once
well-formed, on topic and right. A gap that occurs twice must hold two different options, ignoring case. A tool's call may be spelled in
any way that is the same JSON.
"""

from __future__ import annotations

import re

from tinypair.families.tool_schemas import same_call
from tinypair.task import SLOT, Task
from tinypair.text import capitalise

MAX_WORDS = 80


def frame_pattern(frame: str, task: Task) -> re.Pattern[str]:
    """Turn a frame into a pattern; the groups are named ``slot__use``."""
    pattern, end, uses = "", 0, 0
    for match in SLOT.finditer(frame):
        options = task.slots[match.group(2)].options
        texts = [capitalise(option) for option in options] if match.group(1) else list(options)
        choices = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
        pattern += re.escape(frame[end : match.start()]) + f"(?P<{match.group(2)}__{uses}>{choices})"
        end, uses = match.end(), uses + 1
    return re.compile(pattern + re.escape(frame[end:]))


def is_valid(task: Task, text: str) -> bool:
    """Say whether a text is a right answer to a task: well-formed, on topic, true to fact and context."""
    text = text.strip()
    if not text or len(text.split()) > MAX_WORDS:
        return False
    for frame in task.frames:
        if same_call(frame, text):
            return True
        match = frame_pattern(frame, task).fullmatch(text)
        if match and _all_different(match.groupdict()):
            return True
    return False


def _all_different(groups: dict[str, str]) -> bool:
    """Say whether the uses of each slot took different options."""
    filled = [(name.rpartition("__")[0], value.lower()) for name, value in groups.items()]
    return len(filled) == len(set(filled))


def normalised(text: str) -> str:
    """Reduce a text to what counts as a difference: lower-case words without punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


def distinct(texts: list[str]) -> int:
    """Count the different answers among texts."""
    return len({normalised(text) for text in texts})


def distinct_and_valid(task: Task, texts: list[str]) -> int:
    """Count the different answers among the texts that are valid."""
    return distinct([text for text in texts if is_valid(task, text)])
