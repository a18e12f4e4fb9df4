"""Messages and tools as a chat template renders them, and errors for those that it cannot. Knows texts; knows no token ids.

A template is code that comes with a model, and silently drops what it does not know: this module detects that.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from transformers import PreTrainedTokenizerBase

from baco.parsing.tools import Tool
from baco.text.template_variables import with_clock

Message = Mapping[str, Any]
SHOWN_TEXT = 40
"""Characters of a message that an error shows."""


def render(
    tokenizer: PreTrainedTokenizerBase,
    chat: Sequence[Message],
    template: str | None,
    tools: Sequence[Tool],
    variables: Mapping[str, Any],
    **options: Any,
) -> Any:
    """Apply a chat template, up to where the answer starts; `variables` are those of `template_variables`."""
    return tokenizer.apply_chat_template(
        [dict(message) for message in chat],
        tools=list(tools) or None,  # type: ignore[arg-type]
        chat_template=with_clock(tokenizer.get_chat_template(template, list(tools) or None)),  # type: ignore[arg-type]
        add_generation_prompt=True,
        **variables,
        **options,
    )


class Probe:
    """A copy of messages and tools with a unique mark in every text, name and argument, so that a rendering shows what a template drops.

    A mark stands behind a text, where no template looks for the beginning of a thought or of a call. Thoughts that an answer of the history
    begins with are dropped by the templates of reasoning models on purpose, and are no loss.
    """

    def __init__(self, chat: Sequence[Message], tools: Sequence[Tool], *, texts: bool) -> None:
        self._names = (f"baco_probe_{index}_" for index in count())
        self._meaning: dict[str, str] = {}
        """What each mark stands for, in the words of an error."""
        self.tools = [self._renamed(tool, f"tool {tool['function']['name']!r}") for tool in tools]
        self.chat = [self._marked(index, message, texts) for index, message in enumerate(chat)]

    def lost(self, text: str) -> list[str]:
        """What a rendering lacks."""
        return [meaning for mark, meaning in self._meaning.items() if mark not in text]

    def _marked(self, index: int, message: Message, texts: bool) -> dict[str, Any]:
        where = f"message {index} ({message['role']})"
        marked = dict(message)
        if texts and message["content"].strip():
            shown = message["content"].strip()[:SHOWN_TEXT]
            marked["content"] += self._mark(f"the text of {where}, {shown!r}")
        if message.get("tool_calls"):
            marked["tool_calls"] = [
                self._renamed(call, f"the call of {call['function']['name']!r} in {where}") for call in message["tool_calls"]
            ]
        return marked

    def _renamed(self, item: Mapping[str, Any], meaning: str) -> dict[str, Any]:
        function = {**item["function"], "name": self._mark(meaning)}
        if function.get("arguments"):
            mark = self._mark(f"the arguments of {meaning.removeprefix('the ')}")
            function["arguments"] = {**function["arguments"], mark: mark}
        return {**item, "function": function}

    def _mark(self, meaning: str) -> str:
        mark = next(self._names)
        self._meaning[mark] = meaning
        return mark
