"""BacoLLM's structured answers: valid by construction whatever the weights, whole and as they grow, in LlamaIndex's own ways too."""

from collections.abc import AsyncIterator, Iterator
from datetime import date
from enum import Enum
from typing import Any, Literal

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import FunctionCallingProgram, LLMTextCompletionProgram
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field, RootModel, ValidationError, field_validator

from baco import ConfigError
from llamaindex_baco import BacoLLM
from tests.llamaindex.helpers import Make
from tests.support.gate import Gate, settle

PROMPT = PromptTemplate("Describe a {animal}.")
WAYS = ("structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict")


class Colour(Enum):
    RED = "red"
    GREY = "grey"


class Rabbit(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=12)
    colour: Colour


class Farm(BaseModel):
    rabbits: list[Rabbit] = Field(max_length=2)
    opened: date | None
    kind: Literal["big", "small"]


class Tree(BaseModel):
    label: str = Field(max_length=5)
    left: "Tree | None" = None


class Ages(RootModel[list[int]]):
    root: list[int] = Field(max_length=3)


class Even(BaseModel):
    number: int = Field(ge=0, le=9)

    @field_validator("number")
    @classmethod
    def is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@pytest.fixture
def llm(make: Make) -> BacoLLM:
    """Random weights at a high temperature: whatever comes out right is right by construction."""
    return make(max_tokens=120, temperature=1.5)


async def objects(llm: BacoLLM, way: str, kind: type[BaseModel], **keywords: Any) -> list[Any]:
    answer: Any = getattr(llm, way)(kind, PROMPT, animal="rabbit", **keywords)
    if way.startswith("a"):
        answer = await answer
    if isinstance(answer, AsyncIterator):
        return [one async for one in answer]
    return list(answer) if isinstance(answer, Iterator) else [answer]


@pytest.mark.parametrize("kind", [Rabbit, Farm, Tree, Ages])
@pytest.mark.parametrize("way", WAYS)
async def test_every_object_is_valid_and_the_same_in_each_way(llm: BacoLLM, way: str, kind: type[BaseModel]) -> None:
    found = await objects(llm, way, kind, llm_kwargs={"seed": 3})
    assert type(found[-1]) is kind
    assert found[-1] == llm.structured_predict(kind, PROMPT, animal="rabbit", llm_kwargs={"seed": 3})


@pytest.mark.parametrize("way", [way for way in WAYS if "stream" in way])
async def test_a_streamed_object_grows_and_is_never_blank_for_long(llm: BacoLLM, way: str) -> None:
    found = await objects(llm, way, Farm, llm_kwargs={"seed": 2})
    shown = [one.model_dump(mode="json", exclude_none=True) for one in found]
    assert len(shown) > 4 and shown[-1] == found[-1].model_dump(mode="json", exclude_none=True)
    sizes = [len(str(one)) for one in shown]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]
    assert all(set(type(one).model_fields) == set(Farm.model_fields) for one in found)


@pytest.mark.parametrize("way", WAYS)
async def test_an_object_that_just_fits_is_whole_and_one_that_cannot_fit_is_refused_before_decoding(
    llm: BacoLLM, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shortest = 0
    for tokens in range(1, 60):
        try:
            found = await objects(llm, way, Rabbit, llm_kwargs={"max_tokens": tokens})
        except ConfigError as error:
            assert "raise `max_tokens`" in str(error)
            shortest = tokens + 1
        else:
            assert isinstance(found[-1], Rabbit)
            break
    assert 5 < shortest < 59


@pytest.mark.parametrize("way", WAYS)
async def test_one_object_is_one_llm_event_with_exact_counts(llm: BacoLLM, way: str) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm.callback_manager = CallbackManager([counter])
    await objects(llm, way, Rabbit)
    (count,) = counter.llm_token_counts
    assert count.prompt_token_count > 5 and count.completion_token_count > 5


@pytest.mark.parametrize("way", WAYS)
async def test_the_system_prompt_is_read(make: Make, asked: list[dict[str, Any]], submitted: list[Any], way: str) -> None:
    lengths = []
    for system_prompt in (None, "You know all rabbits."):
        await objects(make(max_tokens=100, system_prompt=system_prompt), way, Rabbit)
        lengths.append(len(submitted[-1].prompt.token_ids["aligned"]))
    assert lengths[0] < lengths[1]


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex's own class
async def test_as_structured_llm_answers_with_objects(llm: BacoLLM) -> None:
    structured = llm.as_structured_llm(Rabbit)
    messages = [ChatMessage(content="Describe a rabbit.")]
    found = [structured.chat(messages).raw, (await structured.achat(messages)).raw]
    found += [list(structured.stream_chat(messages))[-1].raw, [one async for one in await structured.astream_chat(messages)][-1].raw]
    assert all(isinstance(one, Rabbit) for one in found)
    assert Rabbit.model_validate_json(structured.complete("Describe a rabbit.").text)
    assert Rabbit.model_validate_json((await structured.acomplete("Describe a rabbit.")).text)


def test_messages_may_have_braces_that_are_no_variables(llm: BacoLLM) -> None:
    prompt = ChatPromptTemplate(message_templates=[ChatMessage(content="Describe {{x}} and {animal}.")])
    assert isinstance(llm.structured_predict(Rabbit, prompt, animal="a rabbit"), Rabbit)


def test_what_a_validator_refuses_is_its_own_error(llm: BacoLLM) -> None:
    seen = set()
    for seed in range(12):
        try:
            seen.add(llm.structured_predict(Even, PROMPT, animal="rabbit", llm_kwargs={"seed": seed}).number % 2)
        except ValidationError as error:
            assert "must be even" in str(error)
            seen.add("refused")
    assert seen == {0, "refused"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("keywords", "error"), [({"temprature": 1}, "did you mean"), ({"max_tokens": 0}, "`max_tokens` must be")])
async def test_wrong_keywords_are_errors(llm: BacoLLM, way: str, keywords: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        await objects(llm, way, Rabbit, llm_kwargs=keywords)


def test_a_stream_that_is_left_stops_decoding(llm: BacoLLM, gate: Gate) -> None:
    gate.permits.release(12)
    stream = llm.stream_structured_predict(Farm, PROMPT, animal="rabbit", llm_kwargs={"router": "aligned"})
    next(stream)
    stream.close()
    gate.open()
    settle(gate.requests)
    assert gate.requests[0].candidates[0].finish_reason == "cancelled"


async def test_the_function_way_is_a_forced_call_streamed_or_not() -> None:
    llm = BacoLLM(max_tokens=80, seed=1, pydantic_program_mode=PydanticProgramMode.FUNCTION)
    for way in WAYS:
        found = await objects(llm, way, Rabbit)
        assert type(found[-1]) is Rabbit
        assert found[-1] == llm.structured_predict(Rabbit, PROMPT, animal="rabbit")
    program: Any = FunctionCallingProgram.from_defaults(Rabbit, prompt=PROMPT, llm=llm)
    assert isinstance(program(animal="rabbit"), Rabbit)


def test_a_text_program_reads_an_answer_that_was_held_to_the_schema(make: Make) -> None:
    schema = {"type": "json_schema", "json_schema": {"schema": Rabbit.model_json_schema()}}
    program: Any = LLMTextCompletionProgram.from_defaults(
        PydanticOutputParser(Rabbit), prompt=PROMPT, llm=BacoLLM(max_tokens=80, seed=1), verbose=False
    )
    assert isinstance(program(animal="rabbit", llm_kwargs={"response_format": schema}), Rabbit)
