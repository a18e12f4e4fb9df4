"""ChatBaco with many prompts: LangChain's own batch, as one batch on the models; in chains; and stopped in the middle."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel

from baco import ContextOverflowError, Engine, PromptError
from baco.engine.engine import MAX_WAITING
from baco.engine.requests import Request
from langchain_baco import ChatBaco, batching, settings
from langchain_baco.batching import num_calls
from tests.langchain.helpers import PROMPT, PROMPTS, Passes, Runs, counted_passes, essence
from tests.support.gate import PATIENCE, Pass, settle, wait_until

OVERLONG = "rabbit " * 400
MIXED = ["Name a fish.", OVERLONG, "Go on"]

Batch = Callable[..., list[Any]]


@pytest.fixture(params=["batch", "abatch"])
def batch(request: pytest.FixtureRequest, model: ChatBaco) -> Batch:
    """The model's batch, or its abatch in a loop of its own."""
    if request.param == "batch":
        return model.batch
    return lambda *args, **settings: asyncio.run(model.abatch(*args, **settings))


def test_a_batch_gives_each_prompt_what_invoke_gives_it(model: ChatBaco, seed: int, batch: Batch) -> None:
    answers = batch(PROMPTS, seed=seed)
    alone = [model.invoke(prompt, seed=seed) for prompt in PROMPTS]
    assert [essence(answer) for answer in answers] == [essence(answer) for answer in alone]


def test_the_prompts_of_a_batch_share_their_passes(model: ChatBaco, seed: int, batch: Batch, passes: list[Pass]) -> None:
    for prompt in PROMPTS:
        model.invoke(prompt, seed=seed)
    assert {one.rows for one in passes} == {1}
    alone = len(passes)
    passes.clear()
    batch(PROMPTS, seed=seed)
    assert max(one.rows for one in passes) == len(PROMPTS)
    assert len(passes) < alone / 2


def test_max_concurrency_splits_a_batch(model: ChatBaco, seed: int, batch: Batch, passes: list[Pass]) -> None:
    answers = batch(PROMPTS, seed=seed)
    passes.clear()
    halves = batch(PROMPTS, {"max_concurrency": 4}, seed=seed)
    assert [essence(answer)["text"] for answer in halves] == [answer.text for answer in answers]
    assert max(one.rows for one in passes) == 4


@pytest.mark.parametrize("config", [None, {"tags": ["a"]}, [{"tags": [str(index)]} for index in range(len(PROMPTS))]])
def test_without_max_concurrency_all_prompts_are_decoded_at_once(
    model: ChatBaco, seed: int, batch: Batch, config: Any, passes: list[Pass]
) -> None:
    own: list[AIMessage] = Runnable.batch(model, list(PROMPTS), config, seed=seed)
    passes.clear()
    assert [essence(answer) for answer in batch(PROMPTS, config, seed=seed)] == [essence(answer) for answer in own]
    assert max(one.rows for one in passes) == len(PROMPTS)


def test_prompts_at_once_leave_the_queue_room_however_many_answers_each_wants() -> None:
    assert num_calls(8) == 8
    assert num_calls(100_000) == batching.MAX_CALLS
    assert all((num_calls(100_000, n) - 1) * n < MAX_WAITING for n in (1, 2, 8, 16, 100, 5000))
    assert num_calls(8, "two") == 1, "which the call refuses"


@pytest.mark.parametrize("call", ["batch", "abatch", "generate", "agenerate"])
def test_more_prompts_than_the_queue_takes_are_answered(model: ChatBaco, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "Engine", lambda pair: Engine(pair, max_batch_size=1, max_waiting=4))
    monkeypatch.setattr(batching, "MAX_CALLS", 4)
    short = model.model_copy(update={"max_tokens": 1, "temperature": 0.0, "max_retries": 0})
    calls: dict[str, Callable[[], Any]] = {
        "batch": lambda: short.batch(PROMPTS * 2),
        "abatch": lambda: asyncio.run(short.abatch(PROMPTS * 2)),
        "generate": lambda: [one.message for (one,) in short.generate(PROMPTS * 2).generations],  # type: ignore[union-attr]
        "agenerate": lambda: [one.message for (one,) in asyncio.run(short.agenerate(PROMPTS * 2)).generations],  # type: ignore[union-attr]
    }
    assert [answer.text for answer in calls[call]()] == [short.invoke(prompt).text for prompt in PROMPTS * 2]


def test_generate_decodes_all_answers_to_all_prompts_as_one_batch(model: ChatBaco, seed: int, passes: list[Pass]) -> None:
    messages: list[list[BaseMessage]] = [[HumanMessage(prompt)] for prompt in PROMPTS[:3]]
    run_id = uuid4()
    result = model.generate(messages, n=3, seed=seed, run_id=run_id)
    assert max(one.rows for one in passes) == 9
    passes.clear()
    aresult = asyncio.run(model.agenerate(messages, n=3, seed=seed))
    assert max(one.rows for one in passes) == 9
    texts = [[answer.text for answer in answers] for answers in result.generations]
    assert texts == [[answer.text for answer in answers] for answers in aresult.generations]
    assert [len(set(answers)) for answers in texts] == [3, 3, 3]
    assert result.run is not None and len({run.run_id for run in result.run}) == 3
    assert result.run[0].run_id == run_id


def test_each_prompt_of_a_batch_is_a_run_that_starts_before_any_ends(batch: Batch) -> None:
    runs = Runs()
    configs: list[RunnableConfig] = [{"callbacks": [runs], "run_name": f"run {index}", "tags": [str(index)]} for index in range(4)]
    batch(PROMPTS[:4], configs)
    assert runs.outcomes() == {f"run {index}": ["start", "end"] for index in range(4)}
    assert [event for event, _ in runs.events] == ["start"] * 4 + ["end"] * 4
    assert sorted(start["tags"][0] for start in runs.starts) == ["0", "1", "2", "3"]


def test_with_return_exceptions_a_prompt_that_cannot_be_decoded_fails_alone(batch: Batch) -> None:
    runs = Runs()
    configs: list[RunnableConfig] = [{"callbacks": [runs], "run_name": name} for name in ("first", "overlong", "last")]
    first, overlong, last = batch(MIXED, configs, return_exceptions=True)
    assert isinstance(first, AIMessage) and isinstance(last, AIMessage)
    assert isinstance(overlong, ContextOverflowError)
    assert runs.outcomes() == {"first": ["start", "end"], "overlong": ["start", "error"], "last": ["start", "end"]}


def test_without_return_exceptions_it_fails_the_batch_as_langchains_own(model: ChatBaco, seed: int) -> None:
    runs = Runs()
    configs: list[RunnableConfig] = [{"callbacks": [runs], "run_name": name} for name in ("first", "overlong", "last")]
    outcomes = []
    for run in (model.batch, lambda *args, **settings: Runnable.batch(model, *args, **settings)):
        with pytest.raises(ContextOverflowError):
            run(list(MIXED), configs, seed=seed)
        outcomes.append(runs.outcomes())
        runs.events.clear()
        runs.names.clear()
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] == {"first": ["start", "end"], "overlong": ["start", "error"], "last": ["start", "end"]}


def test_off_the_event_loop_too_it_fails_the_batch(model: ChatBaco) -> None:
    with pytest.raises(ContextOverflowError):
        asyncio.run(model.abatch(list(MIXED)))


def test_a_message_that_is_not_text_fails_alone_too(batch: Batch) -> None:
    image = [HumanMessage([{"type": "image", "url": "https://example.org/a.png"}])]
    answer, refused = batch([PROMPT, image], return_exceptions=True)
    assert isinstance(answer, AIMessage)
    assert isinstance(refused, PromptError) and "'image'" in str(refused)


def test_a_batch_of_which_some_answers_are_cached_decodes_the_others(model: ChatBaco, submitted: list[Request]) -> None:
    cached = model.model_copy(update={"cache": InMemoryCache(), "temperature": 0.0})
    first = cached.invoke(PROMPTS[0])
    submitted.clear()
    answers = cached.batch(PROMPTS[:2])
    assert answers[0].text == first.text
    assert [request.result().text for request in submitted] == [answers[1].text]
    assert cached.batch([]) == []


def test_a_batch_that_streams_for_its_callbacks_ends(model: ChatBaco, seed: int) -> None:
    runs = Runs()
    answers = model.model_copy(update={"streaming": True}).batch(PROMPTS[:3], {"callbacks": [runs]}, seed=seed)
    assert [answer.text for answer in answers] == [answer.text for answer in model.batch(PROMPTS[:3], seed=seed)]
    assert [event for event, _ in runs.events].count("token") > 3


INTERRUPTED: dict[str, Callable[[ChatBaco, Runs], object]] = {
    "batch": lambda model, runs: model.batch(PROMPTS[:3], {"callbacks": [runs]}, return_exceptions=True),
    "batch of few at once": lambda model, runs: model.batch(PROMPTS[:3], {"callbacks": [runs], "max_concurrency": 2}),
    "batch that streams": lambda model, runs: model.batch(PROMPTS[:3], {"callbacks": [runs]}, stream=True),
    "generate": lambda model, runs: model.generate(PROMPTS[:3], callbacks=[runs], n=2),
    "diverse": lambda model, runs: model.diverse(2).batch(PROMPTS[:3], {"callbacks": [runs]}),
}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise `KeyboardInterrupt`, also in a test process that was started with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("call", INTERRUPTED)
def test_an_interrupt_stops_decoding_within_one_token_and_ends_every_run(
    model: ChatBaco, seed: int, call: str, submitted: list[Request]
) -> None:
    def interrupt(passes: Passes) -> None:
        assert passes.reached.wait(timeout=PATIENCE)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        wait_until(lambda: all(request.is_cancelled for request in submitted))
        passes.released.set()

    runs = Runs()
    with counted_passes(model) as passes:
        passes.hold_at = 5
        thread = threading.Thread(target=interrupt, args=(passes,))
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            INTERRUPTED[call](model.model_copy(update={"seed": seed}), runs)
        thread.join()
    settle(submitted)
    assert passes.counts["base"] == 5
    events = [event for event, _ in runs.events if event != "token"]
    assert events.count("start") == events.count("error") == len(events) / 2


def test_a_chain_and_its_batch_answer_as_the_model_does(model: ChatBaco, seed: int, passes: list[Pass]) -> None:
    chain = (
        ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "Name a {thing}.")])
        | model.bind(seed=seed)
        | StrOutputParser()
    )
    things = [{"thing": thing} for thing in ("fish", "sea", "day", "rabbit")]
    alone = [chain.invoke(thing) for thing in things]
    assert alone[0] == model.invoke([("system", "Be brief."), ("human", "Name a fish.")], seed=seed).text
    assert "".join(chain.stream(things[1])) == alone[1]
    passes.clear()
    assert chain.batch(things) == alone
    assert max(one.rows for one in passes) == 4


def test_models_side_by_side_answer_as_they_do_alone(model: ChatBaco, seed: int) -> None:
    both = RunnableParallel(aligned=model.bind(router="aligned", seed=seed), mixed=model.bind(seed=seed))
    answers = both.invoke(PROMPT)
    assert answers["aligned"].text == model.invoke(PROMPT, router="aligned", seed=seed).text
    assert answers["mixed"].text == model.invoke(PROMPT, seed=seed).text


async def _read_stream(model: ChatBaco, seed: int) -> None:
    async for _ in model.astream(PROMPT, seed=seed):
        pass


CANCELLED: dict[str, Callable[[ChatBaco, int], Awaitable[object]]] = {
    "ainvoke": lambda model, seed: model.ainvoke(PROMPT, seed=seed),
    "astream": _read_stream,
    "abatch": lambda model, seed: model.abatch([PROMPT, "Go on"], seed=seed),
    "agenerate": lambda model, seed: model.agenerate([[HumanMessage(PROMPT)], [HumanMessage(PROMPT)]], n=2, seed=seed),
}


@pytest.mark.parametrize("call", CANCELLED)
def test_cancelling_the_task_stops_decoding_within_one_token(model: ChatBaco, seed: int, call: str, submitted: list[Request]) -> None:
    async def cancel_at(passes: Passes) -> None:
        task = asyncio.ensure_future(CANCELLED[call](model, seed))
        await asyncio.to_thread(passes.reached.wait, PATIENCE)
        task.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        passes.released.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with counted_passes(model) as passes:
        passes.hold_at = 5
        asyncio.run(cancel_at(passes))
        settle(submitted)
    assert "cancelled" in [c.finish_reason for request in submitted for c in request.candidates.values()]
    assert passes.counts["base"] == 5


def test_closing_a_stream_stops_decoding(model: ChatBaco, seed: int, submitted: list[Request]) -> None:
    with counted_passes(model) as passes:
        passes.hold_at = 6
        stream = model.stream(PROMPT, seed=seed)
        next(stream)
        assert passes.reached.wait(timeout=PATIENCE)
        stream.close()  # type: ignore[attr-defined]
        passes.released.set()
        settle(submitted)
    assert submitted[0].candidates[0].finish_reason == "cancelled"
    assert passes.counts["base"] == 6


def test_other_tasks_run_while_an_answer_is_decoded(model: ChatBaco, seed: int) -> None:
    async def both(passes: Passes) -> AIMessage:
        task = asyncio.create_task(model.ainvoke(PROMPT, seed=seed))
        await asyncio.to_thread(passes.reached.wait, PATIENCE)
        assert not task.done()
        passes.released.set()
        return await task

    with counted_passes(model) as passes:
        passes.hold_at = 3
        assert asyncio.run(both(passes)).text == model.invoke(PROMPT, seed=seed).text
