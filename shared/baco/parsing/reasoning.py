"""Reasoning before an answer, between `<think>` and `</think>` or a family's own markers, parsed as the text arrives.

The result does not depend on how a text is cut into pieces. White space around the reasoning belongs to neither part. Knows texts; knows
no models.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from baco.parsing.tool_call import length_before_marker

THINK_START, THINK_END = "<think>", "</think>"
MARKERS = (
    (THINK_START, THINK_END),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
)
"""Markers by families: Qwen 3, DeepSeek R1 and most others; Magistral and Ministral 3; Seed-OSS; Command; Gemma 4; Apertus."""


class ReasoningSplitter(ABC):
    """Splits one answer into its reasoning and the rest."""

    @abstractmethod
    def push(self, text: str, final: bool = False) -> tuple[str, str]:
        """Take more text; return the reasoning and the rest that are now certain. `final`: the answer ends here, and all of it is."""


@dataclass(frozen=True, slots=True)
class ReasoningFormat:
    """Answers may begin with reasoning."""

    inside: bool
    """Whether the prompt ends with the opening marker, so that an answer begins inside its reasoning."""
    start: str = THINK_START
    end: str = THINK_END
    splitter: Callable[[], ReasoningSplitter] | None = None
    """Makes a parser, where reasoning is not between two markers."""
    more_tokens: tuple[str, ...] = ()
    """Further markers that such a parser reads."""

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """Markers that are control tokens in some vocabularies; the text of an answer keeps them, so that reasoning can be parsed."""
        return (self.start, self.end, *self.more_tokens)

    def reader(self) -> ReasoningSplitter:
        """Make a parser for one answer."""
        return ReasoningParser(self.inside, self.start, self.end) if self.splitter is None else self.splitter()


class ReasoningParser(ReasoningSplitter):
    """Splits one answer by the markers around its reasoning."""

    def __init__(self, inside: bool, start: str = THINK_START, end: str = THINK_END) -> None:
        self._opening, self._closing = start, end
        self._pending = ""
        self._state = "reasoning" if inside else "start"
        self._begun = False
        """Whether the current part has had anything but white space."""

    def push(self, text: str, final: bool = False) -> tuple[str, str]:
        """Take more text; return the reasoning and the rest that are now certain. `final`: the answer ends here, and all of it is."""
        self._pending += text
        if self._state == "start":
            bare = self._pending.lstrip()
            if bare.startswith(self._opening):
                self._state, self._pending = "reasoning", bare[len(self._opening) :]
            elif final or not self._opening.startswith(bare):
                self._state = "plain"
        reasoning = self._take_reasoning(final) if self._state == "reasoning" else ""
        return reasoning, self._take_rest() if self._state in ("rest", "plain") else ""

    def _take_reasoning(self, final: bool) -> str:
        """The reasoning that is certain. Reasoning that is cut off is reasoning too."""
        text, marker, rest = self._pending.partition(self._closing)
        if not self._begun:
            text = text.lstrip()
        if marker:
            self._state, self._pending, self._begun = "rest", rest, False
            return text.rstrip()
        certain = text.rstrip() if final else text[: length_before_marker(text, self._closing)]
        self._pending, self._begun = text[len(certain) :], self._begun or bool(certain)
        return certain

    def _take_rest(self) -> str:
        text = self._pending if self._begun or self._state == "plain" else self._pending.lstrip()
        self._pending, self._begun = "", self._begun or bool(text)
        return text
