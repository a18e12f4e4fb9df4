"""What a chat template is told through ChatBaco: its variables, reasoning and the date, in every way that a setting can be given."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.load import dumps, load
from langchain_core.messages import HumanMessage

from baco import ConfigError, Engine, UnknownKeywordError
from langchain_baco import ChatBaco
from langchain_baco import fields as fields_module
from tests.langchain.helpers import PROMPT
from tests.support.chat_templates import TEMPLATES
from tests.support.scripted import scripted

OFF = "<think>\n\n</think>\n"
THEN = "2027-03-09T00:00:00"


class Later(date):
    """A day on which a test runs again."""

    @classmethod
    def today(cls) -> date:  # type: ignore[override]
        return date(2031, 2, 3)


@pytest.fixture
def prompts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the tiny pair the template of a model that thinks and asks for the date; collect what the aligned model reads."""
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", TEMPLATES["SmolLM 3"])
    read: list[str] = []
    submit = Engine._submit

    def recorded(self: Engine, requests: Any) -> None:
        read.extend(str(self.pair.tokenizer.decode(request.prompt.token_ids["aligned"])) for request in requests)
        submit(self, requests)

    monkeypatch.setattr(Engine, "_submit", recorded)
    return read


@pytest.mark.parametrize("setting", [{"reasoning": False}, {"chat_template_kwargs": {"enable_thinking": False}}])
def test_thinking_is_turned_off_by_a_field_a_call_and_a_binding(model: ChatBaco, prompts: list[str], setting: dict[str, Any]) -> None:
    thinking = model.model_copy(update={"max_tokens": 2})
    off = ChatBaco(**{name: getattr(thinking, name) for name in ("base", "aligned", "device", "dtype", "max_tokens")}, **setting)
    off.invoke(PROMPT)
    thinking.invoke(PROMPT, **setting)
    thinking.bind(**setting).invoke(PROMPT)
    list(thinking.stream(PROMPT, **setting))
    thinking.diverse(2, **setting).invoke(PROMPT)
    assert len(prompts) == 5 and all(prompt.endswith(OFF) for prompt in prompts)
    thinking.invoke(PROMPT)
    off.invoke(PROMPT, reasoning=None, chat_template_kwargs=None)
    assert not any(prompt.endswith(OFF) for prompt in prompts[5:])


def test_with_thinking_off_there_is_an_answer_and_no_thought(model: ChatBaco, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", TEMPLATES["Qwen 3"])
    requests = scripted(monkeypatch)("Four.")
    for message in (model.invoke(PROMPT, reasoning=False), *model.diverse(1, reasoning=False).invoke(PROMPT)):
        assert message.text == "Four." and "reasoning_content" not in message.additional_kwargs
    ends = [
        str(engine.pair.tokenizer.decode(request.prompt.token_ids["aligned"])).endswith("<think>\n\n</think>\n\n") for request in requests
    ]
    assert ends == [True, True]


def test_a_misspelt_variable_is_refused_and_the_nearest_is_named(model: ChatBaco, prompts: list[str]) -> None:
    with pytest.raises(UnknownKeywordError, match="did you mean 'enable_thinking'") as raised:
        model.invoke(PROMPT, chat_template_kwargs={"enabel_thinking": False})
    assert isinstance(raised.value, ModelInvalidRequestError) and not prompts
    with pytest.raises(ConfigError, match="`chat_template_kwargs` must be None or a dict"):
        ChatBaco(chat_template_kwargs="enable_thinking")
    with pytest.raises(ConfigError, match="`reasoning` must be None, True, False or an effort"):
        model.invoke(PROMPT, reasoning=3)
    for value in (3, ["enable_thinking"]):
        with pytest.raises(ConfigError, match="`chat_template_kwargs` must be None or a dict"):
            model.invoke(PROMPT, chat_template_kwargs=value)


def test_a_prompt_is_counted_with_its_variables(model: ChatBaco, prompts: list[str]) -> None:
    counts = []
    for settings in ({"reasoning": False}, {"reasoning": True}, {"chat_template_kwargs": {"strftime_now": "2027-03-09"}}):
        told = model.model_copy(update={"max_tokens": 1, **settings})
        counts.append(told.get_num_tokens_from_messages([HumanMessage(PROMPT)]))
        assert counts[-1] == told.invoke(PROMPT).usage_metadata["input_tokens"]  # type: ignore[index]
    assert counts[0] > counts[1]


def test_seed_and_date_give_an_answer_again(model: ChatBaco, prompts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = model.invoke(PROMPT, seed=5)
    told = first.response_metadata["baco"]["template_date"]
    assert told == f"{date.today()}T00:00:00"
    monkeypatch.setattr("baco.text.template_variables.date", Later)
    again = model.invoke(PROMPT, seed=5, chat_template_kwargs={"strftime_now": told})
    assert again.text == first.text and again.response_metadata == first.response_metadata
    model.invoke(PROMPT, seed=5)
    assert prompts[0] == prompts[1] and "03 February 2031" in prompts[2]


def test_variables_are_part_of_the_cache_key_and_so_is_the_date_of_a_template_that_asks_for_it(
    pair_folders: Callable[[str], tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, aligned = pair_folders("llama")
    model = ChatBaco(base=str(base), aligned=str(aligned), seed=1)
    settings: list[dict[str, Any]] = [{}, {"reasoning": False}, {"chat_template_kwargs": {"enable_thinking": False}}]
    keys = {model._get_llm_string(**setting) for setting in settings}
    keys |= {model.model_copy(update=setting)._get_llm_string() for setting in settings}
    assert len(keys) == 3, "a field and a keyword make one key"
    asks = tmp_path / "aligned"
    asks.mkdir()
    for file in aligned.iterdir():
        (asks / file.name).write_bytes(file.read_bytes())
    (asks / "chat_template.jinja").write_text(TEMPLATES["SmolLM 3"])
    asking = ChatBaco(base=str(base), aligned=str(asks), seed=1)
    before = model._get_llm_string(), asking._get_llm_string()
    monkeypatch.setattr(fields_module, "date", Later)
    after = model._get_llm_string(), asking._get_llm_string()
    assert before[0] == after[0] and before[1] != after[1]
    told = {"chat_template_kwargs": {"strftime_now": THEN}}
    later = asking._get_llm_string(**told)
    monkeypatch.undo()
    assert asking._get_llm_string(**told) == later, "a date that was set is the same on any day"


def test_a_cached_answer_is_not_one_of_other_variables(model: ChatBaco, prompts: list[str], cache: InMemoryCache) -> None:
    for settings in ({"reasoning": False}, {"reasoning": True}, {"reasoning": False}):
        model.invoke(PROMPT, seed=5, **settings)
    assert [prompt.endswith(OFF) for prompt in prompts] == [True, False]


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_langchains_form_brings_them_back() -> None:
    told = ChatBaco(chat_template_kwargs={"documents": [{"title": "é"}], "strftime_now": THEN}, reasoning=False)
    back = load(json.loads(dumps(told)), allowed_objects=[ChatBaco], valid_namespaces=["langchain_baco"])
    assert back == told and back.chat_template_kwargs == told.chat_template_kwargs and back.reasoning is False
