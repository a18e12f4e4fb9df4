"""Thoughts in front of an answer, between `<think>` and `</think>`, read out of its text as it arrives.

The form is that of Qwen 3, DeepSeek R1 and those that follow them. However a text is cut into pieces makes no difference. White space
around a thought belongs to nobody. Knows texts; knows no models.
"""

from dataclasses import dataclass

THINK, END_OF_THOUGHT = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class ReasoningFormat:
    """Answers may begin with a thought."""

    inside: bool
    """Whether the prompt ends with the opening marker, so that an answer begins within its thought."""

    def reader(self) -> "ReasoningParser":
        """Make a reader for one answer."""
        return ReasoningParser(self.inside)

    def read(self, text: str) -> tuple[str, str]:
        """Part a whole answer into its thought and the rest."""
        reader = self.reader()
        (thought, rest), (more, others) = reader.push(text), reader.finish()
        return thought + more, rest + others


class ReasoningParser:
    """Parts one answer into its thought and the rest."""

    def __init__(self, inside: bool) -> None:
        self._held = ""
        self._place = "thought" if inside else "start"
        self._begun = False
        """Whether the part that is being read has shown anything but white space."""

    def push(self, text: str) -> tuple[str, str]:
        """Take more text; return what is now certain of the thought, and of the rest."""
        self._held += text
        if self._place == "start":
            bare = self._held.lstrip()
            if bare.startswith(THINK):
                self._place, self._held = "thought", bare[len(THINK) :]
            elif not THINK.startswith(bare):
                self._place = "plain"
        thought = self._thought() if self._place == "thought" else ""
        return thought, self._rest() if self._place in ("rest", "plain") else ""

    def finish(self) -> tuple[str, str]:
        """End the answer; return what was held. A thought that was cut off is one."""
        held, self._held = self._held, ""
        if self._place != "thought":
            return "", held if self._place in ("start", "plain") else held.lstrip()
        return (held if self._begun else held.lstrip()).rstrip(), ""

    def _thought(self) -> str:
        text, marker, rest = self._held.partition(END_OF_THOUGHT)
        if not self._begun:
            text = text.lstrip()
        if marker:
            self._place, self._held, self._begun = "rest", rest, False
            return text.rstrip()
        begun = next(length for length in range(len(END_OF_THOUGHT) - 1, -1, -1) if text.endswith(END_OF_THOUGHT[:length]))
        certain = text[: len(text) - begun].rstrip()
        self._held, self._begun = text[len(certain) :], self._begun or bool(certain)
        return certain

    def _rest(self) -> str:
        text = self._held if self._begun or self._place == "plain" else self._held.lstrip()
        self._held, self._begun = "", self._begun or bool(text)
        return text
