"""ChatBaco's structured output: every form of schema and method, whole whatever room there is, with the base in values alone."""

import asyncio
import json
from typing import Any, Literal

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from baco import ConfigError
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT
from tests.support.scripted import scripted


class Pet(BaseModel):
    """A pet."""

    name: str = Field(description="what it is called", max_length=12)
    kind: Literal["rabbit", "cat"]
    age: int = Field(ge=0, le=30)


class Owner(TypedDict):
    """Somebody with pets."""

    name: str
    pets: list[str]


SCHEMA = {"title": "Place", "type": "object", "properties": {"city": {"type": "string", "maxLength": 9}}, "required": ["city"]}


pytestmark = pytest.mark.usefixtures("room_for_tools")


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_every_form_of_schema_comes_back_in_its_own_form(wild: ChatBaco, method: Any) -> None:
    pet = wild.with_structured_output(Pet, method=method).invoke(PROMPT)
    assert isinstance(pet, Pet) and pet.kind in ("rabbit", "cat")
    owner = wild.with_structured_output(Owner, method=method).invoke(PROMPT)
    assert owner.keys() == {"name", "pets"} and all(isinstance(name, str) for name in owner["pets"])
    place = asyncio.run(wild.with_structured_output(SCHEMA, method=method).ainvoke(PROMPT))
    assert place.keys() == {"city"} and len(place["city"]) <= 9


def test_the_raw_message_comes_with_what_was_read_from_it_or_with_why_it_was_not(wild: ChatBaco, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wild.with_structured_output(Pet, include_raw=True)
    both = asked.invoke(PROMPT)
    assert isinstance(both["raw"], AIMessage) and both["parsing_error"] is None
    assert json.loads(both["raw"].text) == both["parsed"].model_dump()
    scripted(monkeypatch)('{"name": ')
    broken = asked.invoke(PROMPT)
    assert broken["parsed"] is None and isinstance(broken["parsing_error"], OutputParserException)


def test_a_batch_and_a_stream_are_held_to_the_schema_too(wild: ChatBaco) -> None:
    structured = wild.model_copy(update={"seed": None}).with_structured_output(Pet)
    pets = structured.batch([PROMPT] * 6)
    assert all(isinstance(pet, Pet) for pet in pets)
    last = list(wild.with_structured_output(SCHEMA).stream(PROMPT))[-1]
    assert last == wild.with_structured_output(SCHEMA).invoke(PROMPT)


def test_the_base_writes_only_inside_of_values(wild: ChatBaco) -> None:
    said = wild.with_structured_output(Owner, include_raw=True, threshold=0.99).invoke(PROMPT)["raw"]
    spans = said.response_metadata["baco"]["spans"]
    assert any(owner == "base" for _, owner in spans)
    assert all(('"' not in text and "{" not in text.split('"')[0]) or owner == "aligned" for text, owner in spans)


def test_a_schema_for_which_there_is_no_room_is_refused_up_front(wild: ChatBaco) -> None:
    with pytest.raises(ConfigError, match="the shortest that was found for `grammar` takes"):
        wild.with_structured_output(Pet, max_tokens=8).invoke(PROMPT)


def test_with_tools_an_answer_is_a_call_or_the_json_that_is_asked_for(wild: ChatBaco) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
    bound = wild.bind_tools([Pet], response_format=form)
    for seed in range(8):
        said = bound.invoke(PROMPT, seed=seed)
        assert not said.invalid_tool_calls
        assert said.tool_calls or json.loads(said.text).keys() == {"city"}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda model: model.with_structured_output(Pet, method="json"), "`method` must be one of json_schema"),
        (
            lambda model: model.with_structured_output({"title": "x", "type": "object", "properties": {"a": {"not": {}}}}),
            "cannot be enforced",
        ),
        (lambda model: model.invoke(PROMPT, response_format="json"), "`response_format` must be"),
        (lambda model: model.invoke(PROMPT, response_format={"type": "json_schema"}), "`response_format` must be"),
        (lambda model: model.invoke(PROMPT, response_format={"type": "xml"}), "`response_format` must be"),
    ],
)
def test_what_cannot_be_enforced_is_refused(model: ChatBaco, ask: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(model)


def test_a_json_object_is_any_object(wild: ChatBaco) -> None:
    said = wild.invoke(PROMPT, response_format={"type": "json_object"}, max_tokens=60)
    assert isinstance(json.loads(said.text), dict)
    assert wild.invoke(PROMPT, response_format={"type": "text"}).text == wild.invoke(PROMPT).text
