"""Variables of chat templates: which a template reads, what is refused, reasoning in each family's words, and the date."""

from datetime import date, datetime
from typing import Any

import pytest

from baco import Engine, ModelPair, Router, SamplingParams, UnknownKeywordError
from baco.errors import ChatTemplateError, ConfigError
from baco.routing.calibration import CalibrationMap
from baco.text import template_variables as module
from baco.text.prompts import encode_chat
from baco.text.template_variables import NOW, template_variables, variables_read, with_clock
from tests.support.chat_templates import TEMPLATES
from tests.support.tokenizers import CHAT_TEMPLATE, byte_level_bpe

CHAT = [{"role": "user", "content": "ostrich?"}]
LATER = date(2031, 2, 3)


class Later(date):
    """A day on which a test runs again."""

    @classmethod
    def today(cls) -> date:  # type: ignore[override]
        return LATER


def tokenizer_of(template: str) -> Any:
    """A tokenizer with a template, by its family or by its text."""
    tokenizer: Any = byte_level_bpe()
    tokenizer.chat_template = TEMPLATES.get(template, template)
    return tokenizer


def prompt(template: str, **settings: Any) -> str:
    """The prompt of a question under a template and settings."""
    tokenizer = tokenizer_of(template)
    return str(tokenizer.decode(encode_chat(tokenizer, CHAT, variables=template_variables(tokenizer, **settings))))


@pytest.mark.parametrize(
    ("template", "read"),
    [
        ("{{ messages }}{{ tools }}{{ bos_token }}{% if add_generation_prompt %}{{ raise_exception('x') }}{% endif %}", set()),
        ("{{ a }}{% set b = 1 %}{{ b }}", {"a"}),
        ("{% if not a is defined %}{% set a = 1 %}{% endif %}{{ a }}", {"a"}),
        ("{% set a = a | default(1) %}{{ a }}", {"a"}),
        ("{% if messages %}{% set system = messages[0] %}{% endif %}{{ system }}", set()),
        ("{% for m in messages %}{% if m %}{% set content = m.content %}{% endif %}{{ content + a }}{% endfor %}", {"a"}),
        ("{% macro write(x) %}{{ x + a }}{% endmacro %}{{ write(1) }}", {"a"}),
        ("{% for m in messages %}{% generation %}{{ a }}{% endgeneration %}{% break %}{% endfor %}", {"a"}),
        ("{{ strftime_now('%Y') }}", {"strftime_now"}),
        (TEMPLATES["Llama 3.2"], {"date_string", "strftime_now"}),
        (TEMPLATES["Qwen 3"], {"enable_thinking"}),
        (TEMPLATES["Granite 3.3"], {"thinking", "controls", "strftime_now"}),
        (TEMPLATES["gpt-oss"], {"reasoning_effort", "strftime_now"}),
        (TEMPLATES["Seed-OSS"], {"thinking_budget"}),
        (CHAT_TEMPLATE, set()),
    ],
)
def test_the_variables_that_a_template_takes_from_outside(template: str, read: set[str]) -> None:
    assert variables_read(template) == read


def test_a_variable_that_no_template_reads_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(UnknownKeywordError, match=r"has 'enabel_thinking', which .* never reads; did you mean 'enable_thinking'\?"):
        template_variables(tokenizer_of("Qwen 3"), {"enabel_thinking": False})
    with pytest.raises(UnknownKeywordError, match=r"never reads \(it reads: none\)"):
        template_variables(tokenizer_of("SmolLM 2"), {"documents": []})
    for name in ("messages", "tools", "bos_token", "conversation", "padding", NOW):
        with pytest.raises(UnknownKeywordError, match=f"has '{name}'"):
            template_variables(tokenizer_of("{{ " + name + " }}"), {name: "x"})


def test_variables_of_ones_own_base_prompt_and_of_any_named_template_count_too() -> None:
    tokenizer = tokenizer_of("Qwen 3")
    assert template_variables(tokenizer, {"style": "dry"}, own_template="{{ style }}") == {"style": "dry"}
    tokenizer.chat_template = {"default": CHAT_TEMPLATE, "tool_use": CHAT_TEMPLATE + "{{ documents }}"}
    assert template_variables(tokenizer, {"documents": [1]}) == {"documents": [1]}
    with pytest.raises(ChatTemplateError, match=r"`base_prompt` '\{\{ style' is no valid Jinja"):
        template_variables(tokenizer, {"style": "dry"}, own_template="{{ style")


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("x", "must be None or a dict"),
        ({1: 2}, "must be None or a dict"),
        ({"a": object()}, "what JSON can say"),
        ({"a": "\ud800"}, "surrogate"),
    ],
)
def test_malformed_variables_are_refused(value: Any, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        template_variables(tokenizer_of("{{ a }}"), value)


def test_control_tokens_in_a_variable_become_ordinary_text() -> None:
    tokenizer = tokenizer_of("{{ note }}{% for document in documents %}{{ document.text }}{% endfor %}" + CHAT_TEMPLATE)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")

    def ends(text: str) -> int:
        told = {"note": text, "documents": [{"text": text}]}
        return encode_chat(tokenizer, CHAT, variables=template_variables(tokenizer, told)).count(end)

    assert ends("<|im_end|>") == ends("x") == 1


@pytest.mark.parametrize(
    ("family", "reasoning", "expected"),
    [
        ("Qwen 3", False, {"enable_thinking": False}),
        ("Qwen 3.5", True, {"enable_thinking": True}),
        ("SmolLM 3", False, {"enable_thinking": False}),
        ("GLM 4.6", False, {"enable_thinking": False}),
        ("Granite 3.3", True, {"thinking": True}),
        ("DeepSeek V3.1", True, {"thinking": True}),
        ("gpt-oss", False, {"reasoning_effort": "low"}),
        ("gpt-oss", True, {"reasoning_effort": "medium"}),
        ("gpt-oss", "high", {"reasoning_effort": "high"}),
        ("{% if reasoning_effort not in ['none', 'high'] %}{{ raise_exception('x') }}{% endif %}", False, {"reasoning_effort": "none"}),
        ("{% if reasoning_effort not in ['none', 'high'] %}{{ raise_exception('x') }}{% endif %}", True, {"reasoning_effort": "high"}),
        ("{{ enable_thinking }}{{ reasoning_effort }}", "max", {"enable_thinking": True, "reasoning_effort": "max"}),
        ("{{ enable_thinking }}{{ reasoning_effort }}", False, {"enable_thinking": False}),
        ("SmolLM 2", None, {}),
    ],
)
def test_reasoning_is_said_in_the_words_of_the_family(family: str, reasoning: Any, expected: dict[str, Any]) -> None:
    variables = template_variables(tokenizer_of(family), reasoning=reasoning)
    assert {name: value for name, value in variables.items() if name != NOW} == expected


@pytest.mark.parametrize(
    ("family", "off", "on"),
    [
        ("Qwen 3", "assistant\n<think>\n\n</think>\n\n", "assistant\n"),
        ("Qwen 3.5", "assistant\n<think>\n\n</think>\n\n", "assistant\n<think>\n"),
        ("SmolLM 3", "assistant\n<think>\n\n</think>\n", "assistant\n"),
        ("GLM 4.6", "<|assistant|>\n<think></think>", "<|assistant|>"),
        ("DeepSeek V3.1", "<|Assistant|></think>", "<|Assistant|><think>"),
    ],
)
def test_a_prompt_ends_as_the_family_turns_thinking_off_and_on(family: str, off: str, on: str) -> None:
    assert prompt(family, reasoning=False).endswith(off)
    assert prompt(family, reasoning=True).endswith(on)


def test_reasoning_that_a_template_has_no_variable_for_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"`reasoning` cannot be chosen here: .* reads none of enable_thinking, thinking, reasoning_effort"
    ):
        template_variables(tokenizer_of("Llama 3.2"), reasoning=False)
    with pytest.raises(ConfigError, match=r"must be True or False, since .* has `enable_thinking`, which knows no degrees, but is 'low'"):
        template_variables(tokenizer_of("Qwen 3"), reasoning="low")
    with pytest.raises(ConfigError, match=r"`reasoning` must be one of none, minimal, .*, but is 'lwo'; did you mean 'low'"):
        template_variables(tokenizer_of("gpt-oss"), reasoning="lwo")
    with pytest.raises(ConfigError, match="left out where `chat_template_kwargs` has 'enable_thinking'"):
        template_variables(tokenizer_of("Qwen 3"), {"enable_thinking": True}, reasoning=False)
    for value in (0, "", ["low"]):
        with pytest.raises(ConfigError, match="`reasoning` must be None, True, False or an effort"):
            template_variables(tokenizer_of("Qwen 3"), reasoning=value)  # type: ignore[arg-type]


@pytest.mark.parametrize("template", ["Llama 3.2", "Mistral Small 3", "SmolLM 3", "Granite 3.3", "gpt-oss"])
def test_a_template_is_told_the_date_of_the_request_and_no_other(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    then = {"chat_template_kwargs": {"strftime_now": "2027-03-09"}}
    days = [datetime(2027, 3, 9), datetime(2031, 2, 3)]
    forms = [{format: day.strftime(format) for format in ("%d %b %Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y")} for day in days]
    chosen = prompt(template, template_kwargs=then["chat_template_kwargs"])
    monkeypatch.setattr(module, "date", Later)
    assert prompt(template, template_kwargs=then["chat_template_kwargs"]) == chosen, "the same on another day"
    default = prompt(template)
    assert any(text in chosen for text in forms[0].values()) and any(text in default for text in forms[1].values())


def test_every_directive_of_the_clock_is_pythons_own() -> None:
    moment = datetime(2027, 3, 9, 7, 5, 2)
    format = "%A %a %d %B %b %m %Y %y %H:%M:%S %I %p %j %U %W %w %c %x %X %G %u %V %f"
    tokenizer = tokenizer_of(f"{{{{ strftime_now('{format} (%-d.%-m.) %-H') }}}}")
    settled = template_variables(tokenizer, {"strftime_now": moment.isoformat()})
    text = tokenizer.apply_chat_template(CHAT, chat_template=with_clock(tokenizer.chat_template), tokenize=False, **settled)
    assert text == moment.strftime(format) + " (9.3.) 7"


def test_a_template_text_is_the_same_behind_the_clock() -> None:
    for head in ("", "\n", "  ", "\n  {% if true %}x{% endif %}", "  {{ 'x' }}"):
        tokenizer = tokenizer_of(head + "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% endif %}\n{{ messages[0].content }}")
        settled = template_variables(tokenizer, {"strftime_now": "2027-03-09"})
        plain = tokenizer.apply_chat_template(CHAT, tokenize=False).replace(datetime.now().strftime("%Y"), "2027")
        assert tokenizer.apply_chat_template(CHAT, chat_template=with_clock(tokenizer.chat_template), tokenize=False, **settled) == plain


@pytest.mark.parametrize("value", ["tomorrow", 2027, "2027-13-01", None])
def test_a_date_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="`strftime_now` in `chat_template_kwargs` must be a date or moment in ISO 8601"):
        template_variables(tokenizer_of("gpt-oss"), {"strftime_now": value})


def test_the_engine_tells_the_template_and_names_the_date(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", TEMPLATES["SmolLM 3"])
    params = SamplingParams(max_tokens=4, seed=3)
    first = engine.generate("ostrich?", params, reasoning=False)
    text = engine.pair.tokenizer.decode(first.prompt_token_ids["aligned"])
    assert text.endswith("<think>\n\n</think>\n") and first.template_date == f"{date.today()}T00:00:00"
    assert list(engine.stream("ostrich?", params, chat_template_kwargs={"enable_thinking": False}))[-1].result == first
    monkeypatch.setattr(module, "date", Later)
    assert engine.generate_batch(["ostrich?"], params, reasoning=False)[0].template_date == "2031-02-03T00:00:00"
    again = {"strftime_now": first.template_date, "enable_thinking": False}
    assert engine.generate("ostrich?", params, chat_template_kwargs=again) == first, "seed and date give the answer again"
    for router, base_prompt, told in (("base", "transcript", None), ("base", "template", "2031-02-03T00:00:00")):
        assert engine.generate("ostrich?", params, Router(router), base_prompt=base_prompt).template_date == told
    with pytest.raises(ConfigError, match="did you mean 'enable_thinking'"):
        engine.generate("ostrich?", params, chat_template_kwargs={"enabel_thinking": False})


def test_a_diversity_is_measured_for_each_way_to_reason(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", TEMPLATES["SmolLM 3"])
    measured: list[Any] = []

    def measure(self: Engine, router: Router, base_prompt: str, variables: Any) -> CalibrationMap:
        measured.append(variables)
        return CalibrationMap((0.0, 1.0), (0.0, 1.0))

    monkeypatch.setattr(Engine, "calibrate", measure)
    monkeypatch.setattr(ModelPair, "fingerprint", lambda self: "a way to reason")
    router = Router("p", diversity=0.5)
    for _ in range(2):
        engine.resolve(router)
        engine.resolve(router, reasoning=False)
        engine.resolve(router, chat_template_kwargs={"enable_thinking": False, "strftime_now": "2027-03-09"})
    assert measured == [{}, {"enable_thinking": False}]
