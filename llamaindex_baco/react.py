"""ReAct prompts, for models whose chat template has no place for tools. Knows LlamaIndex's ReAct agent; knows nothing of decoding."""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.agent.react import ReActChatFormatter, ReActOutputParser

from baco.checks import require

OBSERVATION = "Observation:"
"""What introduces a tool's output in a ReAct prompt; the model must not write it itself."""


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
