"""BacoLLM on an event loop: others run while it decodes, and whoever leaves ends the decoding."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, LlamaDebugHandler
from llama_index.core.llms import ChatMessage

from baco import ModelPair
from baco.decoding.decode import Decoder
from baco.models.info import PairInfo
from llamaindex_baco import BacoLLM, capture_responses
from tests.support.gate import PATIENCE, Gate, open_after, settle

ASYNC_METHODS = ("achat", "acomplete", "astream_chat", "astream_complete")
LONG = 60
"""Tokens of an answer that nobody cuts short."""


async def wait_for_steps(gate: Gate, count: int) -> None:
    """Permit some steps, and wait until they are made, with the loop running."""
    await asyncio.to_thread(gate.permit, count)


@pytest.fixture
def gate(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Gate:
    # No token ends an answer, so an early end is the caller's doing.
    monkeypatch.setattr(PairInfo, "end_ids", lambda info, which: {info.vocab_size})
    return gate


@pytest.fixture
def llm(get_pair: Callable[[str], ModelPair]) -> BacoLLM:
    """A BacoLLM over the tiny Llama pair."""
    config = get_pair("llama").config
    assert config is not None
    return BacoLLM(base=config.base, aligned=config.aligned, device="cpu", dtype="float32", max_tokens=LONG, router="aligned")


def question(method: str) -> Any:
    return [ChatMessage(content="Tell me a story.")] if "chat" in method else "Tell me a story."


async def respond(llm: BacoLLM, method: str) -> Any:
    answer = await getattr(llm, method)(question(method))
    if "stream" in method:
        async for chunk in answer:
            last = chunk
        return last
    return answer


@pytest.mark.parametrize("method", ASYNC_METHODS)
async def test_other_coroutines_run_between_the_tokens(llm: BacoLLM, gate: Gate, method: str) -> None:
    # Each token needs a permit from a coroutine: if the call kept the event loop to itself, nothing would move.
    async def permit() -> None:
        while True:
            gate.permits.release()
            await asyncio.sleep(0.001)  # not 0: that would leave the worker no interpreter

    ticker = asyncio.create_task(permit())
    answer = await asyncio.wait_for(respond(llm, method), PATIENCE)
    ticker.cancel()
    assert answer.raw["usage"]["completion_tokens"] == gate.steps == LONG


@pytest.mark.parametrize("method", ASYNC_METHODS)
async def test_a_task_that_is_cancelled_stops_decoding_within_one_token(llm: BacoLLM, gate: Gate, method: str) -> None:
    task = asyncio.create_task(respond(llm, method))
    await wait_for_steps(gate, 3)
    task.cancel()
    await open_after(gate, task)
    assert task.cancelled()
    assert [c.finish_reason for request in gate.requests for c in request.candidates.values()] == ["cancelled"]
    assert gate.steps <= 4


@pytest.mark.parametrize("handlers", [[], [LlamaDebugHandler(print_trace_on_end=False)]], ids=["no handler", "debug handler"])
@pytest.mark.parametrize("method", ["astream_chat", "astream_complete"])
async def test_a_stream_that_is_closed_stops_decoding_within_one_token(llm: BacoLLM, gate: Gate, method: str, handlers: list[Any]) -> None:
    llm.callback_manager = CallbackManager(handlers)
    stream = await getattr(llm, method)(question(method))
    reading = asyncio.create_task(anext(stream))
    await wait_for_steps(gate, 3)
    await reading
    closing = asyncio.create_task(stream.aclose())
    await open_after(gate, closing)
    assert closing.exception() is None
    assert [c.finish_reason for request in gate.requests for c in request.candidates.values()] == ["cancelled"]
    assert gate.steps <= 4


@pytest.mark.parametrize("method", ASYNC_METHODS)
async def test_a_failure_while_decoding_reaches_the_caller(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def fail(decoder: Decoder, alone: object = None) -> None:
        raise RuntimeError("the model is broken")

    monkeypatch.setattr(Decoder, "step", fail)
    with pytest.raises(RuntimeError, match="the model is broken"):
        await asyncio.wait_for(respond(llm, method), PATIENCE)


@pytest.mark.parametrize("method", ASYNC_METHODS)
async def test_the_pair_is_loaded_off_the_event_loop(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    load, threads = ModelPair.from_pretrained, []

    def recorded(*args: Any, **keywords: Any) -> ModelPair:
        threads.append(threading.current_thread())
        return load(*args, **keywords)

    monkeypatch.setattr(ModelPair, "from_pretrained", recorded)
    await respond(llm, method)
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_a_sync_stream_that_is_closed_decodes_no_more(llm: BacoLLM, gate: Gate, method: str) -> None:
    gate.permits.release(2)
    stream = getattr(llm, method)(question(method))
    next(stream)
    stream.close()
    gate.open()
    settle(gate.requests)
    assert gate.requests[0].candidates[0].finish_reason == "cancelled"
    assert gate.steps <= 3


async def test_each_task_captures_its_own_answers(llm: BacoLLM) -> None:
    async def ask(seed: int) -> tuple[str, list[str]]:
        with capture_responses() as responses:
            answer = await llm.acomplete("Hello", seed=seed, temperature=1)
        return answer.text, [str(response) for response in responses]

    with capture_responses() as all_responses:
        answers = await asyncio.gather(*(ask(seed) for seed in range(4)))
    assert all([text] == captured for text, captured in answers)
    assert sorted(str(response) for response in all_responses) == sorted(text for text, _ in answers)
