"""What an answer is made of: a thought, content and calls, read out of a whole answer or out of its events as they come.

Knows results and the readers of their parts; knows no framework.
"""

from dataclasses import dataclass, field

from baco.call_formats import CallFormat
from baco.call_reader import CallReader, Calls
from baco.results import GenerationResult, StreamEvent
from baco.thoughts import ThoughtFormat, ThoughtReader


@dataclass(frozen=True, slots=True)
class Reading:
    """A part of an answer, or all of it."""

    thought: str = ""
    content: str = ""
    calls: Calls = field(default_factory=Calls)


def read(text: str, result: GenerationResult) -> Reading:
    """Part a whole answer of a result."""
    thought, rest = ("", text) if result.thought_format is None else result.thought_format.read(text)
    content, calls = (rest, Calls()) if result.call_format is None else result.call_format.read(rest)
    return Reading(thought, content, calls)


class AnswerReader:
    """Parts the events of one streamed answer. Put together, the parts are those of the whole answer.

    Where there may be calls, text that may become one is held back, and a call comes as a whole.
    """

    def __init__(self) -> None:
        self._thoughts: ThoughtReader | None = None
        self._calls: CallReader | None = None

    def push(self, event: StreamEvent) -> Reading:
        """Take the next event; return what is now certain, all of it when this is the request's last event."""
        final = event.result is not None
        thought, text = self._part(event.text, event.thought_format, final)
        content, calls = self._read(text, event.call_format, final)
        return Reading(thought, content, calls)

    def _part(self, text: str, thought_format: ThoughtFormat | None, final: bool) -> tuple[str, str]:
        if thought_format is None:
            return "", text
        self._thoughts = self._thoughts or thought_format.reader()
        thought, rest = self._thoughts.push(text)
        more, others = self._thoughts.finish() if final else ("", "")
        return thought + more, rest + others

    def _read(self, text: str, call_format: CallFormat | None, final: bool) -> tuple[str, Calls]:
        if call_format is None:
            return text, Calls()
        self._calls = self._calls or call_format.reader()
        content, calls = self._calls.push(text)
        rest, others = self._calls.finish() if final else ("", Calls())
        return content + rest, calls + others
