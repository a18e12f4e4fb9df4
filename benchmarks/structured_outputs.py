"""Structured outputs in numbers: every schema at budgets from generous to one token less than its shortest answer.

Each output is checked by Pydantic, where the schema is a class, and against its JSON schema by `json_check`, which knows no grammars.
Knows `ChatBaco`; knows nothing of how figures are shown.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig
from pydantic import TypeAdapter, ValidationError

from baco import ConfigError
from benchmarks.json_check import mistakes, value_characters
from benchmarks.measure import Progress
from benchmarks.schemas import Schema
from langchain_baco import ChatBaco

GENEROUS = 300
"""Tokens: the embedded pair's window of 1,024 has room for them and any prompt here."""
LONGEST_COMPLAINT = 240
"""Characters."""
NO_ROOM = re.compile(r"the shortest that was found for `grammar` takes (\d+)")
SUMMED = ("outputs", "valid", "refused", "invalid", "stopped", "filled", "tokens", "base_tokens", "base_outside", "seconds")


@dataclass(kw_only=True)
class Outputs:
    """What came of the outputs of one schema, or of several."""

    schema: str
    shortest: int | None
    """Tokens of the shortest answer, as a refusal names them; None where several schemas are counted."""
    outputs: int = 0
    valid: int = 0
    """Read, and what the schema describes."""
    refused: int = 0
    """Refused up front, where the shortest answer does not fit."""
    invalid: int = 0
    """Neither; must be 0."""
    complaints: list[str] = field(default_factory=list)
    """Why the invalid ones are."""
    stopped: int = 0
    """Ended by an end token."""
    filled: int = 0
    """Ended with their last token, or where the context window does."""
    tokens: int = 0
    fewest_tokens: int | None = None
    """Of a valid answer, its end token left out. Fewer than `shortest` mean that something is refused that would fit."""
    base_tokens: int = 0
    base_outside: int = 0
    """Characters by the base model that are not inside a string which is a value; must be 0."""
    seconds: float = 0.0

    @property
    def base_share(self) -> float:
        """Share of tokens that the base model wrote."""
        return self.base_tokens / self.tokens if self.tokens else 0.0

    def complain(self, why: str) -> None:
        """Count an invalid output."""
        self.invalid += 1
        self.complaints.append(" ".join(why.split())[:LONGEST_COMPLAINT])


class Heard(BaseCallbackHandler):
    """Keeps the message that an output was read from: a chain hands back only what was read."""

    def __init__(self) -> None:
        self.message: AIMessage | None = None

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Keep the answer."""
        message = response.generations[0][0].message  # type: ignore[union-attr]
        assert isinstance(message, AIMessage)
        self.message = message


def measure_outputs(model: ChatBaco, schemas: Mapping[str, Schema], prompts: Sequence[str], progress: Progress) -> list[Outputs]:
    """Ask every schema of every prompt at each of its budgets, a budget's prompts in one `batch`, with a seed for each budget."""
    found = []
    for name, schema in schemas.items():
        shortest = shortest_answer(model, schema)
        found.append(Outputs(schema=name, shortest=shortest))
        for seed, room in enumerate(budgets(shortest)):
            progress(f"{name}, at most {room} tokens")
            _ask(found[-1], model, schema, prompts, room, seed)
    return found


def budgets(shortest: int) -> tuple[int, ...]:
    """From generous to one token less than is needed."""
    return GENEROUS, 2 * shortest, shortest + 6, shortest, shortest - 1


def shortest_answer(model: ChatBaco, schema: Schema) -> int:
    """How many tokens an answer takes at least, as the refusal of a single one says."""
    try:
        model.with_structured_output(schema).invoke("Go on.", max_tokens=1)
    except ConfigError as refusal:
        needed = NO_ROOM.search(str(refusal))
        if needed is None:
            raise
        return int(needed[1])
    return 1


def total(found: Sequence[Outputs]) -> Outputs:
    """All schemas together."""
    sums: dict[str, Any] = {name: sum(getattr(one, name) for one in found) for name in SUMMED}
    return Outputs(schema=f"all {len(found)}", shortest=None, **sums)


def _ask(one: Outputs, model: ChatBaco, schema: Schema, prompts: Sequence[str], room: int, seed: int) -> None:
    heard = [Heard() for _ in prompts]
    configs: list[RunnableConfig] = [{"callbacks": [each]} for each in heard]
    asked = model.with_structured_output(schema, max_tokens=room, seed=seed)
    start = time.perf_counter()
    outputs: list[Any] = asked.batch(list(prompts), configs, return_exceptions=True)
    one.seconds += time.perf_counter() - start
    one.outputs += len(outputs)
    for output, each in zip(outputs, heard, strict=True):
        if each.message is not None:
            _count(one, schema, output, each.message)
        elif isinstance(output, ConfigError) and one.shortest is not None and room < one.shortest:
            one.refused += 1
        else:
            one.complain(f"{type(output).__name__} at {room} tokens: {output}")


def _count(one: Outputs, schema: Schema, output: Any, message: AIMessage) -> None:
    usage, metadata = message.usage_metadata, message.response_metadata
    assert usage is not None
    details: Any = usage["output_token_details"]
    stopped = metadata["finish_reason"] == "stop"
    one.stopped += stopped
    one.filled += metadata["finish_reason"] == "length"
    one.tokens += usage["output_tokens"]
    one.base_tokens += details["base"]
    why = complaint(schema, output, message.text)
    if why is None:
        one.valid += 1
        one.fewest_tokens = min(one.fewest_tokens or GENEROUS, usage["output_tokens"] - stopped)
        one.base_outside += base_outside(metadata["baco"]["spans"])
    else:
        one.complain(f"{message.text}: {why}")


def complaint(schema: Schema, output: Any, text: str) -> str | None:
    """Say why an output is not what its schema describes; None if it is."""
    if isinstance(output, Exception):
        return f"{type(output).__name__} {output}"
    try:
        value = json.loads(text)
        if isinstance(schema, dict):
            expected, described = value, schema
        else:
            adapter = TypeAdapter[Any](schema)
            expected, described = adapter.validate_json(text), adapter.json_schema()
    except (ValueError, ValidationError) as error:
        return str(error)
    if output != expected:
        return f"what was read is {output!r}"
    return next(mistakes(value, described), None)


def base_outside(spans: Sequence[Sequence[str]]) -> int:
    """Count the characters of a whole JSON text which the base model wrote although they are not inside a string that is a value."""
    inside, start, outside = value_characters("".join(text for text, _ in spans)), 0, 0
    for text, owner in spans:
        if owner == "base":
            outside += len(set(range(start, start + len(text))) - inside)
        start += len(text)
    return outside
