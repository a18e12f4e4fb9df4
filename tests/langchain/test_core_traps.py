"""What langchain-core does to chat models behind their backs, a test each; batches, agents and cancelling have files of their own."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda
from langchain_core.tracers._streaming import _StreamingCallbackHandler

from baco import ConfigError, ModelPair, __version__
from baco.engine.requests import Request
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, PROMPTS, essence
from tests.support.gate import Pass
from tests.support.marks import slow_but


def merged(model: ChatBaco, **settings: Any) -> AIMessageChunk:
    first, *others = model.stream(PROMPT, **settings)
    for chunk in others:
        first = first + chunk
    return first


LONG = {"title": "x", "type": "array", "items": {"type": "boolean"}, "minItems": 10}
"""Long enough that every thread of a batch has begun before the first answer ends."""
WRAPPED: dict[str, Callable[[ChatBaco], Runnable[Any, Any]]] = {
    "parser": lambda model: model | StrOutputParser(),
    "lambda": lambda model: RunnableLambda(lambda prompt: prompt) | model,
    "retry": lambda model: model.with_retry(stop_after_attempt=2),
    "config": lambda model: model.with_config({"tags": ["a"]}),
    "fallbacks": lambda model: model.with_fallbacks([model]),
    "bind": lambda model: model.bind(temperature=0.9),
    "raw": lambda model: model.bind(max_tokens=100).with_structured_output(LONG, include_raw=True),
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_1_and_2_whatever_wraps_the_model_a_batch_of_it_is_one_batch(model: ChatBaco, wrap: str, passes: list[Pass]) -> None:
    WRAPPED[wrap](model).batch(list(PROMPTS[:4]))
    assert max(one.rows for one in passes) == 4


class Streams(BaseCallbackHandler, _StreamingCallbackHandler):  # type: ignore[type-arg]
    """What a graph that streams messages listens with: it turns every call into a stream."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.tokens.append(token)

    def tap_output_iter(self, run_id: Any, output: Iterator[Any]) -> Iterator[Any]:
        return output

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output


def test_3_n_is_never_dropped_where_callbacks_stream(model: ChatBaco, seed: int) -> None:
    handler = Streams()
    with pytest.raises(ConfigError, match="`n` must be 1"):
        model.generate([[HumanMessage(PROMPT)]], callbacks=[handler], n=3)
    assert len(model.diverse(3, seed=seed).invoke(PROMPT, {"callbacks": [handler]})) == 3
    assert handler.tokens == []
    answer = model.invoke(PROMPT, {"callbacks": [handler]}, seed=seed)
    assert "".join(handler.tokens) == answer.text and len(handler.tokens) > 2


def test_3_the_usage_of_n_answers_is_counted_once(model: ChatBaco, seed: int) -> None:
    with get_usage_metadata_callback() as counted:
        result = model.generate([[HumanMessage(PROMPT)]], n=3, seed=seed)
    (usage,) = counted.usage_metadata.values()
    tokens = [
        len(one.message.response_metadata["logprobs"]["content"])
        for one in model.generate([[HumanMessage(PROMPT)]], n=3, seed=seed, logprobs=0).generations[0]
    ]  # type: ignore[union-attr]
    assert usage["output_tokens"] == sum(tokens)
    assert len(result.generations[0]) == 3


def test_4_chunks_add_up_to_the_message_and_carry_metadata_once(model: ChatBaco, seed: int) -> None:
    whole = merged(model, seed=seed, logprobs=1)
    assert essence(whole) == essence(model.invoke(PROMPT, seed=seed, logprobs=1))
    assert whole.response_metadata["finish_reason"] in ("stop", "length"), "joined twice it would be 'stopstop'"
    assert whole.chunk_position == "last"


def test_5_the_tokens_of_each_model_reach_usage_callbacks(model: ChatBaco, seed: int) -> None:
    with get_usage_metadata_callback() as counted:
        streamed = merged(model, seed=seed)
        answer = model.invoke(PROMPT, seed=seed)
    (usage,) = counted.usage_metadata.values()
    assert essence(streamed)["usage"] == essence(answer)["usage"]
    details: Any = answer.usage_metadata
    assert usage["output_token_details"] == {kind: 2 * count for kind, count in details["output_token_details"].items()}


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_6_events_of_either_version_have_every_token_and_the_usage(model: ChatBaco, seed: int, version: Any) -> None:
    answer = model.invoke(PROMPT, seed=seed)
    if version == "v3":
        stream: Any = model.stream_events(PROMPT, version="v3", seed=seed)
        assert "".join(stream.text) == answer.text
        assert stream.output.usage_metadata["output_token_details"] == answer.usage_metadata["output_token_details"]  # type: ignore[index]
        return

    async def read() -> list[Any]:
        return [event async for event in model.astream_events(PROMPT, version="v2", seed=seed)]

    events = asyncio.run(read())
    texts = [event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(texts) == answer.text
    assert essence(events[-1]["data"]["output"]) == essence(answer)


def test_7_configured_models_are_made_anew_and_load_nothing(model: ChatBaco, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = model.invoke(PROMPT, seed=seed, threshold=0.2).text
    made: list[ChatBaco] = []
    initialise = ChatBaco.__init__

    def recorded(self: ChatBaco, **fields: Any) -> None:
        made.append(self)
        initialise(self, **fields)

    monkeypatch.setattr(ChatBaco, "__init__", recorded)
    monkeypatch.setattr(ModelPair, "_load", None)
    configurable = model.configurable_fields(threshold=ConfigurableField(id="threshold"), seed=ConfigurableField(id="seed"))
    for _ in range(2):
        assert configurable.invoke(PROMPT, {"configurable": {"threshold": 0.2, "seed": seed}}).text == expected
    assert len(made) == 2


def test_8_two_pairs_never_share_a_cached_answer(
    model: ChatBaco, cache: InMemoryCache, pair_folders: Callable[[str], tuple[Path, Path]], submitted: list[Request]
) -> None:
    base, aligned = pair_folders("qwen2")
    other = ChatBaco(**{**model._identifying_params, "base": str(base), "aligned": str(aligned)})
    for one in (model, other):
        one.invoke(PROMPT, temperature=0)
    assert len(submitted) == 2
    for one in (model, other):
        one.invoke(PROMPT, temperature=0)
    assert len(submitted) == 2, "each found its own"


def test_9_tokens_are_counted_exactly_and_without_a_network(model: ChatBaco, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    messages: list[Any] = [HumanMessage(PROMPT), AIMessage("yes"), HumanMessage("Go on")]
    usage = model.invoke(messages).usage_metadata
    assert usage is not None and model.get_num_tokens_from_messages(messages) == usage["input_tokens"]
    assert model.get_num_tokens(PROMPT) == len(model.get_token_ids(PROMPT)) > 0


def test_9_a_prompt_begins_with_one_opening_token(model: ChatBaco, submitted: list[Request]) -> None:
    model.invoke(PROMPT)
    tokenizer = model._settings({}).engine().pair.tokenizer
    for ids in submitted[0].prompt.token_ids.values():
        assert ids.count(tokenizer.bos_token_id) == 1 and ids[0] == tokenizer.bos_token_id


def test_10_none_as_a_choice_of_tools_leaves_it_to_the_models(model: ChatBaco, seed: int) -> None:
    assert model.bind(tool_choice=None, seed=seed).invoke(PROMPT).text == model.invoke(PROMPT, seed=seed).text


def test_12_traces_know_the_version(model: ChatBaco) -> None:
    metadata: Any = model.metadata
    assert metadata["lc_versions"]["baco"] == __version__


def test_13_content_blocks_are_right_for_a_provider_that_langchain_does_not_know(model: ChatBaco, seed: int) -> None:
    answer = model.invoke(PROMPT, seed=seed)
    assert answer.content_blocks == [{"type": "text", "text": answer.text}]
    versioned = model.model_copy(update={"output_version": "v1"})
    assert versioned.invoke(PROMPT, seed=seed).content == answer.content_blocks


@pytest.mark.parametrize("stop", slow_but([["or ", "a "]], ["e", "bb", ["or ", "a "]]))
def test_stop_texts_end_whole_and_streamed_answers_alike(model: ChatBaco, stop: Any) -> None:
    seeds = range(12)
    whole = [model.invoke(PROMPT, seed=seed, stop=stop).text for seed in seeds]
    assert [merged(model, seed=seed, stop=stop).text for seed in seeds] == whole
    assert not any(one in text for text in whole for one in ([stop] if isinstance(stop, str) else stop))


def test_a_timeout_ends_a_stream_as_it_ends_an_answer(model: ChatBaco) -> None:
    for found in (merged(model, timeout=1e-6), model.invoke(PROMPT, timeout=1e-6)):
        assert found.response_metadata["finish_reason"] == "cancelled"


def test_inputs_in_any_of_langchains_forms_are_the_same_prompt(model: ChatBaco, seed: int) -> None:
    forms: list[LanguageModelInput] = [PROMPT, [("human", PROMPT)], [{"role": "user", "content": PROMPT}], [HumanMessage(PROMPT)]]
    assert len({model.invoke(form, seed=seed).text for form in forms}) == 1
