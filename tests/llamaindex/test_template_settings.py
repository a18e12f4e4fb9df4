"""What a chat template is told through BacoLLM: its variables, reasoning and the date, in every way that a setting can be given."""

import pickle
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.llms import ChatMessage

from baco import ConfigError, Engine, UnknownKeywordError
from llamaindex_baco import BacoLLM
from tests.llamaindex.helpers import TEXT, Make
from tests.support.chat_templates import TEMPLATES

OFF = "<think>\n\n</think>\n"


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
async def test_thinking_is_turned_off_by_a_field_a_call_a_copy_and_a_block(make: Make, prompts: list[str], setting: dict[str, Any]) -> None:
    thinking = make(max_tokens=2)
    make(max_tokens=2, **setting).complete(TEXT)
    thinking.chat([ChatMessage(content=TEXT)], **setting)
    list(thinking.stream_complete(TEXT, **setting))
    await thinking.with_(**setting).acomplete(TEXT)
    with thinking.using(**setting):
        thinking.complete(TEXT)
    assert len(prompts) == 5 and all(prompt.endswith(OFF) for prompt in prompts)
    thinking.complete(TEXT)
    assert not prompts[5].endswith(OFF)


def test_a_misspelt_variable_is_refused_and_the_nearest_is_named(make: Make, prompts: list[str]) -> None:
    with pytest.raises(UnknownKeywordError, match="did you mean 'enable_thinking'"):
        make(chat_template_kwargs={"enabel_thinking": False}).complete(TEXT)
    with pytest.raises(ConfigError, match="`reasoning` must be None, True, False or an effort"):
        make(reasoning=2)
    assert not prompts


def test_seed_and_date_give_an_answer_again(make: Make, prompts: list[str]) -> None:
    first = make(seed=5).complete(TEXT)
    told = first.raw["baco"]["template_date"]  # type: ignore[index]
    assert make(seed=5).complete(TEXT, chat_template_kwargs={"strftime_now": told}).raw == first.raw
    assert make(seed=5).complete(TEXT, chat_template_kwargs={"strftime_now": "2027-03-09"}).raw != first.raw
    assert "09 March 2027" in prompts[-1]


def test_settings_of_a_template_are_copied_pickled_and_written() -> None:
    told = BacoLLM(chat_template_kwargs={"strftime_now": "2027-03-09"}, reasoning=False)
    for back in (pickle.loads(pickle.dumps(told)), BacoLLM.from_dict(told.to_dict()), told.with_(seed=3)):
        assert (back.chat_template_kwargs, back.reasoning) == (told.chat_template_kwargs, False)


@pytest.mark.usefixtures("llamaindex_settings")
def test_the_room_of_a_prompt_depends_on_what_the_template_is_told(make: Make, prompts: list[str]) -> None:
    rooms = []
    for reasoning in (False, True):
        make(reasoning=reasoning).configure_settings()
        rooms.append(Settings.prompt_helper.context_window)
    assert rooms[0] < rooms[1]
