"""Which formats a pair's answers have: its family of tool calls, recognised by what the chat template makes of a probe call, and reasoning.

Knows chat templates and families; knows no answers.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from baco.errors import ChatTemplateError
from baco.parsing import (
    apertus,
    cohere,
    deepseek,
    functionary,
    gemma4,
    glm,
    granite,
    harmony,
    hermes,
    kimi,
    lfm2,
    llama3,
    minimax,
    mistral,
    qwen_xml,
    seed_oss,
)
from baco.parsing.family import PROBE_ARGUMENT, PROBE_NAME, PROBE_VALUE, RenderedCall
from baco.parsing.formats import ToolCallFormat, ToolCallTemplate
from baco.parsing.reasoning import MARKERS, ReasoningFormat
from baco.parsing.response_template import ResponseTemplate
from baco.parsing.tools import Tool

FAMILIES: tuple[tuple[str, Callable[[RenderedCall], ToolCallTemplate | None]], ...] = (
    ("Hermes", hermes.recognise),
    ("Llama 3", llama3.recognise),
    ("Mistral", mistral.recognise),
    ("Qwen3-Coder", qwen_xml.recognise),
    ("gpt-oss", harmony.recognise),
    ("Gemma 4", gemma4.recognise),
    ("GLM 4.5", glm.recognise),
    ("LFM2", lfm2.recognise),
    ("Granite 3 and Phi-4-mini", granite.recognise),
    ("DeepSeek", deepseek.recognise),
    ("Kimi K2", kimi.recognise),
    ("MiniMax M2", minimax.recognise),
    ("Command R7B", cohere.recognise),
    ("Functionary 3.1", functionary.recognise),
    ("Apertus", apertus.recognise),
    ("Seed-OSS", seed_oss.recognise),
)
"""Families by the names in errors; the first that recognises a template's call has it, with the white space and fields that are there."""
PROBE_CONTENT = "baco_probe_content"
PROBE_ID = "bacoprobe"
"""Nine letters and digits: Mistral's templates refuse others."""
PROBE_TOOL: Tool = {
    "type": "function",
    "function": {"name": "baco_probe_tool", "description": "Probe.", "parameters": {"type": "object", "properties": {}}},
}
MAX_THINK_TOKENS = 40
"""Tokens that the marker of reasoning takes at most, with white space after it."""
REFUSALS = (TemplateError, TypeError)
"""What a template raises that cannot render messages; a TypeError where it joins text with something else."""

_detected: WeakKeyDictionary[PreTrainedTokenizerBase, dict[str, ToolCallTemplate | None]] = WeakKeyDictionary()
_detected_lock = threading.Lock()


def detect_tool_calls(tokenizer: PreTrainedTokenizerBase) -> ToolCallTemplate | None:
    """The known format in which a tokenizer's chat template writes calls; None where it writes them in another.

    It is Hermes' where the template has no place for tools: calls are written into the content then. Where it shows tools but leaves calls
    out, what it says of calls shows their format.
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
        return known.for_tools(tools)
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
    arguments = {PROBE_ARGUMENT: PROBE_VALUE}
    plain = _render(tokenizer, {"role": "assistant", "content": PROBE_CONTENT}) or ""
    # Some templates join arguments with texts, and want them as JSON.
    for given in (arguments, json.dumps(arguments)):
        call = {"id": PROBE_ID, "type": "function", "function": {"name": PROBE_NAME, "arguments": given}}
        text = _render(tokenizer, {"role": "assistant", "content": "", "tool_calls": [call]}) or ""
        rendered = RenderedCall(text, before_answer=plain.partition(PROBE_CONTENT)[0])
        if PROBE_NAME in text and (known := _recognise(rendered)) is not None:
            return known
    if PROBE_NAME in text:
        return None
    if PROBE_TOOL["function"]["name"] not in plain:
        return hermes.HERMES
    tokens = frozenset(token.content for token in tokenizer.added_tokens_decoder.values())
    return _recognise(RenderedCall("", before_answer="", tools=plain, source=str(tokenizer.chat_template), tokens=tokens))


def _recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
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
    known = find_reasoning(str(tokenizer.chat_template))
    if known is None or not prompt_ids:
        return None
    end_of_prompt = str(tokenizer.decode(list(prompt_ids[-MAX_THINK_TOKENS:]))).rstrip()
    return replace(known, inside=known.splitter is None and end_of_prompt.endswith(known.start))


def find_reasoning(template: str) -> ReasoningFormat | None:
    """The reasoning for which a chat template has a place, by its markers; None where it has none."""
    if harmony.CHANNELS.start in template:
        return harmony.CHANNELS
    return next((ReasoningFormat(False, start, end) for start, end in MARKERS if end in template), None)
