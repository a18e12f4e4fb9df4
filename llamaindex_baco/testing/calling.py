"""`CallingTests` and `AgentTests`: tools in calls, and agents that come to their end. Knows LlamaIndex's two ways: calls, and ReAct."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.agent.workflow.workflow_events import ToolCallResult
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from llamaindex_baco.testing.calls import call
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

WITH_TOOLS = ("chat_with_tools", "stream_chat_with_tools", "achat_with_tools", "astream_chat_with_tools")
STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


class CallingTests(Hooks):
    """Tools in calls."""

    def test_an_llm_that_says_it_calls_functions_has_the_methods(self, make_llm: MakeLLM) -> None:
        """Else agents choose it by its flag, and fail with an AttributeError at their first step."""
        llm = self.steady(make_llm)
        assert isinstance(llm, FunctionCallingLLM) or not llm.metadata.is_function_calling_model

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_a_tool_is_called(self, make_llm: MakeLLM, method: str) -> None:
        """Else agents get a text where a call should be; in streams that goes unnoticed until the last chunk."""
        llm = self.caller(make_llm)
        with self.calling(llm):
            last = call(llm, method, self.tool_task.tools, user_msg=self.tool_task.question)[-1]
        (found,) = llm.get_tool_calls_from_response(last)
        assert (found.tool_name, found.tool_kwargs) == (self.tool_task.name, self.tool_task.arguments)
        assert found.tool_id

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_every_chunk_can_be_read_for_calls(self, make_llm: MakeLLM, method: str) -> None:
        """Else agents that stream fail in the middle of a call: they look for calls in every chunk."""
        llm = self.caller(make_llm)
        with self.calling(llm):
            chunks = call(llm, method, self.tool_task.tools, user_msg=self.tool_task.question)
        found = [llm.get_tool_calls_from_response(chunk, error_on_no_tool_call=False) for chunk in chunks]
        assert [len(calls) for calls in found] == sorted(len(calls) for calls in found), "a call is gone again"
        assert all(isinstance(one.tool_kwargs, dict) for calls in found for one in calls)

    def test_an_answer_without_calls_can_be_read_for_them(self, make_llm: MakeLLM) -> None:
        """Else agents fail when the model just answers, and strict callers do not notice that it did."""
        llm = self.caller(make_llm)
        plain = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content="Hello."))
        blank = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[]))
        assert llm.get_tool_calls_from_response(plain, error_on_no_tool_call=False) == []
        assert llm.get_tool_calls_from_response(blank, error_on_no_tool_call=False) == []
        with pytest.raises(ValueError):
            llm.get_tool_calls_from_response(plain, error_on_no_tool_call=True)

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_the_history_stays_as_it_is(self, make_llm: MakeLLM, method: str) -> None:
        """Else a memory has the question twice: the list that is handed over is the caller's."""
        llm = self.caller(make_llm)
        history = [ChatMessage(content="Hello."), ChatMessage(role=MessageRole.ASSISTANT, content="Hello yourself.")]
        before = deepcopy(history)
        llm._prepare_chat_with_tools(self.tool_task.tools, user_msg=self.tool_task.question, chat_history=history)
        with self.calling(llm):
            call(llm, method, self.tool_task.tools, user_msg=self.tool_task.question, chat_history=history)
        assert history == before

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_a_call_that_is_required_is_made(self, make_llm: MakeLLM, method: str) -> None:
        """Else structured programs, which require a call, fail whenever the model prefers to talk."""
        llm = self.caller(make_llm)
        self._needs_tools()
        last = call(llm, method, self.tool_task.tools, user_msg=self.question, tool_required=True)[-1]
        assert llm.get_tool_calls_from_response(last)

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_the_tool_that_is_chosen_is_called(self, make_llm: MakeLLM, method: str) -> None:
        """Else `tool_choice` is dropped on its way, as integrations do that name their keywords one by one."""
        llm = self.caller(make_llm)
        self._needs_tools()
        choice = self.tool_choice(self.tool_task.other)
        last = call(llm, method, self.tool_task.tools, user_msg=self.tool_task.question, tool_choice=choice)[-1]
        assert {one.tool_name for one in llm.get_tool_calls_from_response(last)} == {self.tool_task.other}

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_keywords_go_along_with_tools(self, make_llm: MakeLLM, method: str) -> None:
        """Else a misspelt setting of a call with tools does nothing, and a right one does nothing either."""
        llm = self.caller(make_llm)
        with pytest.raises(Exception, match="no_such_keyword_at_all"):
            call(llm, method, self.tool_task.tools, user_msg=self.tool_task.question, no_such_keyword_at_all=1)

    @pytest.mark.parametrize("method", ["predict_and_call", "apredict_and_call"])
    def test_predict_and_call_calls(self, make_llm: MakeLLM, method: str) -> None:
        """Else routers and query planners have no tools."""
        llm = self.caller(make_llm)
        with self.calling(llm):
            (response,) = call(llm, method, list(self.tool_task.tools), user_msg=self.tool_task.question)
        assert (response.response, [source.tool_name for source in response.sources]) == (self.tool_task.output, [self.tool_task.name])

    @pytest.mark.parametrize("method", ["predict_and_call", "apredict_and_call"])
    def test_predict_and_call_calls_without_the_flag(self, make_llm: MakeLLM, method: str) -> None:
        """Else it fails for every model whose template has no tools: LlamaIndex's default makes a ReAct agent without a formatter."""
        llm = self.steady(make_llm, max_tokens=64)
        with _without_flag(llm), self.reacting(llm):
            (response,) = call(llm, method, list(self.tool_task.tools), user_msg=self.tool_task.question)
        assert (response.response, [source.tool_name for source in response.sources]) == (self.tool_task.output, [self.tool_task.name])

    def _needs_tools(self) -> None:
        if "tools" not in self.able:
            pytest.skip("the model is not able to do it by itself, says `able`; a call that is forced cannot be scripted")


class AgentTests(Hooks):
    """Agents with tools."""

    @STREAMING
    async def test_a_function_agent_finishes(self, make_llm: MakeLLM, streaming: bool) -> None:
        """Else the agent that LlamaIndex recommends does not run."""
        llm = self.caller(make_llm)
        with self.calling(llm, self.tool_task.output):
            await self._finishes(FunctionAgent(tools=list(self.tool_task.tools), llm=llm, streaming=streaming))

    @STREAMING
    async def test_a_function_agent_that_runs_out_of_steps_sums_up(self, make_llm: MakeLLM, streaming: bool) -> None:
        """Else a long task ends in an error of the chat template: the agent's last prompt ends in a system message."""
        llm = self.caller(make_llm)
        agent = FunctionAgent(tools=list(self.tool_task.tools), llm=llm, streaming=streaming, early_stopping_method="generate")
        with self.calling(llm, self.tool_task.output):
            output: Any = await agent.run(self.tool_task.question, max_iterations=1)
        assert output.response.content

    @STREAMING
    async def test_a_react_agent_finishes(self, make_llm: MakeLLM, streaming: bool) -> None:
        """Else models without tools have no agent at all."""
        llm = self.steady(make_llm, max_tokens=64)
        with self.reacting(llm, self._answer):
            await self._finishes(ReActAgent(tools=list(self.tool_task.tools), llm=llm, streaming=streaming))

    async def test_a_workflow_takes_the_agent_that_fits(self, make_llm: MakeLLM) -> None:
        """Else the shortest way to an agent fails: the workflow chooses between the two by the flag alone."""
        llm = self.steady(make_llm, max_tokens=64)
        with self.calling(llm, self.tool_task.output) if llm.metadata.is_function_calling_model else self.reacting(llm, self._answer):
            await self._finishes(AgentWorkflow.from_tools_or_functions(list(self.tool_task.tools), llm=llm))

    async def test_a_workflow_without_the_flag_finishes(self, make_llm: MakeLLM) -> None:
        """Else the same LLM with a chat template that has no tools fails."""
        llm = self.steady(make_llm, max_tokens=64)
        with _without_flag(llm), self.reacting(llm, self._answer):
            await self._finishes(AgentWorkflow.from_tools_or_functions(list(self.tool_task.tools), llm=llm))

    @property
    def _answer(self) -> str:
        """The last step of a ReAct agent."""
        return f"Thought: I can answer without using any more tools.\nAnswer: {self.tool_task.output}"

    async def _finishes(self, agent: Any) -> None:
        """Run an agent; it calls the right tool and ends in a text."""
        run, results = agent.run(self.tool_task.question), []
        async for event in run.stream_events():
            if isinstance(event, ToolCallResult):
                results.append((event.tool_name, event.tool_output.content))
        output = await run
        assert (self.tool_task.name, self.tool_task.output) in results
        assert (output.response.content or "").strip()


@contextmanager
def _without_flag(llm: LLM) -> Iterator[None]:
    """Let an LLM say that it calls no functions."""
    told = type(llm).metadata.fget  # type: ignore[attr-defined]
    plain = property(lambda self: told(self).model_copy(update={"is_function_calling_model": False}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(llm), "metadata", plain)
        yield
