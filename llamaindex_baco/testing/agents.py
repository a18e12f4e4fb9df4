"""`AgentTests`: LlamaIndex's agents come to their end. Knows agents; knows no calls of the LLM."""

from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.agent.workflow.workflow_events import ToolCallResult

from llamaindex_baco.testing.calling import without_flag
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

STREAMING = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


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
        with without_flag(llm), self.reacting(llm, self._answer):
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
