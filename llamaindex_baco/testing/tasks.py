"""What an LLM is asked by the suite: a tool to call, an object to write. Knows LlamaIndex's tools; asks nothing itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.tools import BaseTool, FunctionTool
from pydantic import BaseModel


@dataclass(frozen=True, kw_only=True)
class ToolTask:
    """A question that needs a tool, and the call that answers it."""

    tools: Sequence[BaseTool]
    """At least two, so that there is something to choose."""
    question: str
    name: str
    """Of the tool that the question needs."""
    arguments: dict[str, Any]
    output: str
    """What the tool says then."""
    other: str
    """Name of another of the tools."""


@dataclass(frozen=True, kw_only=True)
class ObjectTask:
    """A prompt that asks for an object, and one that would do."""

    output_cls: type[BaseModel]
    prompt: str
    """A template; its variables are braced."""
    variables: dict[str, Any] = field(default_factory=dict)
    example: dict[str, Any]

    @property
    def written(self) -> str:
        """The example as JSON."""
        return json.dumps(self.example)


class Pet(BaseModel):
    """A pet."""

    name: str
    age: int


def get_price(product: str) -> str:
    """Get the price of a product."""
    return f"{product} costs 42 euros"


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"{city} is sunny"


PRICE = ToolTask(
    tools=(FunctionTool.from_defaults(get_price), FunctionTool.from_defaults(get_weather)),
    question="What is the price of Zelnik?",
    name="get_price",
    arguments={"product": "Zelnik"},
    output="Zelnik costs 42 euros",
    other="get_weather",
)
PET = ObjectTask(output_cls=Pet, prompt="Describe a pet {kind}.", variables={"kind": "rabbit"}, example={"name": "Hoppy", "age": 3})
