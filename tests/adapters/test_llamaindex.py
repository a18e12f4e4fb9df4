"""BacoLLM's answers, settings and accounts, on a tiny random pair."""

import copy
import importlib
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.prompts import PromptTemplate

from baco import (
    ConfigError,
    Engine,
    MissingExtraError,
    ModelNotFoundError,
    ModelPair,
    PromptError,
    Router,
    SamplingParams,
    UnknownKeywordError,
)
from llamaindex_baco import BacoLLM
from llamaindex_baco.messages import core_messages

METHODS = ("chat", "complete", "stream_chat", "stream_complete", "achat", "acomplete", "astream_chat", "astream_complete")
TEXT = "Name a pet rabbit."

Make = Callable[..., BacoLLM]


async def respond(llm: BacoLLM, method: str, text: str = TEXT, **keywords: Any) -> list[Any]:
    """Call one of the eight methods; return its response, or all chunks of its stream."""
    argument = [ChatMessage(content=text)] if "chat" in method else text
    answer: Any = getattr(llm, method)(argument, **keywords)
    if method.startswith("a"):
        answer = await answer
    if "stream" not in method:
        return [answer]
    return [chunk async for chunk in answer] if method.startswith("a") else list(answer)


def text_of(response: Any) -> str:
    return str(response.message.content if hasattr(response, "message") else response.text)


def facts(response: Any) -> dict[str, Any]:
    """What a response says about itself, without the newest chunk's spans."""
    raw: dict[str, Any] = json.loads(json.dumps(response.raw))
    raw["baco"].pop("delta", None)
    return raw


@pytest.fixture
def make(get_pair: Callable[[str], ModelPair]) -> Make:
    """Make a BacoLLM over the tiny Llama pair, which is loaded already."""
    config = get_pair("llama").config
    assert config is not None
    sources = {"base": config.base, "aligned": config.aligned, "device": "cpu", "dtype": "float32"}
    return lambda **settings: BacoLLM(**(sources | {"max_tokens": 12} | settings))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record what BacoLLM asks the engine for."""
    calls: list[dict[str, Any]] = []
    generate = Engine.generate

    def recorded(engine: Engine, messages: Any, params: SamplingParams, router: Router, *, base_prompt: str) -> Any:
        calls.append({"messages": messages, "params": params, "router": router, "base_prompt": base_prompt})
        return generate(engine, messages, params, router, base_prompt=base_prompt)

    monkeypatch.setattr(Engine, "generate", recorded)
    return calls


async def test_all_eight_methods_give_the_engines_answer(make: Make, engine: Engine) -> None:
    settings = {"router": "p", "threshold": 0.6, "temperature": 0.9, "seed": 11}
    params = SamplingParams(max_tokens=12, temperature=0.9, seed=11)
    expected = engine.generate(TEXT, params, Router("p", threshold=0.6))
    assert 0 < expected.usage.base_tokens < expected.usage.completion_tokens, "the pair should mix here, else this shows little"
    for method in METHODS:
        last = (await respond(make(**settings), method))[-1]
        assert text_of(last) == expected.text
        assert last.raw["usage"]["prompt_tokens"] == expected.usage.prompt_tokens
        assert last.raw["usage"]["completion_tokens"] == expected.usage.completion_tokens
        assert last.raw["baco"]["base_tokens"] == expected.usage.base_tokens
        assert last.raw["baco"]["spans"] == [[text, "base" if base else "aligned"] for text, base in expected.candidates[0].spans()]
        assert (last.raw["seed"], last.raw["finish_reason"]) == (11, expected.candidates[0].finish_reason)


@pytest.mark.parametrize("method", METHODS)
async def test_raw_is_json_whose_parts_agree(make: Make, method: str) -> None:
    llm = make(seed=2)
    last = (await respond(llm, method))[-1]
    raw = facts(last)
    assert raw == {key: value for key, value in last.raw.items() if key != "baco"} | {"baco": raw["baco"]}
    assert "".join(text for text, _ in raw["baco"]["spans"]) == text_of(last)
    assert raw["baco"]["base_tokens"] + raw["baco"]["aligned_tokens"] == raw["usage"]["completion_tokens"]
    assert raw["usage"]["total_tokens"] == raw["usage"]["prompt_tokens"] + raw["usage"]["completion_tokens"]
    assert (raw["model"], raw["baco"]["router"], raw["baco"]["threshold"]) == (llm.metadata.model_name, "p-punc", 0.4)
    assert raw["baco"]["passes"]["base"] >= 1
    assert last.additional_kwargs == {}


@pytest.mark.parametrize("method", [name for name in METHODS if "stream" in name])
async def test_a_stream_grows_to_the_whole_answer_and_every_chunk_knows_its_owners(make: Make, method: str) -> None:
    whole = (await respond(make(seed=5), "complete"))[0]
    chunks = await respond(make(seed=5), method)
    assert len(chunks) > 1
    shown = ""
    for chunk in chunks:
        shown += chunk.delta
        assert text_of(chunk) == shown
        assert "".join(text for text, _ in chunk.raw["baco"]["delta"]) == chunk.delta
        assert {owner for _, owner in chunk.raw["baco"]["delta"]} <= {"base", "aligned"}
    assert facts(chunks[-1]) == facts(whole)
    assert all("usage" not in chunk.raw for chunk in chunks[:-1]), "a sum over chunks would count twice"


@pytest.mark.parametrize("method", METHODS)
async def test_one_call_is_one_event_with_the_exact_counts(make: Make, method: str) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = make(callback_manager=CallbackManager([counter]))
    last = (await respond(llm, method))[-1]
    assert len(counter.llm_token_counts) == 1
    assert counter.prompt_llm_token_count == last.raw["usage"]["prompt_tokens"]
    assert counter.completion_llm_token_count == last.raw["usage"]["completion_tokens"]


@pytest.mark.parametrize("method", METHODS)
async def test_logprobs_come_with_every_token_when_they_are_asked_for(make: Make, method: str) -> None:
    assert (await respond(make(), method))[-1].logprobs is None
    last = (await respond(make(), method, seed=3, logprobs=2))[-1]
    assert len(last.logprobs) == last.raw["usage"]["completion_tokens"]
    for chosen, *others in last.logprobs:
        assert chosen.logprob < 0
        assert 1 <= len(others) <= 2, "the two most likely, without the chosen one where it is among them"
        assert others == sorted(others, key=lambda other: -other.logprob)
        assert bytes(chosen.bytes).decode() == chosen.token


async def test_without_a_seed_answers_differ_and_each_names_the_seed_that_repeats_it(make: Make) -> None:
    llm = make()
    answers = [llm.complete(TEXT) for _ in range(4)]
    assert len({answer.text for answer in answers}) > 1
    assert [llm.complete(TEXT, seed=answer.raw["seed"]).text for answer in answers if answer.raw] == [answer.text for answer in answers]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_tokens", 7),
        ("temperature", 0.5),
        ("top_p", 0.9),
        ("top_k", 5),
        ("min_p", 0.1),
        ("repetition_penalty", 1.2),
        ("stop", ("zz",)),
        ("seed", 9),
        ("logprobs", 1),
    ],
)
def test_a_sampling_setting_reaches_the_engine_from_the_constructor_and_from_a_call(
    make: Make, asked: list[dict[str, Any]], name: str, value: Any
) -> None:
    make(**{name: value}).complete(TEXT)
    make().complete(TEXT, **{name: value})
    make().complete(TEXT)
    assert [getattr(call["params"], name) == value for call in asked] == [True, True, False]


def test_the_other_settings_reach_the_engine_too(make: Make, asked: list[dict[str, Any]]) -> None:
    settings = {"router": "p-fc", "threshold": 0.7, "probe": "aligned", "word_boundary": False, "base_prompt": "template", "timeout": 60}
    make(**settings).complete(TEXT)
    make().complete(TEXT, **settings)
    for call in asked:
        assert call["router"] == Router("p-fc", threshold=0.7, probe="aligned", word_boundary=False)
        assert (call["base_prompt"], call["params"].deadline) == ("template", 60)


def test_a_call_that_names_a_router_or_a_threshold_drops_the_rule_of_the_constructor(make: Make, asked: list[dict[str, Any]]) -> None:
    make(router="p", threshold=0.9).complete(TEXT, router="aligned")
    make(router="p", diversity=0.3).complete(TEXT, threshold=0.2)
    make(router="h", threshold=2.0).complete(TEXT, temperature=0)
    assert [call["router"] for call in asked] == [Router("aligned"), Router("p", threshold=0.2), Router("h", threshold=2.0)]


def test_what_llamaindex_passes_to_any_llm_is_accepted(make: Make) -> None:
    assert make(seed=1).complete(TEXT, extra_headers={"a": "b"}).text == make(seed=1).complete(TEXT).text


WRONG = [
    ({"temprature": 1}, UnknownKeywordError, "did you mean 'temperature'"),
    ({"n": 3}, UnknownKeywordError, "one answer per call"),
    ({"router": "p-punk"}, ConfigError, "did you mean 'p-punc'"),
    ({"threshold": 1.5}, ConfigError, "`threshold` must be a number in"),
    ({"threshold": 0.5, "diversity": 0.5}, ConfigError, "not both"),
    ({"temperature": "hot"}, ConfigError, "`temperature` must be"),
    ({"max_tokens": 0}, ConfigError, "`max_tokens` must be"),
    ({"timeout": -1}, ConfigError, "`timeout` must be"),
    ({"base_prompt": "transcrypt"}, ConfigError, "did you mean 'transcript'"),
    ({"base_prompt": None}, ConfigError, "`base_prompt` must be"),
]


@pytest.mark.parametrize(("settings", "error", "message"), WRONG)
def test_a_wrong_setting_is_an_error_in_the_constructor(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BacoLLM(**settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("settings", "error", "message"), WRONG)
async def test_a_wrong_keyword_of_a_call_is_an_error_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, method: str, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    monkeypatch.setattr(ModelPair, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(error, match=message):
        await respond(BacoLLM(), method, **settings)


def test_a_wrong_pair_is_an_error_in_the_constructor_and_a_call_cannot_change_the_pair() -> None:
    with pytest.raises(ModelNotFoundError, match=r"did you mean 'qwen2.5-0.5b'"):
        BacoLLM(model="qwen2.5-05b")
    with pytest.raises(ConfigError, match="both `base` and `aligned`"):
        BacoLLM(base="org/base")
    with pytest.raises(ConfigError, match="`dtype` must be"):
        BacoLLM(dtype="float23")
    with pytest.raises(UnknownKeywordError, match="`device` is fixed"):
        BacoLLM().complete(TEXT, device="cpu")


def test_making_describing_and_copying_load_no_weights(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPair, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    llm = make(stop=["\n"], diversity=0.3)
    for again in (copy.deepcopy(llm), pickle.loads(pickle.dumps(llm)), BacoLLM.from_dict(llm.to_dict()), BacoLLM.from_json(llm.to_json())):
        assert again.to_dict() == llm.to_dict()
        assert again.metadata == llm.metadata
    assert json.loads(json.dumps(llm.to_payload()))["diversity"] == 0.3


def test_a_copy_answers_as_the_original_does(make: Make) -> None:
    llm = make(seed=4)
    assert pickle.loads(pickle.dumps(llm)).complete(TEXT).raw == llm.complete(TEXT).raw
    assert len(pickle.dumps(llm)) < 10_000


def test_the_metadata_are_those_of_the_models(make: Make, engine: Engine, tmp_path: Path) -> None:
    llm = make(max_tokens=50)
    assert llm.metadata.context_window == engine.max_model_len
    assert (llm.metadata.num_output, llm.metadata.is_chat_model) == (50, True)
    assert llm.metadata.model_name == engine.pair.name
    assert make(max_tokens=10_000).metadata.num_output < engine.max_model_len, "else LlamaIndex finds no room for any prompt"
    assert llm.base is not None
    shutil.copytree(llm.base, tmp_path / "base")
    config = json.loads((tmp_path / "base" / "config.json").read_text())
    (tmp_path / "base" / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 100}))
    assert make(base=str(tmp_path / "base")).metadata.context_window == 100


def test_every_role_becomes_one_that_the_core_knows() -> None:
    expected = {"developer": "system", "function": "tool", "chatbot": "assistant", "model": "assistant"}
    for role in MessageRole:
        assert core_messages([ChatMessage(role=role, content="x")]) == [{"role": expected.get(role.value, role.value), "content": "x"}]


def test_text_blocks_are_joined_and_blocks_without_text_left_out() -> None:
    cited = CitableBlock(title="t", source="s", content=[TextBlock(text="b")])
    silent = [ThinkingBlock(content="hm"), CachePoint(cache_control=CacheControl(type="ephemeral"))]
    assert core_messages([ChatMessage(blocks=[TextBlock(text="a"), cited, *silent])])[0]["content"] == "a\nb"


@pytest.mark.parametrize(
    "block", [ImageBlock(url="http://x/y.png"), DocumentBlock(data=b"x"), ToolCallBlock(tool_name="t", tool_kwargs={})]
)
def test_a_block_that_is_not_text_is_an_error_that_names_it(make: Make, block: Any) -> None:
    with pytest.raises(PromptError, match=rf"message 1 \(user\) has a {type(block).__name__}"):
        make().chat([ChatMessage(content="a"), ChatMessage(blocks=[block])])


@pytest.mark.parametrize("method", METHODS)
async def test_a_prompt_that_fills_the_window_is_an_error_with_the_counts(make: Make, method: str) -> None:
    llm = make()
    with pytest.raises(ContextOverflowError) as error:
        await respond(llm, method, "word " * llm.metadata.context_window)
    assert error.value.max_model_len == llm.metadata.context_window < error.value.prompt_tokens


def test_an_empty_prompt_is_an_error(make: Make) -> None:
    with pytest.raises(PromptError, match="empty"):
        make().complete("")
    with pytest.raises(PromptError, match="empty"):
        make().chat([])


def test_prompt_hooks_are_used_where_llamaindex_promises_them(make: Make, asked: list[dict[str, Any]]) -> None:
    llm = make(completion_to_prompt=lambda text: f"<{text}>", system_prompt="Be brief.")
    llm.complete("a")
    llm.complete("a", formatted=True)
    llm.predict(PromptTemplate("{x}"), x="a")
    make(messages_to_prompt=lambda messages: "+".join(str(m.content) for m in messages)).chat([ChatMessage(content="a")] * 2)
    user = {"role": "user", "content": "a"}
    assert [call["messages"] for call in asked] == [
        [user | {"content": "<a>"}],
        [user],
        [{"role": "system", "content": "Be brief."}, user],
        [user | {"content": "a+a"}],
    ]


@pytest.mark.parametrize("missing", ["llama_index", "llama_index.core"])
def test_without_llamaindex_the_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("llamaindex_baco", "llama_index")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'baco\[llamaindex\]'"):
        importlib.import_module("llamaindex_baco")
