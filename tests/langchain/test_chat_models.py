"""ChatBaco as one model for one prompt: settings, answers, streams, metadata, counts, caching."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage

from baco import (
    ConfigError,
    ContextOverflowError,
    Engine,
    PromptError,
    Router,
    SamplingParams,
)
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, Runs, counted_passes, essence


def test_invoke_is_what_the_engine_generates(model: ChatBaco, seed: int, engine: Engine) -> None:
    answer = model.invoke(PROMPT, seed=seed)
    result = engine.generate(PROMPT, SamplingParams(max_tokens=24, seed=seed), Router(threshold=0.6))
    usage = result.usage
    assert answer.text == result.text
    assert answer.usage_metadata == {
        "input_tokens": len(result.prompt_token_ids["aligned"]),
        "output_tokens": len(result.candidates[0].token_ids),
        "total_tokens": len(result.prompt_token_ids["aligned"]) + len(result.candidates[0].token_ids),
        "input_token_details": {"cache_read": usage.cached_tokens},
        "output_token_details": {"base": usage.base_tokens, "aligned": usage.aligned_tokens},
    }
    assert usage.cached_tokens == usage.prompt_tokens - 1, "both have been asked before"
    assert 0 < usage.base_tokens < usage.completion_tokens


def test_the_metadata_says_how_the_answer_came_about(model: ChatBaco, seed: int) -> None:
    metadata = model.invoke(PROMPT, seed=seed).response_metadata
    answer = model.invoke(PROMPT, seed=seed)
    assert metadata["model_name"] == f"{model.base}|{model.aligned}"
    assert (metadata["model_provider"], metadata["seed"], metadata["router"], metadata["threshold"]) == ("baco", seed, "p-punc", 0.6)
    assert metadata["finish_reason"] in ("stop", "length")
    spans = metadata["baco"]["spans"]
    assert "".join(text for text, _ in spans) == answer.text
    assert {owner for _, owner in spans} == {"base", "aligned"}
    assert all(before[1] != after[1] for before, after in pairwise(spans))
    assert set(metadata["baco"]["passes"]) == {"base", "aligned", "proposed", "accepted"}
    assert metadata["baco"]["sampling"] == {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
    assert json.loads(json.dumps(metadata)) == metadata


def test_what_is_not_set_is_what_the_maker_recommends(pair_folders: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    base, aligned = pair_folders("llama")
    copy = Path(shutil.copytree(aligned, tmp_path / "aligned"))
    before = ChatBaco(base=str(base), aligned=str(copy))._get_llm_string()
    (file := copy / "generation_config.json").write_text(json.dumps(json.loads(file.read_text()) | {"temperature": 0.6, "top_k": 9}))
    model = ChatBaco(base=str(base), aligned=str(copy), device="cpu", dtype="float32", max_tokens=3, top_p=0.9)

    def used(**call: Any) -> Any:
        return model.invoke(PROMPT, **call).response_metadata["baco"]["sampling"]

    assert used() == {"temperature": 0.6, "top_p": 0.9, "top_k": 9}
    assert used(temperature=1.0, top_k=0) == {"temperature": 1.0, "top_p": 0.9, "top_k": 0}
    assert used(top_p=None) == {"temperature": 0.6, "top_p": 1.0, "top_k": 9}
    assert list(model.stream(PROMPT))[-1].response_metadata["baco"]["sampling"] == used()
    assert ChatBaco(base=str(base), aligned=str(copy))._get_llm_string() != before, (
        "answers of the maker's old settings are not its new ones"
    )


def test_stream_and_the_async_forms_give_what_invoke_gives(model: ChatBaco, seed: int) -> None:
    settings: dict[str, Any] = {"seed": seed, "logprobs": 2}
    expected = essence(model.invoke(PROMPT, **settings))
    chunks = list(model.stream(PROMPT, **settings))
    assert len(chunks) > 3
    assert essence(reduce(add, chunks)) == expected

    async def collect() -> tuple[AIMessage, list[AIMessageChunk]]:
        return await model.ainvoke(PROMPT, **settings), [chunk async for chunk in model.astream(PROMPT, **settings)]

    answer, achunks = asyncio.run(collect())
    assert essence(answer) == expected
    assert essence(reduce(add, achunks)) == expected


def test_only_the_last_chunk_has_usage_and_metadata(model: ChatBaco, seed: int) -> None:
    *chunks, last = model.stream(PROMPT, seed=seed)
    assert all(chunk.usage_metadata is None and not chunk.response_metadata and chunk.chunk_position is None for chunk in chunks)
    assert all(chunk.text for chunk in chunks)
    assert last.chunk_position == "last"
    assert last.usage_metadata is not None


def test_logprobs_have_the_form_of_openai_and_the_source_of_each_token(model: ChatBaco, seed: int) -> None:
    answer = model.invoke(PROMPT, seed=seed, logprobs=2)
    assert answer.usage_metadata is not None
    content = answer.response_metadata["logprobs"]["content"]
    assert len(content) == answer.usage_metadata["output_tokens"]
    sources = [token["source"] for token in content]
    assert sources.count("base") == answer.usage_metadata["output_token_details"]["base"]  # type: ignore[typeddict-item]
    for token in content:
        assert token["logprob"] <= 0
        assert [set(top) for top in token["top_logprobs"]] == [{"token", "logprob", "bytes"}] * 2
        assert token["bytes"] is None or bytes(token["bytes"]).decode() == token["token"]
    assert "logprobs" not in model.invoke(PROMPT, seed=seed).response_metadata


@pytest.mark.parametrize("call", ["invoke", "stream", "batch", "streaming"])
def test_n_above_one_is_refused_where_only_one_answer_would_come_back(model: ChatBaco, call: str) -> None:
    several = model.model_copy(update={"n": 2})
    calls: dict[str, Callable[[], object]] = {
        "invoke": lambda: several.invoke(PROMPT),
        "stream": lambda: list(several.stream(PROMPT)),
        "batch": lambda: several.batch([PROMPT, PROMPT]),
        "streaming": lambda: several.generate([[HumanMessage(PROMPT)]], stream=True),
    }
    with pytest.raises(ConfigError, match=r"`n` must be 1 .* use generate"):
        calls[call]()


def test_generate_gives_all_n_answers_each_with_the_usage_of_the_request(model: ChatBaco, seed: int, engine: Engine) -> None:
    result = model.generate([[HumanMessage(PROMPT)]], n=4, seed=seed)
    expected = engine.generate(PROMPT, SamplingParams(max_tokens=24, seed=seed, n=4), Router(threshold=0.6))
    assert [generation.text for generation in result.generations[0]] == [candidate.text for candidate in expected.candidates]
    assert len({generation.text for generation in result.generations[0]}) == 4
    written = [generation.text for generation in model.generate([PROMPT, [("human", PROMPT)]], n=4, seed=seed).generations[1]]
    assert written == [generation.text for generation in result.generations[0]]
    for generation in result.generations[0]:
        assert generation.message.usage_metadata["output_tokens"] == expected.usage.completion_tokens  # type: ignore[union-attr]


def test_a_timeout_ends_the_answer_as_it_stands(model: ChatBaco, seed: int) -> None:
    answer = model.invoke(PROMPT, timeout=1e-6, seed=seed)
    assert answer.response_metadata["finish_reason"] == "cancelled"
    assert answer.text == "", "it was late before its first token"
    assert answer.usage_metadata is not None and answer.usage_metadata["output_tokens"] == 0
    assert answer.usage_metadata["input_tokens"] == model.invoke(PROMPT, seed=seed).usage_metadata["input_tokens"]


@pytest.mark.parametrize("router", ["p-punc", "aligned", "base"])
@pytest.mark.parametrize(
    "messages", [[HumanMessage(PROMPT)], [SystemMessage("Be brief."), HumanMessage("Hi"), AIMessage("Yo"), HumanMessage("Go")]]
)
def test_the_count_of_a_prompts_tokens_is_that_of_its_usage(model: ChatBaco, router: str, messages: list[BaseMessage]) -> None:
    changed = model.model_copy(update={"router": router, "threshold": None})
    usage = changed.invoke(messages, max_tokens=1).usage_metadata
    assert usage is not None and changed.get_num_tokens_from_messages(messages) == usage["input_tokens"]


def test_tokens_of_a_text_are_the_tokenizers_without_an_opening_one(model: ChatBaco, engine: Engine) -> None:
    text = "A rabbit <|im_end|> ate 海 it."
    assert engine.pair.tokenizer.decode(model.get_token_ids(text)) == text
    assert model.get_num_tokens(text) == len(model.get_token_ids(text))
    assert not set(model.get_token_ids(text)) & set(engine.pair.tokenizer.all_special_ids)


def test_an_overlong_prompt_is_refused_with_the_counts_but_can_be_counted(model: ChatBaco) -> None:
    messages: list[BaseMessage] = [HumanMessage("rabbit " * 400)]
    count = model.get_num_tokens_from_messages(messages)
    with pytest.raises(ContextOverflowError) as error:
        model.invoke(messages, router="aligned")
    assert error.value.prompt_tokens == count


def test_an_empty_prompt_is_refused(model: ChatBaco) -> None:
    prompts: list[Any] = [[], "", " \n"]
    for prompt in prompts:
        with pytest.raises(PromptError, match="empty"):
            model.invoke(prompt)


def test_the_global_cache_does_not_freeze_samples_and_says_so(model: ChatBaco, cache: InMemoryCache) -> None:
    with pytest.warns(UserWarning, match="global cache is not used"):
        texts = {model.invoke(PROMPT).text for _ in range(6)}
    assert len(texts) > 1
    assert {model.model_copy(update={"cache": True}).invoke(PROMPT).text for _ in range(4)} != texts
    assert len({model.model_copy(update={"cache": True}).invoke(PROMPT).text for _ in range(4)}) == 1


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"seed": 5}])
def test_the_global_cache_keeps_answers_that_come_out_the_same_again(
    model: ChatBaco, cache: InMemoryCache, settings: dict[str, Any]
) -> None:
    first = model.invoke(PROMPT, **settings)
    with counted_passes(model) as passes:
        assert model.invoke(PROMPT, **settings).text == first.text
    assert passes.counts["base"] == 0


@pytest.mark.parametrize(
    "other", [{"stop": ["e"]}, {"router": "aligned", "threshold": None}, {"max_tokens": 3}, {"base_prompt": "template"}, {"model": 1}]
)
def test_models_with_other_settings_do_not_share_cached_answers(
    model: ChatBaco, cache: InMemoryCache, other: dict[str, Any], pair_folders: Callable[[str], tuple[Path, Path]]
) -> None:
    if "model" in other:
        other = dict(zip(("base", "aligned"), map(str, pair_folders("qwen2")), strict=True))
    model.invoke(PROMPT, temperature=0)
    changed = model.model_copy(update=other)
    with counted_passes(changed) as passes:
        changed.invoke(PROMPT, temperature=0)
    assert passes.counts["aligned"] > 0


def test_traces_name_the_provider_the_pair_and_the_settings(model: ChatBaco) -> None:
    runs = Runs()
    model.invoke("A", {"callbacks": [runs]}, temperature=0.5)
    (start,) = runs.starts
    ls = {"ls_provider": "baco", "ls_model_name": f"{model.base}|{model.aligned}", "ls_model_type": "chat", "ls_temperature": 0.5}
    assert start["metadata"].items() >= ls.items()
    assert start["invocation_params"]["router"] == "p-punc"
    assert start["metadata"]["lc_versions"].keys() >= {"langchain-core", "baco"}
    assert ChatBaco()._get_ls_params()["ls_model_name"] == "tiny"
    assert ChatBaco()._get_ls_params(model="x")["ls_model_name"] == "x"


def test_without_langchain_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['langchain_core'] = None; import langchain_baco"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtraError: `langchain_core` is not installed; run: pip install 'baco[langchain]'" in answer.stderr
