"""What each family's parser takes for a valid call, for an invalid one and for content, worked by hand."""

from typing import Any

import pytest

from baco.parsing.answer import AnswerFormat
from baco.parsing.apertus import APERTUS
from baco.parsing.cohere import COHERE
from baco.parsing.deepseek import DEEPSEEK_V3, DEEPSEEK_V31, DEEPSEEK_V32
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.functionary import FUNCTIONARY
from baco.parsing.gemma4 import GEMMA4
from baco.parsing.glm import GLM
from baco.parsing.granite import GRANITE, PHI4
from baco.parsing.harmony import CHANNELS, HARMONY
from baco.parsing.kimi import KIMI
from baco.parsing.lfm2 import LFM2
from baco.parsing.minimax import MINIMAX
from baco.parsing.qwen_xml import QWEN_XML
from baco.parsing.seed_oss import SEED
from baco.parsing.tool_call import InvalidToolCall, ToolCall

A, B = ToolCall(name="a", arguments={"x": "1", "y": 2}), ToolCall(name="b", arguments={})
TOOLS: list[Any] = [
    {
        "function": {
            "name": "a",
            "parameters": {"properties": {"x": {"$ref": "#/$defs/text"}, "y": {}}, "$defs": {"text": {"type": "string"}}},
        }
    }
]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            QWEN_XML,
            "<tool_call><function=a><parameter=x>1</parameter><parameter=y>2</parameter></function></tool_call> <function=b></function>",
        ),
        (
            QWEN_XML,
            "<function=a>\n<parameter=x>\n1\n</parameter>\n<parameter=y>\n2\n</parameter>\n</function>\n</tool_call>\n<function=b>\n</function>",
        ),
        (
            SEED,
            "<seed:tool_call><function=a><parameter=x>1</parameter><parameter=y>2</parameter></function></seed:tool_call><function=b></function>",
        ),
        (
            GLM,
            "<tool_call>a<arg_key>x</arg_key><arg_value>1</arg_value><arg_key>y</arg_key><arg_value>2</arg_value></tool_call><tool_call>b</tool_call>",
        ),
        (
            MINIMAX,
            '<minimax:tool_call><invoke name="a"><parameter name="x">1</parameter><parameter name="y">2</parameter></invoke>'
            '<invoke name="b"></invoke>',
        ),
        (GEMMA4, '<|tool_call>call:a{x: "1", y: 2}<tool_call|><|tool_call>b{}'),
        (LFM2, "<|tool_call_start|>a(x='1', y=2)<|tool_call_end|><|tool_call_start|>[ b ( ) ]"),
        (LFM2, '<|tool_call_start|>[a(x="1", y=2,),\n b()]<|tool_call_end|>'),
        (GRANITE, '<|tool_call|> [{"name": "a", "arguments": {"x": "1", "y": 2}}] <|tool_call|>{"name": "b", "arguments": {}}'),
        (PHI4, '<|tool_call|>[{"name": "a", "arguments": {"x": "1", "y": 2}}, {"name": "b", "parameters": {}}]<|/tool_call|>'),
        (KIMI, '<|tool_call_begin|>a<|tool_call_argument_begin|>{"x": "1", "y": 2}<|tool_call_begin|> b:7 <|tool_call_argument_begin|> {}'),
        (
            COHERE,
            '<|START_ACTION|>[{"tool_name": "a", "parameters": {"x": "1", "y": 2}}, '
            '{"tool_name": "b", "arguments": {}, "tool_call_id": 5}]',
        ),
        (FUNCTIONARY, '<function=a>{"x": "1", "y": 2}</function>\n<function=b> {}'),
        (APERTUS, '<|tools_prefix|> [ {"a": {"x": "1", "y": 2}} , {"b": {}} ] <|tools_suffix|>'),
        (
            DEEPSEEK_V32,
            '<｜DSML｜tool_calls><｜DSML｜invoke name="a"><｜DSML｜parameter name="x" string="true">1</｜DSML｜parameter>'
            '<｜DSML｜parameter name="y" string="false">2</｜DSML｜parameter></｜DSML｜invoke><｜DSML｜invoke name="b"></｜DSML｜invoke>',
        ),
        (
            DEEPSEEK_V3,
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>a<｜tool▁sep｜>{"x": "1", "y": 2}<｜tool▁call▁end｜>'
            "<｜tool▁call▁begin｜>function<｜tool▁sep｜>b\n```json\n{}",
        ),
        (
            HARMONY,
            '<|start|>assistant to=functions.a<|channel|>commentary json<|message|>{"x": "1", "y": 2}<|call|>'
            "<|channel|>commentary to=b<|message|>{}",
        ),
    ],
)
def test_every_spelling_is_read(form: ToolCallTemplate, text: str) -> None:
    assert form.for_tools(TOOLS).reader().push(text, final=True) == ("", [A, B])


@pytest.mark.parametrize(
    ("form", "text", "content", "invalid"),
    [
        (
            QWEN_XML,
            "So: <tool_call>\n<function=a>\n<parameter=x>\n1\n</parameter>\n",
            "So:",
            "<tool_call>\n<function=a>\n<parameter=x>\n1\n</parameter>",
        ),
        (
            QWEN_XML,
            "<tool_call>\n<function=a>\n1\n</function>\n</tool_call>",
            "",
            "<tool_call>\n<function=a>\n1\n</function>\n</tool_call>",
        ),
        (GLM, "<tool_call>a b</tool_call>", "", "<tool_call>a b</tool_call>"),
        (MINIMAX, '<minimax:tool_call>\n{"name": "a"}', "", '<minimax:tool_call>\n{"name": "a"}'),
        (GEMMA4, '<|tool_call>call:a{x:<|"|>1', "", '<|tool_call>call:a{x:<|"|>1'),
        (GEMMA4, "<|tool_call>call:a{x 1}<tool_call|>", "", "<|tool_call>call:a{x 1}<tool_call|>"),
        (LFM2, '<|tool_call_start|>[a("1")]<|tool_call_end|>', "", '<|tool_call_start|> [a("1")]<|tool_call_end|>'),
        (LFM2, "<|tool_call_start|>[a(x=open('f'))]", "", "<|tool_call_start|> [a(x=open('f'))]"),
        (GRANITE, '<|tool_call|>[{"name": "a"}]', "", '<|tool_call|> [{"name": "a"}'),
        (KIMI, "<|tool_calls_section_begin|>none", "", "<|tool_calls_section_begin|>none"),
        (DEEPSEEK_V31, "<｜tool▁call▁begin｜>a", "", "<｜tool▁call▁begin｜>a"),
        (
            COHERE,
            '<|START_ACTION|>[{"name": "a", "parameters": {}}]<|END_ACTION|>',
            "",
            '<|START_ACTION|> [{"name": "a", "parameters": {}}',
        ),
        (APERTUS, '<|tools_prefix|>[{"a": {}, "b": {}}]<|tools_suffix|>', "", '<|tools_prefix|> [{"a": {}, "b": {}}'),
        (FUNCTIONARY, 'Well. <function=a>{"x": </function>', "Well.", '<function=a>{"x": </function>'),
        (
            HARMONY,
            "<|channel|>commentary to=functions.a <|constrain|>json<|message|>x",
            "",
            "<|channel|>commentary to=functions.a <|constrain|>json<|message|>x",
        ),
    ],
)
def test_an_invalid_call_is_returned_with_its_marker(form: ToolCallTemplate, text: str, content: str, invalid: str) -> None:
    found, (call,) = form.reader().push(text, final=True)
    assert isinstance(call, InvalidToolCall) and call.error
    assert (found, call.text) == (content, invalid)


def test_a_call_after_an_invalid_one_is_read() -> None:
    for form, broken in ((QWEN_XML, "<tool_call>\nno\n"), (KIMI, "<|tool_call_begin|>no "), (GEMMA4, "<|tool_call>no")):
        _, (invalid, call) = form.reader().push(broken + form.write([("b", {})]), final=True)
        assert isinstance(invalid, InvalidToolCall) and call == B


@pytest.mark.parametrize(
    ("schema", "written", "value"),
    [
        ({"type": "string"}, "10115", "10115"),
        ({"type": "string"}, "null", "null"),
        ({"type": "integer"}, "10115", 10115),
        ({"type": "integer"}, "many", "many"),
        ({"type": "number"}, "2", 2),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "false", False),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "None", None),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "7", "7"),
        ({"type": ["integer", "string"]}, "7", 7),
        ({"enum": ["7", "8"]}, "7", "7"),
        ({"enum": [7, 8]}, "7", 7),
        ({"$ref": "#/$defs/list"}, '["7", 8]', ["7", 8]),
        ({}, "7", 7),
        ({}, "seven", "seven"),
        (None, '{"a": 1}', {"a": 1}),
        ({"type": "array"}, "[7, ", "[7, "),
    ],
)
def test_the_schema_tells_texts_from_other_values(schema: Any, written: str, value: Any) -> None:
    properties = {} if schema is None else {"x": schema}
    parameters = {"properties": properties, "$defs": {"list": {"type": "array"}}}
    form = QWEN_XML.for_tools([{"function": {"name": "a", "parameters": parameters}}])
    text = f"<tool_call>\n<function=a>\n<parameter=x>\n{written}\n</parameter>\n</function>\n</tool_call>"
    _, (call,) = form.reader().push(text, final=True)
    assert isinstance(call, ToolCall)
    assert call.arguments == {"x": value} and type(call.arguments["x"]) is type(value)


def test_a_value_may_hold_tags_and_line_breaks() -> None:
    code = "\n<function=b>\n</parameter> and </function>\n</tool_call>\n\n"
    for form in (QWEN_XML, SEED, MINIMAX, GLM):
        bound = form.for_tools([{"function": {"name": "a", "parameters": {"properties": {"x": {"type": "string"}}}}}])
        assert bound.reader().push(form.write([("a", {"x": code})]), final=True) == ("", [ToolCall(name="a", arguments={"x": code})])


def test_python_and_json_spell_values_alike() -> None:
    text = r"""<|tool_call_start|>[a(t='it\'s "x"\n', u="\ud83d\ude00\u00e9", v=[True, false, None, null], w={'k': (1, -2.5), "l": {}},"""
    text += r""" x="a\d")]"""
    _, (call,) = LFM2.reader().push(text, final=True)
    assert isinstance(call, ToolCall)
    values = [True, False, None, None]
    assert call.arguments == {"t": 'it\'s "x"\n', "u": "😀é", "v": values, "w": {"k": [1, -2.5], "l": {}}, "x": r"a\d"}


def test_channels_are_reasoning_content_and_calls() -> None:
    text = (
        "<|channel|>analysis<|message|>Shall I?<|end|><|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>Yes.<|end|>"
        '<|start|>assistant<|channel|>commentary to=functions.b <|constrain|>json<|message|>{"x": "<|end|"}<|call|>'
        "<|start|>assistant<|channel|>final<|message|>Done. <|return|>"
    )
    form = AnswerFormat(reasoning=CHANNELS, tool_calls=HARMONY)
    whole = form.read(text)
    assert (whole.reasoning, whole.content) == ("Shall I?\nYes.", "I look.\nDone. <|return|>")
    assert whole.calls == [ToolCall(name="b", arguments={"x": "<|end|"})]
    parser, parts = form.reader(), [("", "", 0)]
    for index, character in enumerate(text):
        new = parser.push(character, final=index == len(text) - 1)
        parts.append((new.reasoning, new.content, len(new.calls)))
    reasoning, content, calls = zip(*parts, strict=True)
    assert ("".join(reasoning), "".join(content), sum(calls)) == (whole.reasoning, whole.content, 1)


@pytest.mark.parametrize("text", ["Four.", "", " Four. ", "<|channel", "<|channel|>final", "to be", "4 < 5"])
def test_an_answer_without_channels_is_content(text: str) -> None:
    assert AnswerFormat(reasoning=CHANNELS).read(text).content == text
