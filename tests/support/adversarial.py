"""What the adversarial tests share: tools, talks and schemas made short, kinds that hold themselves, refusals before any pass."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Optional

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

from tests.support.gate import Pass

HALF = "\ud800"
"""Half of a character: a surrogate on its own."""
Refused = Callable[[type[Exception], str], AbstractContextManager[pytest.ExceptionInfo[Any]]]


def refusals(passes: list[Pass]) -> Refused:
    """Make a `pytest.raises` that also wants no pass of a model to be made."""

    @contextmanager
    def check(error: type[Exception], match: str) -> Iterator[pytest.ExceptionInfo[Any]]:
        before = len(passes)
        with pytest.raises(error, match=match) as info:
            yield info
        assert len(passes) == before

    return check


def function(name: str = "clock", description: str = "Tells.", parameters: Any = None, **more: Any) -> dict[str, Any]:
    """A tool in OpenAI's form."""
    short = record({"city": {"type": "string", "maxLength": 4}})
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters or short, **more}}


def record(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A schema of an object with these fields, all of them required."""
    return {"title": "record", "type": "object", "properties": fields, "required": list(fields), **more}


def called(name: str = "clock", args: Any = None, call_id: str = "1") -> AIMessage:
    """A call of a tool."""
    return AIMessage("", tool_calls=[{"name": name, "args": {"city": "x"} if args is None else args, "id": call_id}])


def talk(call: AIMessage, result: Any = "noon", **more: Any) -> list[BaseMessage]:
    """A question, a call and its result."""
    return [HumanMessage("a"), call, ToolMessage(result, tool_call_id="1", **more)]


class Tree(BaseModel):
    """A tree."""

    size: int = Field(ge=0, le=9)
    branches: list["Tree"] = Field(max_length=2)


class Man(BaseModel):
    wife: Optional["Woman"] = None


class Woman(BaseModel):
    husband: Man | None = None


class Endless(BaseModel):
    next: "Endless"
