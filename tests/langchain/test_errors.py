"""The core's errors as LangChain knows them, and calls that find the queue full."""

import asyncio
import pickle
from typing import Any, cast

import pytest
from langchain_core import exceptions
from langchain_core.runnables import RunnableLambda

import baco.errors
from baco import ChatTemplateError, ConfigError, ContextOverflowError, Engine, PromptError
from baco.errors import BacoError, OutOfMemoryError, QueueFullError
from langchain_baco import ChatBaco, errors
from langchain_baco.errors import KINDS, model_errors
from tests.langchain.helpers import PROMPT

OVERLONG = "rabbit " * 400


@pytest.mark.parametrize("call", ["invoke", "ainvoke", "stream", "astream", "batch", "generate", "diverse"])
def test_an_overflow_is_langchains_and_the_cores(model: ChatBaco, call: str) -> None:
    async def read() -> list[Any]:
        return [chunk async for chunk in model.astream(OVERLONG)]

    calls: dict[str, Any] = {
        "invoke": lambda: model.invoke(OVERLONG),
        "ainvoke": lambda: asyncio.run(model.ainvoke(OVERLONG)),
        "stream": lambda: list(model.stream(OVERLONG)),
        "astream": lambda: asyncio.run(read()),
        "batch": lambda: model.batch([PROMPT, OVERLONG]),
        "generate": lambda: model.generate([[("human", OVERLONG)]], n=2),
        "diverse": lambda: model.diverse(2).invoke(OVERLONG),
    }
    with pytest.raises(exceptions.ContextOverflowError) as caught:
        calls[call]()
    assert isinstance(caught.value, ContextOverflowError) and isinstance(caught.value, PromptError)
    assert caught.value.prompt_tokens > caught.value.max_model_len == 256
    assert "shorten the prompt" in str(caught.value)
    assert not caught.value.is_retryable


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (PromptError("no text"), exceptions.ModelInvalidRequestError),
        (ChatTemplateError("no template"), exceptions.ModelInvalidRequestError),
        (ConfigError("too long"), exceptions.ModelInvalidRequestError),
        (baco.errors.ModelNotFoundError("none"), exceptions.ModelNotFoundError),
        (OutOfMemoryError("4 GiB"), exceptions.ModelInvalidRequestError),
        (QueueFullError(9, 9), exceptions.ModelRateLimitError),
    ],
)
def test_every_error_keeps_its_kind_and_gets_langchains(raised: BacoError, kind: type[exceptions.ModelError]) -> None:
    with pytest.raises(kind) as caught, model_errors():
        raise raised
    assert isinstance(caught.value, type(raised))
    assert str(caught.value) == str(raised)
    assert vars(caught.value).keys() >= vars(raised).keys()
    assert getattr(caught.value, "is_retryable") == isinstance(raised, QueueFullError)  # noqa: B009


def test_every_error_of_the_core_has_a_kind() -> None:
    assert all(any(issubclass(one, known) for known, _ in KINDS) for one in BacoError.__subclasses__())


def test_a_fallback_takes_over_where_a_prompt_does_not_fit(model: ChatBaco) -> None:
    safe = model.with_fallbacks([cast(Any, RunnableLambda(lambda _: "shorter"))], exceptions_to_handle=(exceptions.ContextOverflowError,))
    assert cast(Any, safe.invoke(OVERLONG)) == "shorter"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A queue that is full the first two times; the number of tries."""
    tries: list[int] = []
    submit = Engine._submit

    def refuse_twice(engine: Engine, requests: Any) -> None:
        tries.append(len(requests))
        if len(tries) < 3:
            raise QueueFullError(9, 9)
        submit(engine, requests)

    monkeypatch.setattr(Engine, "_submit", refuse_twice)
    monkeypatch.setattr(errors, "FIRST_WAIT", 0.001)
    return tries


@pytest.mark.parametrize("call", ["invoke", "ainvoke", "stream", "astream"])
def test_a_call_that_finds_the_queue_full_is_tried_again(model: ChatBaco, seed: int, call: str, full: list[int]) -> None:
    async def read() -> str:
        return "".join([chunk.text async for chunk in model.astream(PROMPT, seed=seed)])

    calls: dict[str, Any] = {
        "invoke": lambda: model.invoke(PROMPT, seed=seed).text,
        "ainvoke": lambda: asyncio.run(model.ainvoke(PROMPT, seed=seed)).text,
        "stream": lambda: "".join(chunk.text for chunk in model.stream(PROMPT, seed=seed)),
        "astream": lambda: asyncio.run(read()),
    }
    answer = calls[call]()
    assert full == [1, 1, 1]
    assert answer == model.invoke(PROMPT, seed=seed).text


@pytest.mark.parametrize("call", ["invoke", "stream"])
def test_after_max_retries_the_refusal_is_raised(model: ChatBaco, call: str, full: list[int]) -> None:
    once = model.model_copy(update={"max_retries": 1})
    with pytest.raises(QueueFullError) as caught:
        list(once.stream(PROMPT)) if call == "stream" else once.invoke(PROMPT)
    assert isinstance(caught.value, exceptions.ModelRateLimitError) and caught.value.is_retryable
    assert len(full) == 2


def test_what_is_no_fault_of_the_queue_is_not_tried_again(model: ChatBaco, full: list[int]) -> None:
    with pytest.raises(PromptError):
        model.invoke("")
    assert full == []


def test_models_travel_between_processes_with_their_settings(model: ChatBaco) -> None:
    assert pickle.loads(pickle.dumps(model.model_copy(update={"max_retries": 7}))).max_retries == 7
