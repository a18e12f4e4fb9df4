"""`ToolCallFormat`: how calls of tools are written in an answer. Hermes and Qwen, Llama 3, and Mistral in two forms.

    <tool_call>
    {"name": "weather", "arguments": {"city": "Köln"}}
    </tool_call>

    {"name": "weather", "parameters": {"city": "Köln"}}

    [TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Köln"}}]

    [TOOL_CALLS]weather[ARGS]{"city": "Köln"}

Knows texts; knows no tokenizers and no chat templates.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from baco.parsing.form_readers import (
    ARGS,
    CALL_ID,
    CLOSING,
    OPENING,
    PYTHON_TAG,
    TOOL_CALLS,
    HermesParser,
    Llama3Parser,
    MistralParser,
)
from baco.parsing.tool_call import Calls, ToolCallParser

READERS: dict[str, type[ToolCallParser]] = {
    "hermes": HermesParser,
    "llama3": Llama3Parser,
    "mistral": MistralParser,
    "mistral-named": MistralParser,
}


class ToolCallFormat(ABC):
    """How calls are read out of an answer."""

    name: str
    control: tuple[str, ...]
    """Texts around calls that are control tokens in some vocabularies; an answer shows them, so that it can be read."""

    @abstractmethod
    def reader(self) -> ToolCallParser:
        """Make a reader for one answer."""

    def read(self, text: str) -> tuple[str, Calls]:
        """Part a whole answer into its content and its calls."""
        reader = self.reader()
        (content, calls), (rest, others) = reader.push(text), reader.finish()
        return content + rest, calls + others


@dataclass(frozen=True, kw_only=True)
class ToolCallTemplate(ToolCallFormat):
    """A form that is known piece by piece, so that calls can be written in it, and held to it by a grammar."""

    name: str
    control: tuple[str, ...]
    opening: str = ""
    """In front of all calls."""
    before: str = ""
    """In front of each."""
    key: str | None
    """The field that has the arguments, in an object beside "name"; None where the name stands in front of the arguments."""
    middle: str = ""
    """Between name and arguments, where they are no object together."""
    after: str = ""
    """Behind each."""
    between: str
    """Between two."""
    closing: str = ""
    """Behind all."""

    def reader(self) -> ToolCallParser:
        """Make a reader for one answer."""
        return READERS[self.name]()

    def write(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
        """Write calls, each a name with its arguments."""
        return self.opening + self.between.join(f"{self.before}{self._call(*call)}{self.after}" for call in calls) + self.closing

    def _call(self, name: str, arguments: Mapping[str, Any]) -> str:
        if self.key is None:
            return f"{name}{self.middle}{json.dumps(arguments, ensure_ascii=False)}"
        return json.dumps({"name": name, self.key: arguments}, ensure_ascii=False)

    def with_written_calls(self, message: Mapping[str, Any]) -> str:
        """Write a checked message's content, and behind it its calls, on lines of their own."""
        functions = [call["function"] for call in message.get("tool_calls", ())]
        written = [self.write((function["name"], function["arguments"]) for function in functions)] if functions else []
        return "\n".join([message["content"], *written] if message["content"] else written)


HERMES = ToolCallTemplate(
    name="hermes", control=(OPENING, CLOSING), before=f"{OPENING}\n", key="arguments", after=f"\n{CLOSING}", between="\n"
)
LLAMA3 = ToolCallTemplate(name="llama3", control=(PYTHON_TAG,), key="parameters", between="; ")
MISTRAL = ToolCallTemplate(name="mistral", control=(TOOL_CALLS,), opening=f"{TOOL_CALLS} [", key="arguments", between=", ", closing="]")
MISTRAL_NAMED = ToolCallTemplate(
    name="mistral-named", control=(TOOL_CALLS, CALL_ID, ARGS), before=TOOL_CALLS, key=None, middle=ARGS, between=""
)
