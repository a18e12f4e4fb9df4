"""Tool calls parsed by transformers' own parser, where a tokenizer has a description of its answers (`response_template`).

Knows tokenizers and the texts of answers; knows no models.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import PreTrainedTokenizerBase

from baco.errors import PairError
from baco.parsing.formats import ToolCallFormat
from baco.parsing.tool_call import Calls, InvalidToolCall, ToolCall, ToolCallParser
from baco.parsing.tools import Tool
from baco.vocab.token_text import TokenTexts

CONTENT, CALLS = "content", "tool_calls"


@dataclass(frozen=True, kw_only=True)
class ResponseTemplate(ToolCallFormat):
    """Calls as a description says. Fields other than content and calls, such as reasoning, are not read."""

    name: str = "response_template"
    control_tokens: tuple[str, ...]
    tokenizer: PreTrainedTokenizerBase = field(repr=False, compare=False)
    prompt: str = field(repr=False)
    tools: tuple[Tool, ...] = field(repr=False)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, prompt: str, tools: Sequence[Tool]) -> "ResponseTemplate":
        """Make it from a tokenizer's description.

        Args:
            tokenizer: it has a `response_template`.
            prompt: it may end with the beginning of the answer; "" where it is not known.
            tools: their schemas say which arguments that are written as text are numbers, and so on.

        Raises:
            PairError: transformers refuses the description.
        """
        template: Any = tokenizer.response_template
        try:
            tokenizer.get_response_parser(prefix="")
        except (ValueError, TypeError) as error:
            raise PairError(f"transformers cannot read the response_template of {tokenizer.name_or_path!r}: {error}") from error
        # What ends the content also ends the answer, and need not be shown.
        described = {name: rule for name, rule in template["fields"].items() if name != CONTENT}
        texts = list(_texts(described))
        shown = [token for token in TokenTexts.of(tokenizer).control if any(token in text or re.escape(token) in text for text in texts)]
        return cls(control_tokens=tuple(shown), tokenizer=tokenizer, prompt=prompt, tools=tuple(tools))

    def reader(self) -> ToolCallParser:
        """Make a parser for one answer."""
        return ResponseParser(self.tokenizer.get_response_parser(prefix=self.prompt, tools=list(self.tools)))  # type: ignore[arg-type]


class ResponseParser(ToolCallParser):
    """Feeds transformers' parser one character at a time: pieces then make no difference, and nothing is lost where it fails."""

    def __init__(self, parser: Any) -> None:
        super().__init__()
        self._parser = parser
        self._text = ""
        self._fed = self._returned = 0
        """Lengths of the text that the parser has taken, and of that whose content and calls have been returned."""
        self._space = ""
        """White space that is content only if more content follows."""
        self._failure: str | None = None

    def push(self, text: str, final: bool = False) -> tuple[str, Calls]:
        """Take more text; return the content and the calls that are now certain. What could not be read by the end is an invalid call."""
        content, calls = "", Calls()
        for event in self._events(text, final):
            if event["type"] == "region_chunk" and event["field"] == CONTENT:
                content += self._with_space(event["text"])
            elif event["type"] == "region_close" and event["field"] == CALLS:
                values = event["value"] if isinstance(event["value"], list) else [event["value"]]
                calls += [self._call(value) for value in values]
                self._space, self._follows_call = "", True
            if event["type"] == ("region_close" if event["field"] == CALLS else "region_chunk"):
                self._returned = self._fed
        if final and self._failure is not None and (rest := self._text[self._returned :].strip()):
            calls.append(InvalidToolCall(text=rest, error=self._failure))
        return content, calls

    def _events(self, text: str, final: bool) -> Iterator[dict[str, Any]]:
        """What the parser finds in more text, up to where it fails."""
        self._text += text
        try:
            while self._failure is None and self._fed < len(self._text):
                self._fed += 1
                yield from self._parser.feed(self._text[self._fed - 1])
            if self._failure is None and final:
                yield from self._parser.finalize()[1]
        except (ValueError, TypeError, LookupError) as error:
            self._failure = str(error)

    def _with_space(self, text: str) -> str:
        text = self._space + text
        text = text if self._has_content else text.lstrip()
        body = text.rstrip()
        self._space = text[len(body) :]
        return self._content(body)

    def _call(self, value: Any) -> ToolCall | InvalidToolCall:
        function = value.get("function", value) if isinstance(value, dict) else None
        name, arguments = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else (None, None)
        try:
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        except ValueError:
            arguments = None
        if not isinstance(name, str) or not name or not isinstance(arguments, dict):
            return InvalidToolCall(
                text=self._text[self._returned : self._fed].strip(), error="a call must have a name, and arguments that are an object"
            )
        return ToolCall(name=name, arguments=arguments)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts inside a description."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
