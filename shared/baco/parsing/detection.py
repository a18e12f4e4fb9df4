"""Which formats a pair's answers have: its family of tool calls, recognised by what the chat template makes of a probe call, and reasoning.

Knows chat templates and families; knows no answers.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from baco.errors import ChatTemplateError
from baco.parsing import hermes, llama3, mistral
from baco.parsing.family import PROBE_ARGUMENT, PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallFormat, ToolCallTemplate
from baco.parsing.reasoning import THINK_END, THINK_START, ReasoningFormat
from baco.parsing.response_template import ResponseTemplate
from baco.parsing.tools import Tool

FAMILIES = (("Hermes", hermes.recognise), ("Llama 3", llama3.recognise), ("Mistral", mistral.recognise))
"""Families by the names in errors; the first that recognises a template's call has it, with the white space and fields that are there."""
PROBE_CONTENT = "baco_probe_content"
PROBE_ID = "bacoprobe"
"""Nine letters and digits: Mistral's templates refuse others."""
PROBE_TOOL: Tool = {
    "type": "function",
    "function": {"name": "baco_probe_tool", "description": "Probe.", "parameters": {"type": "object", "properties": {}}},
}
MAX_THINK_TOKENS = 12
"""Tokens that the marker of reasoning takes at most, with white space after it."""
REFUSALS = (TemplateError, TypeError)
"""What a template raises that cannot render messages; a TypeError where it joins text with something else."""

_detected: WeakKeyDictionary[PreTrainedTokenizerBase, dict[str, ToolCallTemplate | None]] = WeakKeyDictionary()
_detected_lock = threading.Lock()


def detect_tool_calls(tokenizer: PreTrainedTokenizerBase) -> ToolCallTemplate | None:
    """The known format in which a tokenizer's chat template writes calls; None where it writes them in another.

    It is Hermes' where the template leaves calls out, since they are written into the content then.
    """
    with _detected_lock:
        by_template, template = _detected.setdefault(tokenizer, {}), repr(tokenizer.chat_template)
        if template not in by_template:
            by_template[template] = _detect(tokenizer)
        return by_template[template]


def tool_call_format(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int], tools: Sequence[Tool]) -> ToolCallFormat:
    """The format of calls in the answer to a prompt: a known one, else the one that the tokenizer's `response_template` describes.

    Args:
        tokenizer: the aligned model's.
        prompt_ids: the prompt of the aligned model; [] where it has none.
        tools: what may be called, checked.

    Raises:
        ChatTemplateError: there is neither.
    """
    known = detect_tool_calls(tokenizer)
    if known is not None:
        return known
    if getattr(tokenizer, "response_template", None) is None:
        raise ChatTemplateError(
            f"{template_name(tokenizer, None)} writes calls in {unknown_format()}, so that none could be read out of an answer; "
            "set pair.tokenizer.response_template (transformers' description of answers), or leave out the tools"
        )
    return ResponseTemplate.of(tokenizer, str(tokenizer.decode(list(prompt_ids))), tools)


def unknown_format() -> str:
    """Name the known families in an error about another format."""
    return f"a format that baco does not know (it knows {', '.join(name for name, _ in FAMILIES)})"


def _detect(tokenizer: PreTrainedTokenizerBase) -> ToolCallTemplate | None:
    call = {"id": PROBE_ID, "type": "function", "function": {"name": PROBE_NAME, "arguments": {PROBE_ARGUMENT: "x"}}}
    text = _render(tokenizer, {"role": "assistant", "content": "", "tool_calls": [call]})
    if text is None or PROBE_NAME not in text:
        return hermes.HERMES
    plain = _render(tokenizer, {"role": "assistant", "content": PROBE_CONTENT}) or ""
    rendered = RenderedCall(text, before_answer=plain.partition(PROBE_CONTENT)[0])
    return next((template for _, recognise in FAMILIES if (template := recognise(rendered)) is not None), None)


def _render(tokenizer: PreTrainedTokenizerBase, answer: Mapping[str, Any]) -> str | None:
    """Render a short conversation; None where there is no template, or it refuses the conversation."""
    if not tokenizer.chat_template:
        return None
    conversation: Any = [{"role": "user", "content": "x"}, answer]
    results: list[Any] = [{"role": "tool", "name": PROBE_NAME, "tool_call_id": PROBE_ID, "content": "x"}]
    for rest in (results, []) if "tool_calls" in answer else ([],):
        try:
            return str(tokenizer.apply_chat_template(conversation + rest, tools=[dict(PROBE_TOOL)], tokenize=False))
        except REFUSALS:
            continue
    return None


def template_name(tokenizer: PreTrainedTokenizerBase, template: str | None) -> str:
    """Name a template in an error: the tokenizer's own, or a text given as `base_prompt`."""
    return f"the chat template of {tokenizer.name_or_path!r}" if template is None else f"`base_prompt` {template!r}"


def reasoning_format(tokenizer: PreTrainedTokenizerBase, prompt_ids: Sequence[int]) -> ReasoningFormat | None:
    """How the answer to a prompt begins with reasoning; None where the template has no reasoning, or has not written the prompt."""
    if THINK_END not in str(tokenizer.chat_template) or not prompt_ids:
        return None
    return ReasoningFormat(str(tokenizer.decode(list(prompt_ids[-MAX_THINK_TOKENS:]))).rstrip().endswith(THINK_START))
