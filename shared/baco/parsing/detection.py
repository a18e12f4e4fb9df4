"""In which form a pair writes calls: found out from what its chat template makes of a call that occurs nowhere else.

Knows chat templates and the known forms; knows no answers.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from baco.errors import ChatTemplateError
from baco.parsing.form_readers import ARGS, CALL_ID, CLOSING, OPENING, PYTHON_TAG, TOOL_CALLS
from baco.parsing.formats import HERMES, LLAMA3, MISTRAL, MISTRAL_NAMED, ToolCallFormat, ToolCallTemplate
from baco.parsing.reasoning import END_OF_THOUGHT, THINK, ReasoningFormat
from baco.parsing.response_template import ResponseTemplate
from baco.parsing.tools import Tool

NAME, FIELD, CONTENT = "baco_probe_call", "baco_probe_field", "baco_probe_content"
CALL_ID_OF_PROBE = "bacoprobe"
"""Nine letters and digits: Mistral's templates refuse others."""
TOOL: Tool = {
    "type": "function",
    "function": {"name": "baco_probe_tool", "description": "Probe.", "parameters": {"type": "object", "properties": {}}},
}
KEYS = ("arguments", "parameters")
TAIL = 12
"""Characters in front of an answer by which its beginning is known (our own choice)."""

_found: WeakKeyDictionary[PreTrainedTokenizerBase, dict[str, ToolCallTemplate | None]] = WeakKeyDictionary()
_found_lock = threading.Lock()


def detect_tool_calls(tokenizer: PreTrainedTokenizerBase) -> ToolCallTemplate | None:
    """The known form in which a tokenizer's chat template writes calls; None for another one.

    It is Hermes' where the template leaves calls out, since they are written into the content then.
    """
    with _found_lock:
        held, template = _found.setdefault(tokenizer, {}), repr(tokenizer.chat_template)
        if template not in held:
            held[template] = _detect(tokenizer)
        return held[template]


def tool_call_format(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], tools: Sequence[Tool]) -> ToolCallFormat:
    """How calls are read out of the answer to a prompt: in the known form, else as transformers does by the tokenizer's own description.

    Args:
        tokenizer: the aligned model's.
        prompt_ids: the prompt as the aligned model reads it; [] where it reads none.
        tools: what may be called, checked.

    Raises:
        ChatTemplateError: there is neither.
    """
    known = detect_tool_calls(tokenizer)
    if known is not None:
        return known
    if getattr(tokenizer, "response_template", None) is None:
        raise ChatTemplateError(
            f"{template_name(tokenizer, None)} writes calls in a form that is neither Hermes', Llama 3's nor Mistral's, so that none could "
            "be read out of an answer; set pair.tokenizer.response_template (transformers' description of answers), or leave out the tools"
        )
    return ResponseTemplate.of(tokenizer, str(tokenizer.decode(list(prompt_ids))), tools)


def _detect(tokenizer: PreTrainedTokenizerBase) -> ToolCallTemplate | None:
    call = {"id": CALL_ID_OF_PROBE, "type": "function", "function": {"name": NAME, "arguments": {FIELD: "x"}}}
    text = _rendered(tokenizer, {"role": "assistant", "content": "", "tool_calls": [call]})
    if text is None or NAME not in text:
        return HERMES
    plain = _rendered(tokenizer, {"role": "assistant", "content": CONTENT}) or ""
    return next(_matches(text, plain.partition(CONTENT)[0]), None)


def _rendered(tokenizer: PreTrainedTokenizerBase, answer: Mapping[str, Any]) -> str | None:
    """A short conversation in the template's words; None where it has none, or refuses it."""
    if not tokenizer.chat_template:
        return None
    asked: Any = [{"role": "user", "content": "x"}, answer]
    results: list[Any] = [{"role": "tool", "name": NAME, "tool_call_id": CALL_ID_OF_PROBE, "content": "x"}]
    for rest in (results, []) if "tool_calls" in answer else ([],):
        try:
            return str(tokenizer.apply_chat_template(asked + rest, tools=[dict(TOOL)], tokenize=False))
        except REFUSALS:
            continue
    return None


def _matches(text: str, before_content: str) -> Iterator[ToolCallTemplate]:
    """Known forms in which a text has the call, with white space as it is there. `before_content`: what stands before an answer."""
    for match in re.finditer(rf"{OPENING}(\s*)(\{{.*?\}})(\s*){CLOSING}", text, re.DOTALL):
        if key := _key(_decoded(match[2], 0)):
            yield replace(HERMES, before=f"{OPENING}{match[1]}", key=key, after=f"{match[3]}{CLOSING}")
    for match in re.finditer(rf"{re.escape(TOOL_CALLS)}\s*\[", text):
        listed = _decoded(text, match.end() - 1)
        if isinstance(listed, list) and (key := _key(listed[0] if listed else None)):
            yield replace(MISTRAL, opening=match[0], key=key)
    named = rf"({re.escape(TOOL_CALLS)}\s*){NAME}(?:{re.escape(CALL_ID)}[^\[\]{{}}]*)?((?:{re.escape(ARGS)})?\s*)\{{"
    for match in re.finditer(named, text):
        yield replace(MISTRAL_NAMED, before=match[1], middle=match[2])
    for match in re.finditer(rf"({re.escape(PYTHON_TAG)})?\{{(?=\s*\"name\")", text):
        begins = text[: match.start()].endswith(before_content[-TAIL:])
        if begins and (key := _key(_decoded(text, match.end() - 1))):
            yield replace(LLAMA3, opening=match[1] or "", key=key)


def _key(call: object) -> str | None:
    """The field that has the arguments of the call; None if it is not the one that is looked for."""
    if not isinstance(call, dict) or call.get("name") != NAME:
        return None
    return next((key for key in KEYS if isinstance(call.get(key), dict) and FIELD in call[key]), None)


def _decoded(text: str, start: int) -> object:
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except ValueError:
        return None


LONGEST_MARKER = 12
"""Tokens that the marker of a thought takes at most, with white space behind it."""


REFUSALS = (TemplateError, TypeError)
"""What a template that cannot render messages raises; a TypeError where it joins text with something that is none."""


def template_name(tokenizer: PreTrainedTokenizerBase, template: str | None) -> str:
    """Name a template in an error: the tokenizer's own, or a text given as `base_prompt`."""
    return f"the chat template of {tokenizer.name_or_path!r}" if template is None else f"`base_prompt` {template!r}"


def reasoning_format(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int]) -> ReasoningFormat | None:
    """How answers behind a prompt begin with a thought: None where the template knows none, or has not written the prompt."""
    if END_OF_THOUGHT not in str(tokenizer.chat_template) or not prompt_ids:
        return None
    return ReasoningFormat(str(tokenizer.decode(list(prompt_ids[-LONGEST_MARKER:]))).rstrip().endswith(THINK))
