"""Settings without keywords: `using` around pipelines, `with_` for copies, `unload`; who sees what."""

import asyncio
import threading
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate

import llamaindex_query_engine as example
from baco import ConfigError, Engine, ModelNotFoundError, ModelPair, Router, UnknownKeywordError
from llamaindex_baco import BacoLLM, capture_responses
from tests.llamaindex.helpers import METHODS, TEXT, Make, apart, respond

Asked = list[dict[str, Any]]


def routers(asked: Asked) -> list[Router]:
    return [call["router"] for call in asked]


def test_a_block_lays_settings_over_the_llms_and_keywords_win(make: Make, asked: Asked) -> None:
    llm = make(router="h", threshold=2.0, temperature=0.9)
    with llm.using(router="p", threshold=0.6):
        llm.complete(TEXT)
        with llm.using(threshold=0.2, seed=3):
            llm.complete(TEXT)
            llm.complete(TEXT, router="aligned", seed=4)
        llm.complete(TEXT)
    llm.complete(TEXT)
    inner = [
        Router("p", threshold=0.6),
        Router("p", threshold=0.2),
        Router("aligned"),
        Router("p", threshold=0.6),
        Router("h", threshold=2.0),
    ]
    assert routers(asked) == inner
    assert [call["params"].seed for call in asked] == [None, 3, 4, None, None]
    assert {call["params"].temperature for call in asked} == {0.9}


@pytest.mark.parametrize("method", METHODS)
async def test_all_eight_methods_see_the_block(make: Make, method: str) -> None:
    llm = make(seed=1)
    with llm.using(router="aligned", max_tokens=5):
        raw: Any = (await respond(llm, method))[-1].raw
    assert (raw["baco"]["router"], raw["usage"]["completion_tokens"]) == ("aligned", 5)


async def test_a_block_belongs_to_its_task_and_thread_and_to_this_llm_alone(make: Make) -> None:
    llm, other = make(seed=1), make(seed=1)

    async def router_of(one: BacoLLM, **settings: Any) -> Any:
        with one.using(**settings):
            await asyncio.sleep(0)
            raw: Any = (await one.acomplete(TEXT)).raw
            return raw["baco"]["router"]

    found = await asyncio.gather(router_of(llm, router="p"), router_of(llm, router="h"), router_of(llm))
    assert list(found) == ["p", "h", "p-punc"]
    seen: list[str] = []
    with llm.using(router="fc"):
        raw: Any = other.complete(TEXT).raw
        thread = threading.Thread(target=lambda: seen.append(llm.complete(TEXT).raw["baco"]["router"]))  # type: ignore[index]
        thread.start()
        thread.join()
    assert (raw["baco"]["router"], seen) == ("p-punc", ["p-punc"])


def test_a_stream_keeps_the_settings_that_it_was_asked_with(make: Make) -> None:
    llm = make(seed=1)
    with llm.using(router="aligned"):
        stream = llm.stream_complete(TEXT)
    raw: Any = list(stream)[-1].raw
    assert raw["baco"]["router"] == "aligned"


def test_a_block_that_fails_leaves_nothing_behind(make: Make) -> None:
    llm = make(seed=1)
    with pytest.raises(RuntimeError, match="stop"), llm.using(router="aligned"):
        raise RuntimeError("stop")
    raw: Any = llm.complete(TEXT).raw
    assert raw["baco"]["router"] == "p-punc"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"temprature": 1}, UnknownKeywordError, "did you mean 'temperature'"),
        ({"n": 3}, UnknownKeywordError, "`n`|'n'"),
        ({"tools": []}, UnknownKeywordError, "tools"),
        ({"device": "cpu"}, UnknownKeywordError, r"with_\(device=…\)"),
        ({"threshold": 7}, ConfigError, "`threshold` must be a number in"),
    ],
)
def test_a_wrong_setting_of_a_block_is_an_error_before_the_block(
    make: Make, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message), make().using(**settings):
        pytest.fail("entered")


def test_a_copy_has_other_settings_and_shares_what_is_loaded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    llm = make(router="p", threshold=0.6, seed=1)
    llm.callback_manager = CallbackManager([])
    llm.complete(TEXT)
    monkeypatch.setattr(ModelPair, "_load", lambda *_: pytest.fail("loaded again"))
    hot = llm.with_(router="h", temperature=1.3)
    raw: Any = hot.complete(TEXT).raw
    assert raw["baco"]["router"] == "h" and (hot.threshold, hot.temperature, hot.seed) == (None, 1.3, 1)
    assert (llm.router, llm.threshold, llm.temperature) == ("p", 0.6, None)
    assert hot.callback_manager is llm.callback_manager
    embedded = llm.with_(model="tiny")
    assert (embedded.pair_name, embedded.base, embedded.aligned) == ("tiny", None, None)


def test_a_copy_is_checked_as_the_constructor_is(make: Make) -> None:
    with pytest.raises(UnknownKeywordError, match="did you mean 'temperature'"):
        make().with_(temprature=1)
    with pytest.raises(ConfigError, match="`threshold` must be"):
        make().with_(threshold=3)
    with pytest.raises(ModelNotFoundError, match="qwen"):
        make().with_(model="qwen2.5-05b")
    with pytest.raises(UnknownKeywordError, match=r"sample\(…, n\)"):
        BacoLLM(**{"n": 3})


def test_unloading_forgets_the_pair_until_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = BacoLLM(device="cpu", dtype="float32", max_tokens=5, seed=1)
    before, pair = llm.complete(TEXT), llm._engine().pair
    llm.unload()
    llm.unload()
    assert llm.complete(TEXT).raw == before.raw
    assert llm._engine().pair is not pair
    monkeypatch.setattr(ModelPair, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    BacoLLM(device="cpu", dtype="bfloat16").unload()


def test_what_a_query_engine_returns_follows_the_block() -> None:
    index: VectorStoreIndex = example.build_index()
    llm = BacoLLM(device="cpu", max_tokens=24, seed=5)
    query_engine = index.as_query_engine(llm=llm, similarity_top_k=1)
    answers = {}
    for router in ("aligned", "base"):
        with llm.using(router=router), capture_responses() as responses:
            answers[router] = str(apart(query_engine.query, example.QUESTION))
        raw: Any = responses[0].raw
        assert raw["baco"]["router"] == router
    assert answers["aligned"] != answers["base"]


async def test_predict_passes_no_keywords_and_yet_follows_the_block(make: Make, engine: Engine) -> None:
    llm = make(seed=1, max_tokens=20)
    prompt = PromptTemplate("{x}")
    with llm.using(seed=2):
        found = {llm.predict(prompt, x=TEXT), await llm.apredict(prompt, x=TEXT), "".join(llm.stream(prompt, x=TEXT))}
    assert found == {llm.chat([ChatMessage(content=TEXT)], seed=2).message.content} != {llm.predict(prompt, x=TEXT)}
