"""Short chat templates, each with the habits of one family: which roles it takes, what it refuses, drops or joins, what it reads.

Written for the tests; nothing else of the families' own templates is kept, so that a template shows its habits at a glance.
"""

import re

from tests.support.tokenizers import (
    CHAT_TEMPLATE,
    HERMES_TEMPLATE,
    LLAMA_TEMPLATE,
    MISTRAL_NAMED_TEMPLATE,
    MISTRAL_TEMPLATE,
    QWEN_TEMPLATE,
)


def _joined(text: str) -> str:
    """Take the line breaks and indents of the source out of a template; its own line breaks are written as \\n."""
    return re.sub(r"\n\s*", "", text).replace("\\n", "\n")


_ALTERNATE = r"""
{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant') }}{% endif %}
"""
_HERMES_CALLS = r"""
{% for call in m.tool_calls %}<tool_call>\n{{ {'name': call.function.name, 'arguments': call.function.arguments} | tojson }}
        \n</tool_call>{% endfor %}
"""
_XML_CALLS = r"""
{% for call in m.tool_calls %}<tool_call>\n<function={{ call.function.name }}>\n
{% for name, value in call.function.arguments.items() %}<parameter={{ name }}>\n{{ value }}\n</parameter>\n{% endfor %}
</function>\n</tool_call>{% endfor %}
"""
_TOOLS = r"""{% if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}</tools>{% endif %}"""

_SOURCES = {
    "Llama 2": r"""
        {% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
        {% else %}{% set system = '' %}{% set rest = messages %}{% endif %}
        {% for m in rest %}"""
    + _ALTERNATE
    + r"""{% if loop.first and system %}{% set said = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m.content %}{% else %}
        {% set said = m.content %}
        {% endif %}{% if m.role == 'user' %}{{ bos_token + '[INST] ' + said | trim + ' [/INST]' }}
        {% elif m.role == 'assistant' %}{{ ' ' + said | trim + ' ' + eos_token }}{% endif %}{% endfor %}""",
    "Llama 3": r"""
        {% for m in messages %}{% set part = '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' %}
        {% if loop.first %}{% set part = bos_token + part %}{% endif %}{{ part }}{% endfor %}
        {% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}""",
    "Llama 3.2": r"""
        {% if not date_string is defined %}
        {% if strftime_now is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% else %}{% set date_string = '26 Jul 2024' %}
        {% endif %}
        {% endif %}{{ '[Today Date: ' + date_string + ']' }}"""
    + LLAMA_TEMPLATE,
    "Mistral 0.3": r"""
        {% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
        {% else %}{% set rest = messages %}{% endif %}{% set ns = namespace(index=0) %}
        {% for m in rest %}{% if m.role in ('user', 'assistant') and not m.tool_calls %}
        {% if (m.role == 'user') != (ns.index % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
        {% set ns.index = ns.index + 1 %}{% endif %}{% endfor %}{{ bos_token }}
        {% set users = rest | selectattr('role', 'equalto', 'user') | list %}{% for m in rest %}{% if m.role == 'user' %}
        {% if tools and m == users[-1] %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
        {% if loop.last and system is defined %}[INST]{{ system }}\n\n{{ m.content }}[/INST]{% else %}[INST]{{ m.content }}
        [/INST]{% endif %}
        {% elif m.tool_calls %}[TOOL_CALLS][{% for call in m.tool_calls %}
        {% if call.id is not defined or call.id | length != 9 %}{{ raise_exception('Tool call IDs should be of length 9!') }}{% endif %}
        {{ (call.function | tojson)[:-1] }}, "id": "{{ call.id }}"}{{ '' if loop.last else ', ' }}{% endfor %}]{{ eos_token }}
        {% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}{% elif m.role == 'tool' %}
        {% if m.tool_call_id is not defined or m.tool_call_id | length != 9 %}{{ raise_exception('IDs should be of length 9!') }}{% endif %}
        [TOOL_RESULTS]{"content": {{ m.content }}, "call_id": "{{ m.tool_call_id }}"}[/TOOL_RESULTS]
        {% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}""",
    "Mistral Small 3": r"""
        {% set today = strftime_now('%Y-%m-%d') %}{{ bos_token }}
        {% if messages[0].role == 'system' %}[SYSTEM_PROMPT]{{ messages[0].content }}[/SYSTEM_PROMPT]{% set rest = messages[1:] %}
        {% else %}[SYSTEM_PROMPT]Today is {{ today }}.[/SYSTEM_PROMPT]{% set rest = messages %}{% endif %}"""
    + _TOOLS
    + r"""{% for m in rest %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]{% elif m.role == 'system' %}
        [SYSTEM_PROMPT]{{ m.content }}[/SYSTEM_PROMPT]{% elif m.role == 'assistant' and m.tool_calls %}
        {% for call in m.tool_calls %}[TOOL_CALLS]{{ call.function.name }}[ARGS]{{ call.function.arguments | tojson }}{% endfor %}
        {{ eos_token }}
        {% elif m.role == 'assistant' %}{{ m.content }}{{ eos_token }}{% else %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]{% endif %}
        {% endfor %}""",
    "Gemma 2": r"""
        {{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
        {% for m in messages %}"""
    + _ALTERNATE
    + r"""{% set role = 'model' if m.role == 'assistant' else m.role %}
        <start_of_turn>{{ role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}
        {% if add_generation_prompt %}<start_of_turn>model\n{% endif %}""",
    "Gemma 3": r"""
        {{ bos_token }}{% if messages[0].role == 'system' %}{% set prefix = messages[0].content + '\n\n' %}{% set rest = messages[1:] %}
        {% else %}{% set prefix = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}"""
    + _ALTERNATE
    + r"""{% set role = 'model' if m.role == 'assistant' else m.role %}
        <start_of_turn>{{ role }}\n{{ prefix if loop.first else '' }}{{ m.content | trim }}<end_of_turn>\n{% endfor %}
        {% if add_generation_prompt %}<start_of_turn>model\n{% endif %}""",
    "Gemma 4": r"""
        {{ bos_token }}{% set opens = messages[0].role == 'system' %}{% if opens or tools or enable_thinking | default(false) %}
        <|turn>system\n
        {% if enable_thinking | default(false) %}<|think|>\n{% endif %}{{ messages[0].content | trim if opens else '' }}
        {% for tool in tools or [] %}<|tool>declaration:{{ tool.function.name }}<tool|>{% endfor %}<turn|>\n{% endif %}
        {% for m in (messages[1:] if opens else messages) %}
        {% if m.role == 'tool' %}<|tool_response>response:{{ m.name }}{value:{{ m.content }}}<tool_response|>
        {% else %}<|turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{% for call in m.tool_calls %}
        <|tool_call>call:{{ call.function.name }}{ {{ call.function.arguments | tojson }} }<tool_call|>{% endfor %}
        {{ m.content | trim }}<turn|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|turn>model\n{% endif %}""",
    "OLMo 2": r"""
        {{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}<|system|>\n{{ m.content }}\n
        {% elif m.role == 'user' %}<|user|>\n{{ m.content }}\n{% elif m.role == 'assistant' %}
        <|assistant|>\n{{ m.content }}{{ eos_token if not loop.last }}\n{% endif %}
        {% if loop.last and add_generation_prompt %}<|assistant|>\n{% endif %}{% endfor %}""",
    "OLMo 3": r"""
        {% set calling = messages | selectattr('tool_calls', 'defined') | list %}{% set functions = tools | tojson if tools else '' %}
        {% if messages[0].role != 'system' %}<|im_start|>system\nYou are Olmo. <functions>{{ functions }}</functions><|im_end|>\n{% endif %}
        {% for m in messages %}{% if m.role == 'system' %}<|im_start|>system\n{{ m.content }}<functions>{{ functions }}
        </functions><|im_end|>\n
        {% elif m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n
        {% elif m.role == 'assistant' %}<|im_start|>assistant\n{{ m.content }}{% if m.tool_calls %}
        <function_calls>{% for call in m.tool_calls %}
        {{ call.function.name }}({{ call.function.arguments | tojson }})\n{% endfor %}</function_calls>{% endif %}<|im_end|>\n
        {% elif m.role == 'tool' and calling %}<|im_start|>environment\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}""",
    "Phi 3.5": r"""
        {% for m in messages %}{% if m.role == 'system' and m.content %}<|system|>\n{{ m.content }}<|end|>\n
        {% elif m.role == 'user' %}<|user|>\n{{ m.content }}<|end|>\n{% elif m.role == 'assistant' %}<|assistant|>\n{{ m.content }}
        <|end|>\n{% endif %}
        {% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}""",
    "Phi 4 mini": r"""
        {% if tools and messages[0].role != 'system' %}<|system|><|tool|>{{ tools | tojson }}<|/tool|><|end|>{% endif %}
        {% for m in messages %}{% if m.role == 'system' and tools %}<|system|>{{ m.content }}<|tool|>{{ tools | tojson }}<|/tool|><|end|>
        {% elif m.tool_calls %}<|assistant|><|tool_call|>{{ m.tool_calls | map(attribute='function') | list | tojson }}<|/tool_call|><|end|>
        {% else %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}""",
    "Qwen 3": QWEN_TEMPLATE.replace(
        "{% elif m.role != 'system' or not loop.first %}{{ '<|im_start|>' + m.role + '\n' + m.content }}",
        "{% elif m.role != 'system' or not loop.first %}{% set content = m.content %}"
        "{% if m.role == 'assistant' and '</think>' in content %}{% set content = content.split('</think>')[-1].lstrip('\n') %}"
        "{% endif %}{{ '<|im_start|>' + m.role + '\n' + content }}",
    ).replace(
        "{{ '<|im_start|>assistant\n' }}{% endif %}",
        "{{ '<|im_start|>assistant\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}",
    ),
    "Qwen 3.5": r"""
        {% if tools %}<|im_start|>system\n"""
    + _TOOLS
    + r"""{{ messages[0].content if messages[0].role == 'system' else '' }}<|im_end|>\n{% endif %}{% for m in messages %}
        {% if m.role == 'system' %}{% if not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}
        {% if not tools %}<|im_start|>system\n{{ m.content | trim }}<|im_end|>\n{% endif %}
        {% elif m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n
        {% else %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}\n"""
    + _XML_CALLS
    + r"""<|im_end|>\n{% endif %}{% endfor %}
        {% if not messages | selectattr('role', 'equalto', 'user') | list %}{{ raise_exception('No user query found in messages.') }}
        {% endif %}
        {% if add_generation_prompt %}<|im_start|>assistant\n
        {% if enable_thinking is defined and enable_thinking is true %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}{% endif %}""",
    "SmolLM 3": r"""
        {% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}
        {% set mode = '/think' if enable_thinking else '/no_think' %}{% if messages[0].role == 'system' %}
        {% set system = messages[0].content %}
        {% if '/no_think' in system %}{% set mode = '/no_think' %}{% endif %}
        {% set custom = system.replace('/no_think', '').replace('/think', '').rstrip() %}{% endif %}
        <|im_start|>system\n## Metadata\n\nToday Date: {{ strftime_now('%d %B %Y') }}\nReasoning Mode: {{ mode }}\n\n
        ## Custom Instructions\n\n{{ custom if custom else 'You are a helpful AI assistant.' }}\n\n<|im_end|>\n
        {% for m in messages %}{% if m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n{% elif m.role == 'assistant' %}
        {% generation %}<|im_start|>assistant\n{{ m.content.lstrip('\n') }}<|im_end|>\n{% endgeneration %}{% elif m.role == 'tool' %}
        <|im_start|>user\n{{ m.content }}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n
        {% if not enable_thinking %}<think>\n\n</think>\n{% endif %}{% endif %}""",
    "Granite 3.3": r"""
        {% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
        {% else %}{% set system = 'Today is ' + strftime_now('%B %d, %Y') + '. You are Granite.' %}{% set rest = messages %}{% endif %}
        <|start_of_role|>system<|end_of_role|>{{ system }}{% if thinking %}Think first.{% endif %}<|end_of_text|>\n
        {% if tools %}<|start_of_role|>available_tools<|end_of_role|>{{ tools | tojson }}<|end_of_text|>\n{% endif %}
        {% for m in rest %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}
        <|end_of_text|>\n{% if loop.last and add_generation_prompt %}
        <|start_of_role|>assistant{{ controls | tojson if controls else '' }}<|end_of_role|>{% endif %}{% endfor %}""",
    "Granite 4": r"""
        {% set ns = namespace(system='') %}{% if tools %}{% set ns.system = tools | tojson %}{% endif %}
        {% if messages[0].role == 'system' %}{% set ns.system = messages[0].content + ns.system %}{% endif %}
        {% if ns.system %}<|start_of_role|>system<|end_of_role|>{{ ns.system }}<|end_of_text|>\n{% endif %}{% for m in messages %}
        {% if m.role == 'user' or (m.role == 'system' and not loop.first) %}<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}
        <|end_of_text|>\n
        {% elif m.role == 'assistant' %}<|start_of_role|>assistant<|end_of_role|>{{ m.content }}"""
    + _HERMES_CALLS
    + r"""<|end_of_text|>\n{% elif m.role == 'tool' %}
        <|start_of_role|>user<|end_of_role|><tool_response>{{ m.content }}</tool_response><|end_of_text|>\n{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}""",
    "gpt-oss": r"""
        {% macro preamble() %}Current date: {{ strftime_now('%Y-%m-%d') }}\n\n
        {% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}{{ 'Reasoning: ' + reasoning_effort }}
        {% endmacro %}
        <|start|>system<|message|>{{ preamble() }}<|end|>{% if messages[0].role in ('developer', 'system') %}
        {% set instructions = messages[0].content %}{% set rest = messages[1:] %}{% else %}{% set instructions = '' %}
        {% set rest = messages %}{% endif %}
        {% if instructions or tools %}<|start|>developer<|message|>{{ instructions }}{% for tool in tools or [] %}
        type {{ tool.function.name }} = {{ tool.function.parameters | tojson }};{% endfor %}<|end|>{% endif %}
        {% set last = namespace(call=none) %}
        {% for m in rest %}{% if m.role == 'assistant' %}{% if 'tool_calls' in m %}{% if m.tool_calls | length > 1 %}
        {{ raise_exception('one call') }}{% endif %}
        {% set later = rest[loop.index:] | selectattr('role', 'equalto', 'assistant') | rejectattr('tool_calls', 'defined') | list %}
        {% if m.content and not later %}<|start|>assistant<|channel|>analysis<|message|>{{ m.content }}<|end|>{% endif %}
        {% set call = m.tool_calls[0].function %}{% set last.call = call.name %}
        <|start|>assistant to=functions.{{ call.name }}<|channel|>commentary json<|message|>{{ call.arguments | tojson }}<|call|>
        {% else %}{% set last.call = none %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}<|end|>{% endif %}
        {% elif m.role == 'tool' %}
        {% if last.call is none %}{{ raise_exception('a result without a call')}}{% endif %}
        <|start|>functions.{{ last.call }} to=assistant<|channel|>commentary<|message|>{{ m.content | tojson }}<|end|>
        {% elif m.role == 'user' %}<|start|>user<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|start|>assistant{% endif %}""",
    "DeepSeek V3.1": r"""
        {% if not thinking is defined %}{% set thinking = false %}{% endif %}{% set ns = namespace(system='', first=true) %}
        {% for m in messages %}{% if m.role == 'system' %}{% set ns.system = ns.system + ('' if ns.first else '\n\n') + m.content %}
        {% set ns.first = false %}{% endif %}{% endfor %}{{ bos_token }}{{ ns.system }}{% for m in messages %}
        {% if m.role == 'user' %}<|User|>{{ m.content }}{% elif m.role == 'assistant' and m.tool_calls %}
        <|Assistant|></think>{{ m.content }}
        {% for call in m.tool_calls %}<|tool_call_begin|>{{ call.function.name + '<|tool_sep|>' + call.function.arguments }}
        <|tool_call_end|>
        {% endfor %}<|end_of_sentence|>{% elif m.role == 'assistant' %}<|Assistant|></think>{{ m.content.split('</think>', 1)[-1] }}
        <|end_of_sentence|>
        {% elif m.role == 'tool' %}<|tool_output_begin|>{{ m.content }}<|tool_output_end|>{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|Assistant|>{{ '<think>' if thinking else '</think>' }}{% endif %}""",
    "DeepSeek R1 distillate": r"""
        {% set ns = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}
        {% set ns.system = m.content %}{% endif %}{% endfor %}{{ bos_token }}{{ ns.system }}{% for m in messages %}
        {% if m.role == 'user' %}<|User|>{{ m.content }}{% elif m.role == 'assistant' and m.content is none %}
        {% for call in m.tool_calls %}<|tool_call_begin|>{{ call.type + '<|tool_sep|>' + call.function.name + call.function.arguments }}
        {% endfor %}
        {% elif m.role == 'assistant' %}<|Assistant|>{{ m.content.split('</think>')[-1] }}<|end_of_sentence|>
        {% elif m.role == 'tool' %}<|tool_output_begin|>{{ m.content }}<|tool_output_end|>{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}""",
    "GLM 4.6": r"""
        [gMASK]<sop>{% if tools %}<|system|>\n"""
    + _TOOLS
    + r"""{% endif %}{% for m in messages %}{% if m.role == 'user' %}<|user|>\n{{ m.content }}
        {{ '/nothink' if enable_thinking is defined and not enable_thinking and not m.content.endswith('/nothink') else '' }}
        {% elif m.role == 'assistant' %}<|assistant|>\n<think></think>{% if m.content.strip() %}\n{{ m.content.strip() }}{% endif %}
        {% for call in m.tool_calls %}\n<tool_call>{{ call.function.name }}\n{% for name, value in call.function.arguments.items() %}
        <arg_key>{{ name }}</arg_key>\n<arg_value>{{ value }}</arg_value>\n{% endfor %}</tool_call>{% endfor %}
        {% elif m.role == 'tool' %}<|observation|>\n<tool_response>\n{{ m.content }}\n</tool_response>
        {% elif m.role == 'system' %}<|system|>\n{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>
        {{ '\n<think></think>' if enable_thinking is defined and not enable_thinking else '' }}{% endif %}""",
    "Kimi K2": r"""
        {% if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{% endif %}
        {% for m in messages %}{% if m.role == 'tool' %}<|im_system|>tool<|im_middle|>## Return of {{ m.tool_call_id }}\n{{ m.content }}
        <|im_end|>
        {% else %}<|im_{{ m.role }}|>{{ m.role }}<|im_middle|>{{ m.content }}{% if m.tool_calls %}
        <|tool_calls_section_begin|>{% for call in m.tool_calls %}
        <|tool_call_begin|>{{ call.id }}<|tool_call_argument_begin|>{{ call.function.arguments | tojson }}<|tool_call_end|>{% endfor %}
        <|tool_calls_section_end|>{% endif %}<|im_end|>{% endif %}{% endfor %}
        {% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}""",
    "MiniMax M2": r"""
        ]~!b[]~b]system\n{{ messages[0].content if messages[0].role == 'system' else 'You are a helpful assistant.' }}"""
    + _TOOLS
    + r"""[e~[\n{% set last = namespace(called=none) %}{% for m in messages %}{% if m.role == 'assistant' %}]~b]ai\n{{ m.content }}
        {% if m.tool_calls %}
        <minimax:tool_call>{% for call in m.tool_calls %}<invoke name="{{ call.function.name }}
        ">{% for name, value in call.function.arguments.items() %}
        <parameter name="{{ name }}">{{ value }}</parameter>{% endfor %}</invoke>{% endfor %}
        </minimax:tool_call>{% set last.called = true %}
        {% else %}{% set last.called = none %}{% endif %}[e~[\n{% elif m.role == 'tool' %}{% if last.called is none %}
        {{ raise_exception('no previous assistant message with a tool call') }}{% endif %}]~b]tool\n<response>{{ m.content }}
        </response>[e~[\n
        {% elif m.role == 'user' %}]~b]user\n{{ m.content }}[e~[\n{% endif %}{% endfor %}{% if add_generation_prompt %}
        ]~b]ai\n<think>\n{% endif %}""",
    "LFM 2": r"""
        {{ bos_token }}{% set ns = namespace(system='') %}{% if messages[0].role == 'system' %}{% set ns.system = messages[0].content %}
        {% set messages = messages[1:] %}{% endif %}{% if tools %}{% set ns.system = ns.system + '\nList of tools: ' + (tools | tojson) %}
        {% endif %}
        {% if ns.system %}<|im_start|>system\n{{ ns.system }}<|im_end|>\n{% endif %}{% for m in messages %}
        <|im_start|>{{ m.role }}\n{{ '<|tool_response_start|>' + m.content + '<|tool_response_end|>' if m.role == 'tool' else m.content }}
        <|im_end|>\n
        {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}""",
    "Command R7B": r"""
        {{ bos_token }}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>"""
    + _TOOLS
    + r"""{{ messages[0].content if messages[0].role | lower == 'system' else '' }}<|END_OF_TURN_TOKEN|>{% for m in messages %}
        {% if m.role | lower == 'system' and not loop.first %}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>
        {% elif m.role | lower == 'user' %}<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ m.content }}<|END_OF_TURN_TOKEN|>
        {% elif m.role | lower == 'assistant' %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% if m.tool_calls %}
        <|START_THINKING|>{{ m.tool_plan }}<|END_THINKING|><|START_ACTION|>[{% for call in m.tool_calls %}
        {"tool_name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}{{ '' if loop.last else ', ' }}
        {% endfor %}]<|END_ACTION|>
        {% else %}<|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|>{% endif %}<|END_OF_TURN_TOKEN|>
        {% elif m.role | lower == 'tool' %}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><|START_TOOL_RESULT|>{{ m.content | tojson }}
        <|END_TOOL_RESULT|>
        <|END_OF_TURN_TOKEN|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}""",
    "functionary 3.2": r"""
        {{ bos_token }}{% if tools %}<|start_header_id|>system<|end_header_id|>\n{{ tools | tojson }}<|eot_id|>{% endif %}
        {% for m in messages %}{% if m.role in ('user', 'system') %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}
        <|eot_id|>
        {% elif m.role == 'tool' %}<|start_header_id|>tool<|end_header_id|>\n\n{{ m.content }}<|eot_id|>
        {% else %}<|start_header_id|>assistant<|end_header_id|>\n\n{% if m.content %}{{ '>>>all\n' + m.content }}{% endif %}
        {% for call in m.tool_calls %}{{ '>>>' + call.function.name + '\n' + call.function.arguments }}{% endfor %}<|eot_id|>{% endif %}
        {% endfor %}
        {% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n>>>{% endif %}""",
    "Seed-OSS": r"""
        {% if messages[0].role == 'system' %}{% set system = messages[0].content %}{% set rest = messages[1:] %}
        {% else %}{% set rest = messages %}{% endif %}{% if thinking_budget is not defined %}{% set thinking_budget = -1 %}{% endif %}
        {% if system or tools %}<seed:bos>system\n{{ system or '' }}"""
    + _TOOLS
    + r"""<seed:eos>{% endif %}{% for m in rest %}{% if m.role == 'assistant' and m.tool_calls %}
        {% if m.content and m.content | trim | length > 0 %}<seed:bos>assistant\n{{ m.content | trim }}\n{% else %}
        <seed:bos>assistant\n{% endif %}"""
    + _XML_CALLS
    + r"""<seed:eos>{% elif m.role in ('user', 'system') %}<seed:bos>{{ m.role }}\n{{ m.content }}<seed:eos>
        {% elif m.role == 'assistant' %}<seed:bos>assistant\n{{ m.content | trim }}<seed:eos>
        {% else %}<seed:bos>{{ m.role }}\n{{ m.content }}<seed:eos>{% endif %}{% endfor %}
        {% if add_generation_prompt %}<seed:bos>assistant\n{% if thinking_budget == 0 %}<seed:think></seed:think>{% endif %}{% endif %}""",
    "Hunyuan": r"""
        {% if messages[0].role == 'system' %}{{ bos_token }}{{ messages[0].content }}<|extra_4|>{% endif %}
        {% for m in messages %}{% if m.role == 'user' %}<|startoftext|>{{ m.content }}<|extra_0|>
        {% elif m.role == 'assistant' %}{{ m.content }}<|eos|>{% endif %}{% endfor %}
        {% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n{% endif %}""",
    "Falcon": r"""
        {% for m in messages %}{% if not loop.first %}\n{% endif %}{% if m.role == 'system' %}System: {{ m.content }}
        {% elif m.role == 'user' %}User: {{ m.content }}{% elif m.role == 'assistant' %}Falcon: {{ m.content }}{% endif %}{% endfor %}
        {% if add_generation_prompt %}\nFalcon:{% endif %}""",
    "a question at a time": r"""
        ### Instruction:\n{{ messages[-1].content }}\n\n### Response:\n""",
}

TEMPLATES = {
    "SmolLM 2": CHAT_TEMPLATE,
    "Qwen 2.5": QWEN_TEMPLATE,
    "Hermes 3": HERMES_TEMPLATE,
    "Llama 3.1": LLAMA_TEMPLATE,
    "Mistral 0.3, lenient": MISTRAL_TEMPLATE,
    "Ministral": MISTRAL_NAMED_TEMPLATE,
    **{name: _joined(source) if "\n " in source else source for name, source in _SOURCES.items()},
}
"""Look-alikes by the family whose habits they have."""
