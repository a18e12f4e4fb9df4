"""The settings of ChatBaco: in the constructor, in a call and bound; checked, replaced, named otherwise, copied."""

import pickle
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import ConfigurableField

from baco import (
    ConfigError,
    Engine,
    ModelNotFoundError,
    ModelPair,
    SamplingParams,
    UnknownKeywordError,
)
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT, counted_passes, essence

OVERRIDES: list[dict[str, Any]] = [
    {"router": "aligned"},
    {"router": "h", "threshold": 0.5},
    {"threshold": 0.2},
    {"threshold": 0.9, "word_boundary": False},
    {"threshold": 0.9, "probe": "aligned"},
    {"base_prompt": "{{ messages[0]['content'] }}"},
    {"max_tokens": 3},
    {"temperature": 0.0},
    {"top_k": 1},
    {"top_p": 0.05},
    {"min_p": 1.0},
    {"repetition_penalty": 3.0},
]


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda override: next(reversed(override)))
def test_a_setting_means_the_same_in_the_constructor_in_a_call_and_bound(model: ChatBaco, seed: int, override: dict[str, Any]) -> None:
    plain = model.model_copy(update={"threshold": None, "seed": seed})
    fields = {name: getattr(plain, name) for name in ("base", "aligned", "device", "dtype", "seed", "max_tokens")}
    expected = essence(ChatBaco(**fields | override).invoke(PROMPT))
    assert essence(plain.invoke(PROMPT, **override)) == expected
    assert essence(plain.bind(**override).invoke(PROMPT)) == expected
    assert expected != essence(plain.invoke(PROMPT))


def test_a_stop_text_is_trimmed_wherever_it_is_given(model: ChatBaco, seed: int) -> None:
    seeded = model.model_copy(update={"seed": seed})
    text = seeded.invoke(PROMPT).text
    stop = text[len(text) // 2]
    expected = text[: text.index(stop)]
    stopping = seeded.model_copy(update={"stop": [stop]})
    answers = [seeded.invoke(PROMPT, stop=[stop]), seeded.bind(stop_sequences=[stop]).invoke(PROMPT), stopping.invoke(PROMPT)]
    answers += [reduce(add, seeded.stream(PROMPT, stop=[stop])), *stopping.batch([PROMPT, PROMPT])]
    assert [(answer.text, answer.response_metadata["finish_reason"]) for answer in answers] == [(expected, "stop")] * 6
    assert stopping.invoke(PROMPT, stop=[]).text == text


def test_the_defaults_are_those_of_the_core(model: ChatBaco, engine: Engine) -> None:
    plain = ChatBaco(base=model.base, aligned=model.aligned, device="cpu", dtype="float32")
    assert plain.invoke(PROMPT, seed=9).text == engine.generate(PROMPT, SamplingParams(seed=9)).text


@pytest.mark.parametrize(
    ("constructor", "call", "threshold"),
    [
        ({"threshold": 0.6}, {"router": "h"}, 1.5),
        ({"threshold": 0.6}, {"router": "aligned"}, None),
        ({"diversity": 0.3}, {"threshold": 0.25}, 0.25),
        ({"diversity": 0.3}, {"router": "p"}, 0.4),
    ],
)
def test_a_call_replaces_what_the_constructor_said_in_another_form(
    model: ChatBaco, constructor: dict[str, Any], call: dict[str, Any], threshold: float | None
) -> None:
    changed = model.model_copy(update={"threshold": None, **constructor})
    assert changed.invoke("A", **call).response_metadata.get("threshold") == threshold


def test_a_call_may_give_a_diversity_where_the_constructor_has_a_threshold(model: ChatBaco, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "resolve", lambda self, router, *_, **__: router.with_threshold(router.diversity / 2))
    assert model.invoke("A", diversity=0.5).response_metadata["threshold"] == 0.25


def test_none_in_a_call_is_a_value_but_names_no_pair(model: ChatBaco) -> None:
    seeded = model.model_copy(update={"seed": 5})
    assert seeded.invoke("A", seed=None).response_metadata["seed"] != 5
    assert seeded.invoke("A", model=None, base=None).response_metadata["model_name"] == f"{model.base}|{model.aligned}"


def test_a_call_may_name_another_pair(model: ChatBaco, pair_folders: Callable[[str], tuple[Path, Path]]) -> None:
    other = "|".join(map(str, pair_folders("qwen2")))
    assert model.invoke("A", model=other).response_metadata["model_name"] == other
    assert model.with_config({"tags": ["x"]}).invoke("A", model=other).response_metadata["model_name"] == other


@pytest.mark.parametrize(
    ("keyword", "nearest"), [("temprature", "temperature"), ("treshold", "threshold"), ("max_token", "max_tokens"), ("routr", "router")]
)
def test_an_unknown_keyword_is_an_error_that_names_the_nearest(model: ChatBaco, keyword: str, nearest: str) -> None:
    with pytest.raises(UnknownKeywordError, match=f"did you mean '{nearest}'"):
        ChatBaco(**{keyword: 1})
    for call in (
        model.invoke,
        lambda *a, **k: list(model.stream(*a, **k)),
        lambda p, **k: model.batch([p], **k),
        model.bind(**{keyword: 1}).invoke,
    ):
        with pytest.raises(UnknownKeywordError, match=f"did you mean '{nearest}'"):
            call(PROMPT, **{keyword: 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "`temperature` must be 0"),
        ({"temperature": "0.5"}, "`temperature` must be 0"),
        ({"router": "p-pnc"}, "did you mean 'p-punc'"),
        ({"threshold": 0.5, "diversity": 0.5}, "not both"),
        ({"timeout": 0}, "seconds above 0"),
        ({"stop": ["a"], "stop_sequences": ["b"]}, "same setting"),
        ({"base_prompt": "transkript"}, "did you mean 'transcript'"),
        ({"dtype": "float8"}, "`dtype` must be one of"),
        ({"router": None}, "`router` must be a text"),
    ],
)
def test_a_bad_setting_is_refused_by_the_constructor_and_by_a_call(model: ChatBaco, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ChatBaco(**settings)
    with counted_passes(model) as passes, pytest.raises(ConfigError, match=message):
        model.invoke(PROMPT, **settings)
    assert passes.counts == {"base": 0, "aligned": 0}


@pytest.mark.parametrize("model_name", ["qwen-0.5b", "./nowhere|./neither"])
def test_the_constructor_refuses_a_pair_that_is_not_there(model_name: str) -> None:
    with pytest.raises(ModelNotFoundError):
        ChatBaco(model=model_name)


def test_other_names_of_settings_are_understood(model: ChatBaco) -> None:
    names: dict[str, Any] = {"model_name": "qwen2.5-0.5b", "stop_sequences": ["x"], "max_completion_tokens": 7}
    renamed = ChatBaco(**names)
    assert (renamed.model, renamed.stop, renamed.max_tokens) == ("qwen2.5-0.5b", ["x"], 7)
    answer = model.invoke(PROMPT, max_completion_tokens=2)
    assert answer.usage_metadata is not None and answer.usage_metadata["output_tokens"] <= 2


def test_constructing_copying_binding_and_pickling_load_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(ModelPair, "from_pretrained", refuse)
    model = ChatBaco(model="qwen2.5-0.5b", temperature=0.5)
    copies = [model, model.model_copy(), pickle.loads(pickle.dumps(model)), model.bind(seed=1).bound]
    assert all(copy == model for copy in copies)
    assert len(pickle.dumps(model)) < 10_000


def test_configurable_fields_answer_from_the_same_weights(model: ChatBaco) -> None:
    configurable = model.configurable_fields(max_tokens=ConfigurableField(id="length"))
    with counted_passes(model) as passes:
        answer = configurable.invoke(PROMPT, {"configurable": {"length": 2}})
    assert passes.counts["base"] > 0
    assert answer.usage_metadata is not None and answer.usage_metadata["output_tokens"] <= 2
