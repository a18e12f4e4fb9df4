"""Chat templates that write calls as families of models do, each with its turns, tools and results in short. Knows Jinja alone.

They are look-alikes: what stands around a call, and in it, is what the family's own template writes.
"""

from dataclasses import dataclass

from baco.parsing.apertus import APERTUS
from baco.parsing.cohere import COHERE
from baco.parsing.deepseek import DEEPSEEK_V3, DEEPSEEK_V31, DEEPSEEK_V32
from baco.parsing.formats import ToolCallTemplate
from baco.parsing.functionary import FUNCTIONARY
from baco.parsing.gemma4 import GEMMA4
from baco.parsing.glm import GLM
from baco.parsing.granite import GRANITE, PHI4
from baco.parsing.harmony import HARMONY
from baco.parsing.kimi import KIMI
from baco.parsing.lfm2 import LFM2
from baco.parsing.minimax import MINIMAX
from baco.parsing.qwen_xml import QWEN_XML
from baco.parsing.seed_oss import SEED

_TURNS = (
    "{{ bos_token }}{% if tools %}{{ '<|im_start|>system\n# Tools\n' }}{% for tool in tools %}{{ (tool | tojson) + '\n' }}{% endfor %}"
    "{{ 'SAYS<|im_end|>\n' }}{% endif %}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content }}"
    "{% if m.tool_calls %}CALLS{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_EACH = "{% for call in m.tool_calls %}{% set f = call.function %}ONE{% endfor %}"
_TAGGED = "{% for k, v in f.arguments.items() %}FIELD{% endfor %}"
_VALUE = "{{ v if v is string else v | tojson }}"


def _template(calls: str, says: str = "") -> str:
    return _TURNS.replace("CALLS", calls).replace("SAYS", says)


def _one_by_one(call: str, field: str = "") -> str:
    """Calls of which each is written alike; `ARGUMENTS` stands for its arguments, each a `field`, and `VALUE` for a value."""
    written = call.replace("ARGUMENTS", _TAGGED.replace("FIELD", field.replace("VALUE", _VALUE)))
    return _EACH.replace("ONE", written)


@dataclass(frozen=True)
class Family:
    """A family that a test goes through."""

    template: str
    form: ToolCallTemplate
    written: str
    """The call of `weather` with a city and two days, and that of `clock`, by hand."""


_JSON = "{{ f.arguments | tojson }}"
_BREAK = "{{ '\n' if not loop.first }}"
_COMMA = "{{ ', ' if not loop.first }}"
_GEMMA = (
    "{% macro literal(v) %}{% if v is string %}{{ '<|\"|>' + v + '<|\"|>' }}{% elif v is mapping %}{{ '{' }}"
    "{% for k, inner in v.items() %}{{ ',' if not loop.first }}{{ k + ':' }}{{ literal(inner) }}{% endfor %}{{ '}' }}"
    "{% elif v is iterable %}{{ '[' }}{% for inner in v %}{{ ',' if not loop.first }}{{ literal(inner) }}{% endfor %}{{ ']' }}"
    "{% else %}{{ v | tojson }}{% endif %}{% endmacro %}"
)
_HARMONY = (
    "{{ '<|start|>system<|message|>Channels: analysis, commentary, final.<|end|>' }}{% if tools %}{{ '<|start|>developer<|message|>' }}"
    "{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ '<|end|>' }}{% endif %}{% for m in messages %}{% if m.tool_calls %}"
    "{% if m.tool_calls | length != 1 %}{{ raise_exception('one call a message') }}{% endif %}{% set f = m.tool_calls[0].function %}"
    "{% if m.content %}{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.content + '<|end|>' }}{% endif %}"
    "{{ '<|start|>assistant to=functions.' + f.name + '<|channel|>commentary json<|message|>' + f.arguments | tojson + '<|call|>' }}"
    "{% elif m.role == 'assistant' %}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
    "{% elif m.role == 'tool' %}{{ '<|start|>functions.tool to=assistant<|channel|>commentary<|message|>' + m.content + '<|end|>' }}"
    "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)
_XML = (
    "{{ '<parameter=' + k + '>\n' }}VALUE{{ '\n</parameter>\n' }}",
    "<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n2\n</parameter>\n",
)
_DSML = "{{ '<｜DSML｜parameter name=\"' + k + '\" string=\"' + ('true' if v is string else 'false') + '\">' }}VALUE"

FAMILIES = {
    "qwen-xml": Family(
        _template(
            _one_by_one(
                "{{ '\n' if m.content or not loop.first }}{{ '<tool_call>\n<function=' + f.name + '>\n' }}ARGUMENTS"
                "{{ '</function>\n</tool_call>' }}",
                _XML[0],
            )
        ),
        QWEN_XML,
        f"<tool_call>\n<function=weather>\n{_XML[1]}</function>\n</tool_call>\n<tool_call>\n<function=clock>\n</function>\n</tool_call>",
    ),
    "harmony": Family(
        _HARMONY,
        HARMONY,
        '<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{"city": "Köln", "days": 2}<|call|><|start|>assistant'
        "<|channel|>commentary to=functions.clock <|constrain|>json<|message|>{}",
    ),
    "gemma4": Family(
        _GEMMA + _template(_one_by_one("{{ '<|tool_call>call:' + f.name }}{{ literal(f.arguments) }}{{ '<tool_call|>' }}")),
        GEMMA4,
        '<|tool_call>call:weather{city:<|"|>Köln<|"|>,days:2}<tool_call|><|tool_call>call:clock{}<tool_call|>',
    ),
    "glm": Family(
        _template(
            _one_by_one(
                "{{ '\n' if m.content or not loop.first }}{{ '<tool_call>' + f.name + '\n' }}ARGUMENTS{{ '</tool_call>' }}",
                "{{ '<arg_key>' + k + '</arg_key>\n<arg_value>' }}VALUE{{ '</arg_value>\n' }}",
            )
        ),
        GLM,
        "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n"
        "</tool_call>\n<tool_call>clock\n</tool_call>",
    ),
    "lfm2": Family(
        _template(
            "{{ '<|tool_call_start|>[' }}"
            + _one_by_one(
                _COMMA + "{{ f.name + '(' }}ARGUMENTS{{ ')' }}",
                "{{ ', ' if not loop.first }}{{ k + '=' }}{{ v | string if v is boolean or v is none else v | tojson }}",
            )
            + "{{ ']<|tool_call_end|>' }}"
        ),
        LFM2,
        '<|tool_call_start|>[weather(city="Köln", days=2), clock()]<|tool_call_end|>',
    ),
    "granite": Family(
        _template("", "When you need a tool, respond with <|tool_call|> followed by a JSON list of tools used."),
        GRANITE,
        '<|tool_call|>[{"name": "weather", "arguments": {"city": "Köln", "days": 2}}, {"name": "clock", "arguments": {}}]',
    ),
    "phi4": Family(
        _template(_one_by_one("{{ '<|tool_call|>' + f | tojson + '<|/tool_call|>' }}")),
        PHI4,
        '<|tool_call|>{"name": "weather", "arguments": {"city": "Köln", "days": 2}}<|/tool_call|>'
        '<|tool_call|>{"name": "clock", "arguments": {}}<|/tool_call|>',
    ),
    "deepseek-v3": Family(
        # As the maker's template does, it joins arguments with texts, and so takes them as JSON only.
        _template(
            "{{ '<｜tool▁calls▁begin｜>' }}"
            + _one_by_one(
                _BREAK + "{{ '<｜tool▁call▁begin｜>' + call.type + '<｜tool▁sep｜>' + f.name + '\n```json\n' + f.arguments + '\n```' }}"
                "{{ '<｜tool▁call▁end｜>' }}"
            )
            + "{{ '<｜tool▁calls▁end｜>' }}"
        ),
        DEEPSEEK_V3,
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
        '{"city": "Köln", "days": 2}\n```<｜tool▁call▁end｜>\n'
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>clock\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "deepseek-v3.1": Family(
        _template(
            "{{ '<｜tool▁calls▁begin｜>' }}"
            + _one_by_one("{{ '<｜tool▁call▁begin｜>' + f.name + '<｜tool▁sep｜>' }}" + _JSON + "{{ '<｜tool▁call▁end｜>' }}")
            + "{{ '<｜tool▁calls▁end｜>' }}"
        ),
        DEEPSEEK_V31,
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"city": "Köln", "days": 2}<｜tool▁call▁end｜>'
        "<｜tool▁call▁begin｜>clock<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "deepseek-v3.2": Family(
        _template(
            "{{ '\n\n' if m.content }}{{ '<｜DSML｜function_calls>\n' }}"
            + _one_by_one(
                "{{ '<｜DSML｜invoke name=\"' + f.name + '\">\n' }}ARGUMENTS{{ '</｜DSML｜invoke>\n' }}",
                _DSML + "{{ '</｜DSML｜parameter>\n' }}",
            )
            + "{{ '</｜DSML｜function_calls>' }}"
        ),
        DEEPSEEK_V32,
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="city" string="true">Köln</｜DSML｜parameter>\n'
        '<｜DSML｜parameter name="days" string="false">2</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
        '<｜DSML｜invoke name="clock">\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>",
    ),
    "kimi": Family(
        _template(
            "{{ '<|tool_calls_section_begin|>' }}"
            + _one_by_one(
                "{{ '<|tool_call_begin|>functions.' + f.name + ':' + loop.index0 | string + '<|tool_call_argument_begin|>' }}"
                + _JSON
                + "{{ '<|tool_call_end|>' }}"
            )
            + "{{ '<|tool_calls_section_end|>' }}"
        ),
        KIMI,
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.weather:0<|tool_call_argument_begin|>{"city": "Köln", "days": 2}'
        "<|tool_call_end|><|tool_call_begin|>functions.clock:1<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
    ),
    "minimax": Family(
        _template(
            "{{ '\n' if m.content }}{{ '<minimax:tool_call>\n' }}"
            + _one_by_one(
                "{{ '<invoke name=\"' + f.name + '\">\n' }}ARGUMENTS{{ '</invoke>\n' }}",
                "{{ '<parameter name=\"' + k + '\">' }}VALUE{{ '</parameter>\n' }}",
            )
            + "{{ '</minimax:tool_call>' }}"
        ),
        MINIMAX,
        '<minimax:tool_call>\n<invoke name="weather">\n<parameter name="city">Köln</parameter>\n<parameter name="days">2</parameter>\n'
        '</invoke>\n<invoke name="clock">\n</invoke>\n</minimax:tool_call>',
    ),
    "cohere": Family(
        _template(
            "{{ '<|START_ACTION|>[\n' }}"
            + _one_by_one(
                '{{ \'    {"tool_call_id": "\' + loop.index0 | string + \'", "tool_name": "\' + f.name + \'", "parameters": \' }}'
                + _JSON
                + "{{ '}' + (',' if not loop.last else '') + '\n' }}"
            )
            + "{{ ']<|END_ACTION|>' }}"
        ),
        COHERE,
        '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "weather", "parameters": {"city": "Köln", "days": 2}},\n'
        '    {"tool_call_id": "1", "tool_name": "clock", "parameters": {}}\n]<|END_ACTION|>',
    ),
    "functionary": Family(
        _template(_one_by_one("{{ '<function=' + f.name + '>' }}" + _JSON + "{{ '</function>' }}")),
        FUNCTIONARY,
        '<function=weather>{"city": "Köln", "days": 2}</function><function=clock>{}</function>',
    ),
    "apertus": Family(
        _template(
            "{{ '<|tools_prefix|>[' }}"
            + _one_by_one(_COMMA + "{{ '{\"' + f.name + '\": ' }}" + _JSON + "{{ '}' }}")
            + "{{ ']<|tools_suffix|>' }}"
        ),
        APERTUS,
        '<|tools_prefix|>[{"weather": {"city": "Köln", "days": 2}}, {"clock": {}}]<|tools_suffix|>',
    ),
    "seed": Family(
        _template(
            _one_by_one(
                "{{ '\n' if m.content or not loop.first }}{{ '<seed:tool_call>\n<function=' + f.name + '>\n' }}ARGUMENTS"
                "{{ '</function>\n</seed:tool_call>' }}",
                "{{ '<parameter=' + k + '>' }}VALUE{{ '</parameter>\n' }}",
            )
        ),
        SEED,
        "<seed:tool_call>\n<function=weather>\n<parameter=city>Köln</parameter>\n<parameter=days>2</parameter>\n</function>\n"
        "</seed:tool_call>\n<seed:tool_call>\n<function=clock>\n</function>\n</seed:tool_call>",
    ),
}
"""Families by the names of their formats."""
