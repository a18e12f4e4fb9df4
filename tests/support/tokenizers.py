"""Small trained tokenizers of the three kinds that pairs come with: byte-level BPE, SentencePiece-like BPE, WordPiece.

Built in a fraction of a second from the text below, the same in every process. Each call returns a fresh object, so a test may change it.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML with any role, a system role among them."""

QWEN_TEMPLATE = (
    "{{ bos_token }}{% if tools %}{{ '<|im_start|>system\n' }}"
    "{% if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% endif %}"
    "{{ '# Tools\n<tools>' }}{% for tool in tools %}{{ '\n' + tool | tojson }}{% endfor %}{{ '\n</tools><|im_end|>\n' }}"
    "{% elif messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{% if m.role == 'tool' %}"
    "{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}"
    "{% elif m.role != 'system' or not loop.first %}{{ '<|im_start|>' + m.role + '\n' + m.content }}{% for call in m.tool_calls %}"
    "{{ ('' if loop.first and not m.content else '\n') + '<tool_call>\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' }}"
    "{{ (call.function.arguments | tojson) + '}\n</tool_call>' }}{% endfor %}{{ '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""As Qwen 2.5 and 3 write tools: in the system turn, calls behind the content, results as user turns."""

HERMES_TEMPLATE = (
    "{{ bos_token }}{% if tools %}{{ '<|im_start|>system\nYou may call <tools> ' }}{% for tool in tools %}{{ tool.function | tojson }}"
    "{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}{{ ' </tools><|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'tool' %}"
    "{{ '<tool_response>\n{\"name\": \"' + (m.name or '') + '\", \"content\": ' + m.content + '}\n</tool_response>' }}{% else %}"
    "{{ m.content }}{% for call in m.tool_calls %}{{ '\n<tool_call>\n' + (call.function | tojson) + '\n</tool_call>' }}{% endfor %}"
    "{% endif %}{{ '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""As Hermes 2 Pro and 3 write tools: a system turn of their own, the functions alone, results as tool turns."""

LLAMA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{% set system, messages = messages[0].content | trim, messages[1:] %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\n' + (system or '') + '<|eot_id|>' }}{% if tools %}"
    "{% if not messages %}{{ raise_exception('no first user message') }}{% endif %}"
    "{{ '<|start_header_id|>user<|end_header_id|>\n\nRespond in the format ' }}"
    '{{ \'{"name": function name, "parameters": dictionary of argument name and its value}.\n\n\' }}'
    "{% for tool in tools %}{{ (tool | tojson(indent=4)) + '\n\n' }}{% endfor %}{{ messages[0].content | trim + '<|eot_id|>' }}"
    "{% set messages = messages[1:] %}{% endif %}{% for m in messages %}{% if 'tool_calls' in m %}"
    "{% if m.tool_calls | length != 1 %}{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}"
    "{% set call = m.tool_calls[0].function %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n{\"name\": \"' + call.name + '\", ' }}"
    "{{ '\"parameters\": ' + (call.arguments | tojson) + '}<|eot_id|>' }}{% elif m.role == 'tool' %}"
    "{{ '<|start_header_id|>ipython<|end_header_id|>\n\n' + (m.content | tojson) + '<|eot_id|>' }}{% else %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
"""As Llama 3.1 and 3.2 write tools: in the first user turn, one bare call a message, results as ipython turns."""
LLAMA_CONTROL = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>")

_MISTRAL = (
    "{% macro check(id) %}{% if (id | default('') | length) != 9 %}{{ raise_exception('IDs should have length 9!') }}{% endif %}"
    "{% endmacro %}{% if messages[0].role == 'system' %}{% set system, messages = messages[0].content, messages[1:] %}{% endif %}"
    "{% set users = messages | selectattr('role', 'equalto', 'user') | list %}"
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools and m == users[-1] %}{{ '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{% endif %}"
    "{{ '[INST] ' + (system + '\n\n' if system and loop.last else '') + m.content + '[/INST]' }}"
    "{% elif m.tool_calls %}CALLS{{ eos_token }}{% elif m.role == 'assistant' %}{{ ' ' + m.content | trim + eos_token }}"
    "{% elif m.role == 'tool' %}{{ check(m.tool_call_id) + '[TOOL_RESULTS] {\"content\": ' + m.content }}"
    "{{ ', \"call_id\": \"' + m.tool_call_id + '\"}[/TOOL_RESULTS]' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
MISTRAL_TEMPLATE = _MISTRAL.replace(
    "CALLS",
    "{{ '[TOOL_CALLS] [' }}{% for call in m.tool_calls %}{{ check(call.id) + (call.function | tojson)[:-1] }}"
    "{{ ', \"id\": \"' + call.id + '\"}' + ('' if loop.last else ', ') }}{% endfor %}{{ ']' }}",
)
"""As Mistral v3 writes tools: before the last user turn, calls as a list, with ids of nine characters, no system role but the first."""
MISTRAL_NAMED_TEMPLATE = _MISTRAL.replace(
    "CALLS",
    "{% for call in m.tool_calls %}{{ '[TOOL_CALLS]' + call.function.name + '[ARGS]' }}{{ call.function.arguments | tojson }}{% endfor %}",
)
"""As later Mistrals write calls: one marker a call, the name in front of the arguments."""
MISTRAL_CONTROL = (
    *("[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
    *("[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[ARGS]"),
)

TEXT = """\
The sea was calm, and the old captain looked at the small island for a long time before he said a word to anyone.
"What do you want to see there?" she asked. "I don't know," he said, "but I would like to find out what is behind the hill."
They had been on the water for seven days. The food was not bad; the bread, the fish and the water were enough for all of them.
In the morning the wind came from the north-west, and it was cold. Nobody wanted to go, but nobody wanted to stay either.
A good story has a beginning, a middle and an end. It should be about people who want something and who cannot get it at once.
Write a short poem about the sea. Write a list of three ideas for a story. Tell me a joke about a captain and a fish.
1. A captain who is afraid of water.
2. A fish that can talk, but only to children (and to the moon).
3. An island that is never in the same place: it moves 10 miles every day, 365 days a year.
What is the capital of France? The capital of France is Paris. How many people live there? About 2.1 million people live there.
She's here, they're there, we've seen it, I'll go, he'd know, it isn't so, you can't do that, won't you?
If you have a question, ask; when you have an answer, give it. Yes, no, maybe: all of these are answers to the question.
The well-known writer's first book wasn't read by many, yet her second book was read by everyone in the country.
def add(a, b):
    return a + b  # the sum of a and b

Café, naïve, façade, über: words with letters that need two bytes. “Quotes” — and dashes – and an ellipsis… are punctuation.
日本語の本 日本語の海 日本 日本 東京の海 東京 中国 中国 ありがとう ありがとう are words without spaces. 🎉 🎉 🎊 🐟 🐟 are pictures.
Thank you for your help. Thank you for the fish. Thank you for the story, for the poem and for the joke.
There is more than one way to do it, and there is more than one answer to most of the questions that people ask.
On the one hand it could be true; on the other hand it may be that they were only telling each other stories in the night.
"""


@cache
def _byte_level_bpe() -> str:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    begin = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), begin])
    return str(tokenizer.to_str())


def byte_level_bpe() -> PreTrainedTokenizerFast:
    """Like Llama 3 or Qwen: Ġ marks a word, every byte is a token, `<s>` is prepended, ChatML."""
    return _wrap(_byte_level_bpe(), bos_token="<s>", eos_token="</s>", pad_token="<pad>", chat_template=CHAT_TEMPLATE)


@cache
def _sentencepiece_like() -> str:
    scheme = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence([scheme, pre_tokenizers.Punctuation()])
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=list(string.printable[:94]), limit_alphabet=105, show_progress=False)
    learner.train_from_iterator(TEXT.splitlines(), trainer)
    learned = json.loads(learner.to_str())["model"]
    specials = ["<unk>", "<s>", "</s>"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    vocabulary = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: index for index, piece in enumerate(vocabulary)},
            merges=[tuple(pair) for pair in learned["merges"]],
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    tokenizer.pre_tokenizer = scheme
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([*specials, "<|im_start|>", "<|im_end|>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return str(tokenizer.to_str())


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """Like Llama 2: ▁ marks a word, unknown characters fall back to `<0x00>`…`<0xFF>`, `<s>` is prepended, ChatML."""
    return _wrap(_sentencepiece_like(), bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>", chat_template=CHAT_TEMPLATE)


def with_control_tokens(tokenizer: PreTrainedTokenizerFast, template: str, tokens: Sequence[str]) -> PreTrainedTokenizerFast:
    """Give a tokenizer a chat template and further special tokens."""
    tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)}, replace_extra_special_tokens=False)
    tokenizer.chat_template = template
    return tokenizer


@cache
def _wordpiece() -> str:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = re.findall(r"\w+|[^\w\s]", TEXT.lower())
    characters = sorted(set("".join(words)) | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    letters = [f"##{character}" for character in characters if character.isalnum()]
    counts = Counter(word for word in words if len(word) > 1)
    counts.update(f"##{word[cut:]}" for word in words for cut in range(1, len(word) - 1))
    frequent = sorted(counts, key=lambda piece: (-counts[piece], piece))[:350]
    vocabulary = [*specials, *characters, *letters, *frequent]
    tokenizer = Tokenizer(models.WordPiece(vocab={piece: index for index, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.add_special_tokens(specials)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(tokenizer.to_str())


def wordpiece() -> PreTrainedTokenizerFast:
    """Like BERT: ## marks what goes on inside a word, [CLS] … [SEP] around the text, no chat template."""
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return _wrap(_wordpiece(), **{f"{name}_token": token for name, token in names.items()})


def _wrap(serialised: str, **settings: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(serialised), clean_up_tokenization_spaces=False, **settings)
