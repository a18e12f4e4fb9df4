"""`RenderedCall`: the probe call by which a family of models that write calls in one format is recognised.

Knows rendered text; knows no tokenizers and no family.
"""

from dataclasses import dataclass

from baco.parsing.tool_call import decode_object

PROBE_NAME, PROBE_ARGUMENT = "baco_probe_call", "baco_probe_field"
"""The function and the argument of a call that no chat template mentions of its own accord."""
KEYS = ("arguments", "parameters")
SUFFIX = 12
"""Characters before an answer by which its beginning is recognised (our own choice)."""


@dataclass(frozen=True, slots=True)
class RenderedCall:
    """The probe call as a chat template writes it."""

    text: str
    """A conversation with an answer that is the probe call."""
    before_answer: str
    """A conversation up to where an answer begins."""

    def arguments_key(self, start: int) -> str | None:
        """The field that has the arguments in the JSON object at `start`; None where that is not the probe call."""
        found = decode_object(self.text, start)
        if found is None or found[0].get("name") != PROBE_NAME:
            return None
        call, _ = found
        return next((key for key in KEYS if isinstance(call.get(key), dict) and PROBE_ARGUMENT in call[key]), None)

    def begins_answer(self, position: int) -> bool:
        """Whether an answer begins at a position of `text`."""
        return self.text[:position].endswith(self.before_answer[-SUFFIX:])
