"""How much text fits: a pair's own tokenizer and room, where LlamaIndex would count with another model's and forget the template.

Knows LlamaIndex's prompt helpers and the core's prompts; decodes nothing.
"""

from collections.abc import Callable
from functools import partial

from llama_index.core import Settings
from llama_index.core.indices.prompt_helper import ChatPromptHelper, PromptHelper
from llama_index.core.llms.llm import LLM

from baco.errors import ChatTemplateError
from baco.models.info import PairInfo
from baco.routing import Router
from baco.text.chat_template import Message
from baco.text.prompts import UNBOUNDED, build_prompt, text_ids

WORD = "a"
CONVERSATIONS: tuple[list[Message], ...] = (
    [{"role": "user", "content": WORD}],
    [{"role": role, "content": WORD} for role in ("system", "user", "assistant", "user")],
)
"""Conversations of the forms that LlamaIndex's own prompts have, as short as can be."""


def plan_globally(llm: LLM, info: PairInfo, router: Router, base_prompt: str) -> None:
    """Make LlamaIndex's global `Settings` count and plan as the pair does."""
    count: Callable[[str], list[int]] = partial(text_ids, info.tokenizer)
    room, num_output = llm.metadata.context_window - overhead(info, router, base_prompt), llm.metadata.num_output
    Settings.llm = llm
    Settings.tokenizer = count
    Settings.prompt_helper = PromptHelper(context_window=room, num_output=num_output, tokenizer=count)
    Settings.chat_prompt_helper = ChatPromptHelper(context_window=room, num_output=num_output, tokenizer=count)


def overhead(info: PairInfo, router: Router, base_prompt: str) -> int:
    """Tokens that prompts have beside the texts of their messages: by the chat template or the base's transcript, whichever adds more.

    That is measured on the longest of LlamaIndex's own kinds of prompts, four messages (our own choice).
    """
    return max(_added(info, conversation, router, base_prompt) for conversation in CONVERSATIONS)


def _added(info: PairInfo, conversation: list[Message], router: Router, base_prompt: str) -> int:
    try:
        prompt = build_prompt(info, conversation, models=router.models, base_prompt=base_prompt, max_model_len=UNBOUNDED)
    except ChatTemplateError:
        # A template of single questions: LlamaIndex's longer prompts are refused when they are asked.
        return 0
    return max(len(ids) for ids in prompt.token_ids.values()) - len(conversation) * len(text_ids(info.tokenizer, WORD))
