"""Tools in LlamaIndex's two ways: keywords of `chat` for models that call tools, and a ReAct prompt for those that do not.

Knows LlamaIndex's agents and tools; knows nothing of decoding.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.agent.react import ReActChatFormatter, ReActOutputParser
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.tools import BaseTool

from baco.checks import require
from llamaindex_baco.tools import openai_tools

OBSERVATION = "Observation:"
"""What introduces a tool's output in a ReAct prompt; the model must not write it itself."""


def chat_keywords(
    tools: Sequence[BaseTool],
    user_msg: str | ChatMessage | None,
    chat_history: Sequence[ChatMessage] | None,
    tool_choice: str | Mapping[str, Any] | None,
    tool_required: bool,
    allow_parallel_tool_calls: bool,
) -> dict[str, Any]:
    """The keywords of `chat` for a conversation with tools. Without a choice the models decide, unless a call is required."""
    messages = list(chat_history or ())
    if user_msg is not None:
        messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(role=MessageRole.USER, content=user_msg))
    if not tools and not tool_required:
        return {"messages": messages}
    choice = tool_choice if tool_choice not in (None, "auto") else "required" if tool_required else "auto"
    return {
        "messages": messages,
        "tools": openai_tools(tools),
        "tool_choice": choice,
        "parallel_tool_calls": allow_parallel_tool_calls,
    }


def react_stop(stop: str | Sequence[str] | None) -> list[str]:
    """Stop texts that also end an answer where the model would make up a tool's output."""
    return [*([stop] if isinstance(stop, str) else stop or []), OBSERVATION]


def react_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of `predict_and_call` with the formatter and parser that LlamaIndex's ReAct agent needs and does not supply itself.

    Raises:
        ConfigError: a call is required, which a prompt cannot enforce.
    """
    keywords = dict(keywords)
    required = keywords.pop("tool_required", False)
    require(not required, "tool_required", "left out: the aligned model's chat template has no place for tools", required)
    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser(), **keywords}
