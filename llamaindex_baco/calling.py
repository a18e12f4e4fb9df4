"""`BacoCalling`: tools in LlamaIndex's ways, for function agents, programs and `predict_and_call`."""

from collections.abc import Sequence
from typing import Any

from llama_index.core.agent.react import ReActChatFormatter, ReActOutputParser
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from baco.checks import require
from llamaindex_baco.decoding import BacoDecoding
from llamaindex_baco.tools import openai_tools, selections

OBSERVATION = "Observation:"
"""What a model that is prompted to call tools must not write itself."""


class BacoCalling(BacoDecoding, FunctionCallingLLM):
    """Calls of tools: shown by the aligned model's chat template, read in its own form, and forced by a grammar where one is required."""

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What `chat` is called with.

        A choice that is not made is left to the models, unless a call is required.
        """
        messages = list(chat_history or ())
        if user_msg is not None:
            messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(role=MessageRole.USER, content=user_msg))
        if not tools and not tool_required:
            return {"messages": messages, **kwargs}
        choice = tool_choice if tool_choice not in (None, "auto") else "required" if tool_required else "auto"
        shown = {"tools": openai_tools(tools), "tool_choice": choice, "parallel_tool_calls": allow_parallel_tool_calls}
        return {"messages": messages, **shown, **kwargs}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Read the calls of a response, or of a part of one as it is streamed.

        Raises:
            ValueError: there are none, and `error_on_no_tool_call`.
        """
        found = selections(response.message)
        if error_on_no_tool_call and not found:
            raise ValueError(f"expected at least one call of a tool, but the answer is {response.message.content!r}")
        return found

    def predict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Let the models choose a tool, and call it.

        Where the aligned model's chat template has no place for tools, a ReAct prompt describes them.
        """
        if self.metadata.is_function_calling_model:
            return super().predict_and_call(tools, *args, **kwargs)
        return super(BacoCalling, self._prompted()).predict_and_call(tools, *args, **_prompted_keywords(kwargs))

    async def apredict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Like `predict_and_call`, off the event loop."""
        if self.metadata.is_function_calling_model:
            return await super().apredict_and_call(tools, *args, **kwargs)
        return await super(BacoCalling, self._prompted()).apredict_and_call(tools, *args, **_prompted_keywords(kwargs))

    def _prompted(self) -> "BacoCalling":
        """This LLM, stopped where it would make up what a tool gave."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return self.with_(stop=[*stop, OBSERVATION])


def _prompted_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """What LlamaIndex's ReAct needs, and does not bring itself."""
    forced = keywords.pop("tool_required", False)
    require(not forced, "tool_required", "left out: the aligned model's chat template has no place for tools", forced)
    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser(), **keywords}
