"""BacoLLM's settings: from the constructor and from a call to the engine, checked, copied and described."""

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.prompts import PromptTemplate

from baco import ConfigError, Engine, ModelNotFoundError, ModelPair, Router, UnknownKeywordError
from llamaindex_baco import BacoLLM
from tests.llamaindex.helpers import METHODS, TEXT, Make, respond


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


def test_a_prompt_that_would_be_ignored_is_an_error() -> None:
    with pytest.raises(UnknownKeywordError, match="completion_to_prompt"):
        BacoLLM(query_wrapper_prompt=PromptTemplate("{query_str}"))


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
