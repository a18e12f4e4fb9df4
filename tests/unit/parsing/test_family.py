"""A family of tool calls that baco does not have: one file's content and one entry in the tuple are all that it takes."""

import re
from dataclasses import replace

import pytest

from baco import Engine, SamplingParams
from baco.errors import ConfigError
from baco.grammar.constraints import calls_grammar
from baco.parsing import detection
from baco.parsing.family import PROBE_NAME, RenderedCall
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.tool_call import (
    Found,
    InvalidToolCall,
    SearchingParser,
    ToolCall,
    as_call,
    decode_object,
    length_before_marker,
    skip_space,
)
from tests.support.pairs import make_pair
from tests.support.tokenizers import QWEN_TEMPLATE, byte_level_bpe

MARKER = "[CALL]"
TEMPLATE = QWEN_TEMPLATE.replace("<tool_call>\n", f"{MARKER} ").replace("}\n</tool_call>", "}").replace('"arguments"', '"parameters"')
TOOLS = [{"type": "function", "function": {"name": "wait"}}]


class ToyParser(SearchingParser):
    """Parses JSON after a marker."""

    def _find(self, text: str, final: bool) -> Found | int:
        start = text.find(MARKER)
        if start < 0:
            return len(text) if final else length_before_marker(text, MARKER)
        found = decode_object(text, skip_space(text, start + len(MARKER)))
        if found is not None:
            call, end = found
            return Found(start, end, [as_call(text[start:end], call)])
        return Found(start, len(text), [InvalidToolCall(text=text[start:], error="no JSON")]) if final else len(text[:start].rstrip())


TOY = ToolCallTemplate(name="toy", parser=ToyParser, control_tokens=(MARKER,), before=MARKER, key="arguments", between="\n")


def recognise(rendered: RenderedCall) -> ToolCallTemplate | None:
    """Find JSON after the marker."""
    for match in re.finditer(rf"{re.escape(MARKER)}\s*", rendered.text):
        if key := rendered.arguments_key(match.end()):
            return replace(TOY, before=match[0], key=key)
    return None


def test_one_entry_is_enough_to_detect_to_read_and_to_force_the_calls_of_a_new_family(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = TEMPLATE
    engine = Engine(make_pair("llama", tokenizer))
    engine.pair.__dict__["context_window"] = 4096
    params = SamplingParams(n=3, max_tokens=80, seed=1, temperature=2, grammar=calls_grammar(TOOLS, several=True))
    with pytest.raises(ConfigError, match=r"\(it knows Hermes, Llama 3, Mistral, .*\)"):
        engine.generate("Wait.", params, tools=TOOLS)

    monkeypatch.setattr(detection, "FAMILIES", (*detection.FAMILIES, ("Toy", recognise)))
    monkeypatch.setattr(detection, "_detected", type(detection._detected)())
    form = detection.detect_tool_calls(engine.pair.tokenizer)
    assert form == replace(TOY, before="[CALL] ", key="parameters")
    assert form.reader().push('So: [CALL] {"name": "wait", "parameters": {}} Done.', final=True) == (
        "So:\nDone.",
        [ToolCall(name="wait", arguments={})],
    )
    result = engine.generate("Wait.", params, tools=TOOLS)
    assert result.format.tool_calls == form
    for candidate in result.candidates:
        content, calls = form.reader().push(candidate.text, final=True)
        assert content == "" and calls and set(map(repr, calls)) == {repr(ToolCall(name="wait", arguments={}))}
        assert candidate.text == form.write([("wait", {})] * len(calls))

    tokenizer.chat_template = TEMPLATE.replace(MARKER, "[ACT]")
    with pytest.raises(ConfigError, match=r"\(it knows Hermes, .*, Toy\)"):
        Engine(make_pair("llama", tokenizer)).generate("Wait.", params, tools=TOOLS)


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (f'{{"name": "{PROBE_NAME}", "arguments": {{"baco_probe_field": "x"}}}}', "arguments"),
        (f'{{"parameters": {{"baco_probe_field": "x"}}, "name": "{PROBE_NAME}"}} and more', "parameters"),
        (f'{{"name": "{PROBE_NAME}", "arguments": {{}}}}', None),
        (f'{{"name": "{PROBE_NAME}", "arguments": "{{\\"baco_probe_field\\": 1}}"}}', None),
        ('{"name": "another", "arguments": {"baco_probe_field": "x"}}', None),
        (f'{{"name": "{PROBE_NAME}"', None),
        (f'["{PROBE_NAME}"]', None),
    ],
)
def test_the_probe_call_is_told_from_other_json(call: str, key: str | None) -> None:
    assert RenderedCall(f"before {call}", "").arguments_key(len("before ")) == key


def test_an_answer_begins_after_what_the_template_writes_before_one() -> None:
    rendered = RenderedCall("<bos><user>x</user><assistant>{<user>x", before_answer="<bos><user>x</user><assistant>")
    assert [position for position in range(len(rendered.text)) if rendered.begins_answer(position)] == [rendered.text.index("{")]
