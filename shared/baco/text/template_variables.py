"""What a chat template reads beside messages and tools: which variables there are, which of them is reasoning, and the clock.

Knows the text of templates; knows no messages and no token ids.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import lru_cache
from inspect import signature
from typing import Any, ClassVar

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from transformers import PreTrainedTokenizerBase

from baco.checks import check_characters, nearest, require
from baco.errors import ChatTemplateError, ConfigError, UnknownKeywordError
from baco.parsing.detection import template_name

CLOCK = "strftime_now"
"""The function by which templates ask for the date; as a variable, the moment that it tells."""
NOW = "baco_now"
"""The variable in which a template gets the moment, as a text for each directive of `strftime`."""
DIRECTIVES, NUMBERS = "aAwdbBmyYHIpMSfzZjUWcxXGuV", "dmyHIMSj"
"""Letters after % in a format of `strftime`, and those that have a form without leading zeros, which only some systems know: %-d."""
CLOCK_MACRO = (
    f"{{% macro {CLOCK}(format) %}}{{% set shown = namespace(text=format) %}}{{% for directive, text in {NOW}.items() %}}"
    "{% set shown.text = shown.text | replace(directive, text) %}{% endfor %}{{ shown.text }}{% endmacro %}\n"
)
"""Takes the place of transformers' own clock. The newline at its end is one that transformers' templates drop after a block."""

SWITCHES = ("enable_thinking", "thinking")
"""Variables that turn reasoning on and off: of Qwen 3, Qwen 3.5, SmolLM 3 and GLM, and of Granite and DeepSeek."""
EFFORT = "reasoning_effort"
"""The variable of gpt-oss and others that says how much to reason, by a word."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Words for an effort that servers and makers use; a template may name others."""
REASONING_VARIABLES = (*SWITCHES, EFFORT)
LEAST_EFFORTS, USUAL_EFFORTS = ("none", "no_think", "minimal"), ("medium", "high")
"""Words that stand for False and True where a template names them; else "low" and "medium" do, which are gpt-oss's (our own choice)."""
ALWAYS_GIVEN = frozenset(
    {"messages", "raise_exception", NOW, *signature(PreTrainedTokenizerBase.apply_chat_template).parameters} - {"documents"}
    | set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)
)
"""What is said to every template, or to transformers beside it; documents alone are for the caller to say."""


class _GenerationTag(Extension):
    """transformers' tag around what an assistant says."""

    tags: ClassVar[set[str]] = {"generation"}  # type: ignore[misc]

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


_environment = Environment(extensions=[_GenerationTag, "jinja2.ext.loopcontrols"])


def check_template_kwargs(value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check the form of `chat_template_kwargs`; return a copy, {} for None.

    Raises:
        ConfigError: it is no dict with names as keys and JSON as values.
    """
    given: Any = {} if value is None else value  # what arrives at run time may be anything
    form = 'None or a dict of the template\'s variables, such as {"enable_thinking": False}'
    require(isinstance(given, Mapping) and all(isinstance(name, str) for name in given), "chat_template_kwargs", form, value)
    try:
        written = json.dumps(dict(given), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"`chat_template_kwargs` must hold what JSON can say: {error}") from error
    check_characters("`chat_template_kwargs`", written, ConfigError)
    checked: dict[str, Any] = json.loads(written)
    if CLOCK in checked:
        _moment(checked[CLOCK])
    return checked


def check_reasoning(value: object) -> None:
    """Raise `ConfigError` unless `value` may be said of `reasoning`: None, a bool or a word."""
    said = value is None or isinstance(value, bool) or (isinstance(value, str) and bool(value.strip()))
    require(said, "reasoning", "None, True, False or an effort such as 'low'", value)
    if isinstance(value, str):
        check_characters("`reasoning`", value, ConfigError)


def template_variables(
    tokenizer: PreTrainedTokenizerBase,
    template_kwargs: Mapping[str, Any] | None = None,
    reasoning: bool | str | None = None,
    own_template: str | None = None,
) -> dict[str, Any]:
    """Settle what the templates of one request are told beside messages and tools: variables, reasoning among them, and the moment.

    The moment is the start of today, in local time, unless `template_kwargs` has another under "strftime_now" (our own choice: a date, so
    that the prompts of one day are equal).

    Args:
        tokenizer: the aligned model's.
        template_kwargs: variables of its chat template.
        reasoning: whether, or how much, to reason before an answer.
        own_template: a Jinja template in place of the base model's transcript, whose variables may be set too.

    Raises:
        ConfigError: a value is malformed, a variable is one that no template reads, or `reasoning` has no variable.
        ChatTemplateError: a template is no valid Jinja.
    """
    given = check_template_kwargs(template_kwargs)
    check_reasoning(reasoning)
    aligned = _texts(tokenizer)
    texts = aligned if own_template is None else (*aligned, own_template)
    if given:
        _check_names(tokenizer, given, frozenset().union(*(_read(tokenizer, text) for text in texts)))
    moment = given.pop(CLOCK, None)
    if reasoning is not None:
        chosen = _reasoning_variables(tokenizer, aligned, reasoning)
        twice = [name for name in chosen if name in given]
        require(not twice, "reasoning", f"left out where `chat_template_kwargs` has {' and '.join(map(repr, twice))}", reasoning)
        given |= chosen
    if any(CLOCK in text for text in texts):
        given[NOW] = _directives(datetime.combine(date.today(), time()) if moment is None else _moment(moment))
    return given


def with_clock(template: str) -> str:
    """Let a template ask the request for the moment, in the place of the clock. Its variables must have been settled."""
    return CLOCK_MACRO + template if CLOCK in template else template


def reasoning_part(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those of settled variables that say whether and how much to reason."""
    return {name: value for name, value in variables.items() if name in REASONING_VARIABLES}


def template_date(variables: Mapping[str, Any]) -> str | None:
    """The moment among settled variables in ISO 8601, as "strftime_now" takes it; None where no template asks for it."""
    return "{%Y}-{%m}-{%d}T{%H}:{%M}:{%S}".format_map(variables[NOW]) if NOW in variables else None


@lru_cache(maxsize=64)
def variables_read(template: str) -> frozenset[str]:
    """The variables that a template takes from outside, without those that every template is given.

    One that the template assigns counts only where it also asks whether it is defined, as templates do before they set a default. Jinja's
    own analysis counts all those that a branch assigns.

    Raises:
        TemplateSyntaxError: it is no valid template.
    """
    tree = _environment.parse(template)
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    asked = [test.node for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined", "none")]
    asked += [given.node for given in tree.find_all(nodes.Filter) if given.name in ("default", "d") and given.node is not None]
    inner = assigned - {node.name for node in asked if isinstance(node, nodes.Name)}
    return frozenset(find_undeclared_variables(tree) - inner - ALWAYS_GIVEN)


@lru_cache(maxsize=64)
def _efforts(template: str) -> frozenset[str]:
    """The words with which a template compares or sets its effort."""
    tree = _environment.parse(template)
    about = [node for node in tree.find_all((nodes.Compare, nodes.Assign)) if EFFORT in {name.name for name in node.find_all(nodes.Name)}]
    return frozenset(word.value for node in about for word in node.find_all(nodes.Const) if isinstance(word.value, str))


def _texts(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The chat templates of a tokenizer: one as a rule, several by name in some, none in a base model's."""
    template: Any = tokenizer.chat_template
    return tuple(template.values()) if isinstance(template, dict) else (template,) if template else ()


def _read(tokenizer: PreTrainedTokenizerBase, template: str) -> frozenset[str]:
    try:
        return variables_read(template)
    except TemplateSyntaxError as error:
        own = template_name(tokenizer, None if template in _texts(tokenizer) else template)
        raise ChatTemplateError(f"{own} is no valid Jinja template: {error}") from error


def _check_names(tokenizer: PreTrainedTokenizerBase, given: Mapping[str, Any], read: frozenset[str]) -> None:
    for name in given:
        if name not in read:
            raise UnknownKeywordError(
                f"`chat_template_kwargs` has {name!r}, which {template_name(tokenizer, None)} never reads{nearest(name, read)} "
                f"(it reads: {', '.join(sorted(read)) or 'none'})"
            )


def _reasoning_variables(tokenizer: PreTrainedTokenizerBase, templates: tuple[str, ...], reasoning: bool | str) -> dict[str, Any]:
    """The variables that say `reasoning` to a template; one with switch and effort gets both where an effort is given."""
    read = frozenset().union(*(_read(tokenizer, text) for text in templates))
    switch = next((name for name in SWITCHES if name in read), None)
    name = template_name(tokenizer, None)
    if switch is None and EFFORT not in read:
        known = ", ".join(REASONING_VARIABLES)
        raise ConfigError(
            f"`reasoning` cannot be chosen here: {name} reads none of {known} (it reads: {', '.join(sorted(read)) or 'none'}); leave it out"
        )
    words = frozenset().union(*(_efforts(text) for text in templates))
    if isinstance(reasoning, str):
        require(EFFORT in read, "reasoning", f"True or False, since {name} has `{switch}`, which knows no degrees", reasoning)
        if reasoning not in words.union(EFFORTS):
            raise ConfigError(f"`reasoning` must be one of {', '.join(EFFORTS)}, but is {reasoning!r}{nearest(reasoning, EFFORTS)}")
        return {EFFORT: reasoning} | ({} if switch is None else {switch: True})
    if switch is not None:
        return {switch: reasoning}
    wanted, otherwise = (USUAL_EFFORTS, "medium") if reasoning else (LEAST_EFFORTS, "low")
    return {EFFORT: next((word for word in wanted if word in words), otherwise)}


def _moment(value: object) -> datetime:
    try:
        return datetime.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        form = 'a date or moment in ISO 8601, such as "2026-11-28"'
        raise ConfigError(f"`{CLOCK}` in `chat_template_kwargs` must be {form}, but is {value!r}") from None


def _directives(moment: datetime) -> dict[str, str]:
    """What each directive of `strftime` stands for at a moment."""
    texts = {f"%{letter}": moment.strftime(f"%{letter}") for letter in DIRECTIVES}
    return texts | {f"%-{letter}": str(int(texts[f"%{letter}"])) for letter in NUMBERS}
