"""Reasoning before an answer, between `<think>` and `</think>`, parsed as the text arrives.

The format is that of Qwen 3, DeepSeek R1 and their successors. The result does not depend on how a text is cut into pieces. White space
around the reasoning belongs to neither part. Knows texts; knows no models.
"""

from dataclasses import dataclass

from baco.parsing.tool_call import length_before_marker

THINK_START, THINK_END = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class ReasoningFormat:
    """Answers may begin with reasoning."""

    inside: bool
    """Whether the prompt ends with the opening marker, so that an answer begins inside its reasoning."""


class ReasoningParser:
    """Splits one answer into its reasoning and the rest."""

    def __init__(self, inside: bool) -> None:
        self._pending = ""
        self._state = "reasoning" if inside else "start"
        self._begun = False
        """Whether the current part has had anything but white space."""

    def push(self, text: str, final: bool = False) -> tuple[str, str]:
        """Take more text; return the reasoning and the rest that are now certain. `final`: the answer ends here, and all of it is."""
        self._pending += text
        if self._state == "start":
            bare = self._pending.lstrip()
            if bare.startswith(THINK_START):
                self._state, self._pending = "reasoning", bare[len(THINK_START) :]
            elif final or not THINK_START.startswith(bare):
                self._state = "plain"
        reasoning = self._take_reasoning(final) if self._state == "reasoning" else ""
        return reasoning, self._take_rest() if self._state in ("rest", "plain") else ""

    def _take_reasoning(self, final: bool) -> str:
        """The reasoning that is certain. Reasoning that is cut off is reasoning too."""
        text, marker, rest = self._pending.partition(THINK_END)
        if not self._begun:
            text = text.lstrip()
        if marker:
            self._state, self._pending, self._begun = "rest", rest, False
            return text.rstrip()
        certain = text.rstrip() if final else text[: length_before_marker(text, THINK_END)]
        self._pending, self._begun = text[len(certain) :], self._begun or bool(certain)
        return certain

    def _take_rest(self) -> str:
        text = self._pending if self._begun or self._state == "plain" else self._pending.lstrip()
        self._pending, self._begun = "", self._begun or bool(text)
        return text
