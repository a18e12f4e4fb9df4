"""How much text fits into a prompt, by the pair's own tokenizer and templates.

LlamaIndex would count with another model's tokenizer and forget what the chat template adds. Knows LlamaIndex's prompt helpers and the
core's prompts; knows nothing of decoding.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from llama_index.core import Settings
from llama_index.core.indices.prompt_helper import ChatPromptHelper, PromptHelper
from llama_index.core.llms.llm import LLM

from baco.engine.call_settings import CallSettings
from baco.errors import ChatTemplateError
from baco.models.info import PairInfo
from baco.text.chat_template import Message
from baco.text.prompts import UNBOUNDED, build_prompt, own_template, text_ids
from baco.text.template_variables import template_variables

WORD = "a"
CONVERSATIONS: tuple[list[Message], ...] = (
    [{"role": "user", "content": WORD}],
    [{"role": role, "content": WORD} for role in ("system", "user", "assistant", "user")],
)
"""The shortest conversations with the roles of LlamaIndex's own prompts."""


def set_prompt_budget(llm: LLM, info: PairInfo, call: CallSettings) -> None:
    """Set the LLM, the tokenizer and the prompt helpers of LlamaIndex's global `Settings` to the pair's."""
    count: Callable[[str], list[int]] = partial(text_ids, info.tokenizer)
    room, num_output = llm.metadata.context_window - overhead(info, call), llm.metadata.num_output
    Settings.llm = llm
    Settings.tokenizer = count
    Settings.prompt_helper = PromptHelper(context_window=room, num_output=num_output, tokenizer=count)
    Settings.chat_prompt_helper = ChatPromptHelper(context_window=room, num_output=num_output, tokenizer=count)


def overhead(info: PairInfo, call: CallSettings) -> int:
    """Tokens that a prompt adds to the texts of its messages, under the chat template or the base's transcript, whichever adds more.

    Measured on LlamaIndex's own kinds of prompts, which have at most four messages (our own choice).
    """
    added = [0]
    variables = template_variables(info.tokenizer, call.chat_template_kwargs, call.reasoning, own_template(call.base_prompt))
    for conversation in CONVERSATIONS:
        # A template for single questions only refuses the longer one. LlamaIndex's longer prompts are then refused when they are sent.
        with suppress(ChatTemplateError):
            prompt = build_prompt(
                info,
                conversation,
                models=call.router.models,
                base_prompt=call.base_prompt,
                variables=variables,
                max_model_len=UNBOUNDED,
            )
            num_tokens = max(len(ids) for ids in prompt.token_ids.values())
            added.append(num_tokens - len(conversation) * len(text_ids(info.tokenizer, WORD)))
    return max(added)
