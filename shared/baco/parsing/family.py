"""`RenderedCall`: the probe call by which a family of models that write calls in one format is recognised.

Knows rendered text; knows no tokenizers and no family.
"""

from dataclasses import dataclass

from baco.parsing.tool_call import decode_object

PROBE_NAME, PROBE_ARGUMENT, PROBE_VALUE = "baco_probe_call", "baco_probe_field", "baco_probe_value"
"""The function, the argument and its value, of a call that no chat template mentions of its own accord."""
KEYS = ("arguments", "parameters")
SUFFIX = 32
"""Characters before an answer by which its beginning is recognised (our own choice)."""


@dataclass(frozen=True, slots=True)
class RenderedCall:
    """The probe call as a chat template writes it, or what a template that leaves calls out says of them."""

    text: str
    """A conversation with an answer that is the probe call; "" if the template leaves calls out or refuses them."""
    before_answer: str
    """A conversation up to where an answer begins."""
    tools: str = ""
    """A conversation with a tool and no call, if the template leaves calls out."""
    source: str = ""
    """That template itself."""
    tokens: frozenset[str] = frozenset()
    """The tokens that its tokenizer has added to the vocabulary."""

    def arguments_key(self, start: int) -> str | None:
        """The field that has the arguments in the JSON object at `start`; None where that is not the probe call."""
        found = decode_object(self.text, start)
        if found is None or found[0].get("name") != PROBE_NAME:
            return None
        call, _ = found
        return next((key for key in KEYS if isinstance(call.get(key), dict) and PROBE_ARGUMENT in call[key]), None)

    def mentions(self, marker: str) -> bool:
        """Whether a template that leaves calls out has a marker of calls, in what it says of tools or in itself."""
        return marker in self.tools or marker in self.source

    def begins_answer(self, position: int) -> bool:
        """Whether an answer begins at a position of `text`."""
        return self.text[:position].endswith(self.before_answer[-SUFFIX:])
