"""BacoLLM in LlamaIndex's agents: loops with tools, hand-offs, prompts by reasoning, code, answers with objects, early ends.

The embedded pair was trained to call a few tools, and does so here; what it has never seen is written by a script.
"""

from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from baco.engine.requests import Request
from llamaindex_baco import BacoLLM, capture_responses
from tests.support.scripted import Script, scripted

# What LlamaIndex's own agents do that its libraries have deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]


class Price(BaseModel):
    euros: int = Field(ge=0, le=99)


def get_price(product: str) -> str:
    """Get the price of a product."""
    return f"{product} costs 42 euros"


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return "sunny, 21 degrees"


TOOLS: Any = [FunctionTool.from_defaults(get_price), FunctionTool.from_defaults(get_weather)]
QUESTION = "What is the price of Zelnik?"


def call(name: str, **arguments: str) -> str:
    written = ", ".join(f'"{key}": "{value}"' for key, value in arguments.items())
    return f'<tool_call>\n{{"name": "{name}", "arguments": {{{written}}}}}\n</tool_call>'


@pytest.fixture
def llm() -> BacoLLM:
    return BacoLLM(device="cpu", max_tokens=60, seed=1)


@pytest.fixture
def memory() -> ChatMemoryBuffer:
    """The default memory opens a database that nothing closes."""
    return ChatMemoryBuffer.from_defaults(token_limit=900)


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Script:
    return scripted(monkeypatch)


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_calls_a_tool_and_answers_with_what_it_gave(llm: BacoLLM, memory: ChatMemoryBuffer, streaming: bool) -> None:
    agent = FunctionAgent(tools=TOOLS, llm=llm, streaming=streaming)
    handler = agent.run(QUESTION, memory=memory)
    events = [event async for event in handler.stream_events()]
    output: Any = await handler
    (result,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert (result.tool_name, result.tool_kwargs) == ("get_price", {"product": "Zelnik"})
    assert "42 euros" in output.response.content
    assert output.raw["usage"]["completion_tokens"] > 0 and output.raw["baco"]["spans"]
    streamed = "".join(event.delta for event in events if isinstance(event, AgentStream))
    assert streamed == (output.response.content if streaming else "")
    roles = [message.role.value for message in memory.get_all()]
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_the_first_call_of_an_agent_may_be_forced(llm: BacoLLM, memory: ChatMemoryBuffer) -> None:
    agent = FunctionAgent(tools=TOOLS, llm=llm.with_(temperature=1.5), initial_tool_choice="get_weather")
    handler = agent.run("Hello.", memory=memory)
    called = [event.tool_name async for event in handler.stream_events() if isinstance(event, ToolCallResult)]
    await handler
    assert called[0] == "get_weather"


async def test_an_agent_answers_with_an_object(llm: BacoLLM, memory: ChatMemoryBuffer) -> None:
    agent = FunctionAgent(tools=TOOLS, llm=llm, output_cls=Price)
    output: Any = await agent.run(QUESTION, memory=memory)
    assert Price.model_validate(output.structured_response)


async def test_agents_hand_over_to_each_other(llm: BacoLLM, write: Script, memory: ChatMemoryBuffer) -> None:
    seen: list[Request] = []

    def priced(product: str) -> str:
        """Get the price of a product."""
        seen.extend(write("It costs 42 euros."))
        return "42 euros"

    def told(agent: str) -> str:
        write(call("priced", product="Zelnik"))
        return agent

    greeter = FunctionAgent(
        name="greeter", description="Greets.", llm=llm, tools=[FunctionTool.from_defaults(get_weather)], can_handoff_to=["clerk"]
    )
    clerk = FunctionAgent(name="clerk", description="Knows prices.", llm=llm, tools=[FunctionTool.from_defaults(priced)])
    workflow = AgentWorkflow(agents=[greeter, clerk], root_agent="greeter")
    write(call("handoff", to_agent="clerk", reason="prices"))
    handler = workflow.run(QUESTION, memory=memory)
    agents = []
    async for event in handler.stream_events():
        if isinstance(event, ToolCallResult) and event.tool_name == "handoff":
            told("clerk")
        if isinstance(event, AgentStream) and event.current_agent_name not in agents:
            agents.append(event.current_agent_name)
    output: Any = await handler
    assert agents == ["greeter", "clerk"]
    assert (output.response.content, output.current_agent_name) == ("It costs 42 euros.", "clerk")


async def test_a_workflow_of_tools_chooses_the_agent_by_the_pairs_template(llm: BacoLLM, memory: ChatMemoryBuffer) -> None:
    workflow = AgentWorkflow.from_tools_or_functions(TOOLS, llm=llm)
    assert isinstance(workflow.agents["Agent"], FunctionAgent)
    output: Any = await workflow.run(QUESTION, memory=memory)
    assert "42 euros" in output.response.content


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_react_agent_reasons_calls_and_answers(llm: BacoLLM, write: Script, memory: ChatMemoryBuffer, streaming: bool) -> None:
    def priced(product: str) -> str:
        """Get the price of a product."""
        write("Thought: I know it now.\nAnswer: It costs 42 euros.")
        return f"{product} costs 42 euros"

    write('Thought: I need a tool.\nAction: priced\nAction Input: {"product": "Zelnik"}')
    agent = ReActAgent(tools=[FunctionTool.from_defaults(priced)], llm=llm, streaming=streaming)
    agent.formatter.system_header = "Tools:\n{tool_desc}\n{tool_names}"  # the whole one is longer than the embedded pair's window
    output: Any = await agent.run(QUESTION, memory=memory)
    assert output.response.content == "It costs 42 euros."


async def test_an_agent_that_writes_code_gets_no_calls(llm: BacoLLM, write: Script, memory: ChatMemoryBuffer) -> None:
    def run(code: str) -> str:
        write("It is 42.")
        return "42"

    write("I compute.\n<execute>\nprint(6 * 7)\n</execute>")
    agent = CodeActAgent(code_execute_fn=run, tools=[], llm=llm, code_act_system_prompt="Write code. {tool_descriptions}")
    output: Any = await agent.run("What is 6 times 7?", memory=memory)
    assert output.response.content == "It is 42."


async def test_an_agent_that_is_stopped_early_reads_a_system_message_at_the_end(
    llm: BacoLLM, write: Script, memory: ChatMemoryBuffer
) -> None:
    seen = write(call("get_price", product="Zelnik"))
    agent = FunctionAgent(tools=TOOLS, llm=llm, early_stopping_method="generate")
    output: Any = await agent.run(QUESTION, memory=memory, max_iterations=2)
    assert output is not None
    shown = llm._engine().pair.tokenizer.decode(seen[-1].prompt.token_ids["aligned"])
    assert "maximum" in shown


async def test_steps_of_an_agent_follow_a_block_around_its_run(llm: BacoLLM, memory: ChatMemoryBuffer) -> None:
    agent = FunctionAgent(tools=TOOLS, llm=llm)
    with llm.using(router="aligned"), capture_responses() as responses:
        await agent.run(QUESTION, memory=memory)
    assert len(responses) == 2
    assert {response.raw["baco"]["router"] for response in responses if response.raw} == {"aligned"}


async def test_a_conversation_with_calls_goes_on(llm: BacoLLM, memory: ChatMemoryBuffer, submitted: list[Request]) -> None:
    agent = FunctionAgent(tools=TOOLS, llm=llm)
    await agent.run(QUESTION, memory=memory)
    output: Any = await agent.run("And what is the weather in Ostrin?", memory=memory)
    assert output.response.content is not None
    shown = llm._engine().pair.tokenizer.decode(submitted[-1].prompt.token_ids["aligned"])
    assert '{"name": "get_price", "arguments": {"product": "Zelnik"}}' in shown and "Zelnik costs 42 euros" in shown
    kept = [ChatMessage.model_validate_json(message.model_dump_json()) for message in memory.get_all()]
    assert kept == memory.get_all()
