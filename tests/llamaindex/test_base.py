"""BacoLLM's answers, streams, counts and messages, on a tiny random pair."""

import importlib
import json
import re
import sys
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

import llamaindex_baco
from baco import ContextOverflowError, Engine, MissingExtraError, ModelPair, PromptError, Router, SamplingParams
from llamaindex_baco import BacoLLM
from llamaindex_baco.messages import core_messages
from tests.llamaindex.helpers import METHODS, TEXT, Make, respond, text_of


def facts(response: Any) -> dict[str, Any]:
    """What a response says about itself, without the newest chunk's spans."""
    raw: dict[str, Any] = json.loads(json.dumps(response.raw))
    raw["baco"].pop("delta", None)
    return raw


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
        assert last.raw["baco"]["spans"] == [list(span) for span in expected.candidates[0].spans()]
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
    assert set(raw["baco"]["passes"]) == {"base", "aligned", "proposed", "accepted"} and raw["baco"]["passes"]["base"] >= 1
    assert raw["baco"]["sampling"] == {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
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
    greedy = (await respond(make(temperature=0, router="aligned"), method, logprobs=2))[-1]
    assert {len(position) for position in greedy.logprobs} == {2}, "the chosen token is the likeliest, and is not repeated"


async def test_without_a_seed_answers_differ_and_each_names_the_seed_that_repeats_it(make: Make) -> None:
    llm = make()
    answers = [llm.complete(TEXT) for _ in range(4)]
    assert len({answer.text for answer in answers}) > 1
    assert [llm.complete(TEXT, seed=answer.raw["seed"]).text for answer in answers if answer.raw] == [answer.text for answer in answers]


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


def test_what_no_model_can_read_is_refused_before_the_pair_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelPair, "from_pretrained", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(PromptError, match="has a ImageBlock"):
        BacoLLM().chat([ChatMessage(blocks=[ImageBlock(url="http://x/y.png")])])


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


def test_the_package_says_what_each_of_its_files_is_for() -> None:
    modules = {path.name for path in Path(llamaindex_baco.__file__).parent.glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", llamaindex_baco.__doc__ or "")) == modules


@pytest.mark.parametrize("missing", ["llama_index", "llama_index.core"])
def test_without_llamaindex_the_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("llamaindex_baco", "llama_index")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'baco\[llamaindex\]'"):
        importlib.import_module("llamaindex_baco")
