"""ChatBaco in agents and graphs: loops with tools, structured answers, summaries, the best of several, tokens as they come.

The embedded pair decides nothing sensible about tools it has never seen, so loops are run on a scripted engine; what
grammars hold is decoded.
"""

import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel, Field

from baco import ConfigError
from baco.engine.requests import Request
from langchain_baco import ChatBaco
from langchain_baco.middleware import BestOfN, most_agreed
from tests.support.scripted import Script, scripted

CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Köln"}}\n</tool_call>'
QUESTION: Any = {"messages": [("user", "What is the weather like in Köln?")]}


class Weather(BaseModel):
    sky: str = Field(max_length=12)
    degrees: int = Field(ge=0, le=9)


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Script:
    return scripted(monkeypatch)


def weather_tool(write: Script, answer: str = "It is sunny.") -> Any:
    @tool
    def weather(city: str) -> str:
        """Say what the weather is like in a city."""
        write(answer)
        return f"sunny in {city}"

    return weather


def test_an_agent_calls_a_tool_and_answers_with_what_it_gave(write: Script) -> None:
    write(CALL)
    agent = create_agent(ChatBaco(max_tokens=80), [weather_tool(write)])
    _, call, result, answer = agent.invoke(QUESTION)["messages"]
    assert call.tool_calls[0]["args"] == {"city": "Köln"}
    assert isinstance(result, ToolMessage) and result.content == "sunny in Köln"
    assert answer.text == "It is sunny."
    assert call.response_metadata["finish_reason"] == "tool_calls" and answer.response_metadata["finish_reason"] == "stop"


async def test_the_same_off_the_event_loop_and_streamed_by_messages(write: Script) -> None:
    write(CALL)
    agent = create_agent(ChatBaco(max_tokens=80), [weather_tool(write)])
    pieces = [message async for message, _ in agent.astream(QUESTION, stream_mode="messages")]
    texts = [piece.text for piece in pieces if isinstance(piece, AIMessage) and piece.text]
    assert "".join(texts) == "It is sunny." and len(texts) > 2
    assert any(getattr(piece, "tool_call_chunks", None) for piece in pieces)


def test_a_structured_answer_by_the_providers_strategy_is_the_default_and_decoded(seed_model: ChatBaco) -> None:
    agent = create_agent(seed_model, [], response_format=Weather)
    found = agent.invoke(QUESTION)
    assert isinstance(found["structured_response"], Weather)
    assert len(found["messages"]) == 2
    assert isinstance(
        create_agent(seed_model, [], response_format=ProviderStrategy(Weather)).invoke(QUESTION)["structured_response"], Weather
    )


def test_a_structured_answer_by_a_tool_is_forced(seed_model: ChatBaco) -> None:
    found = create_agent(seed_model, [], response_format=ToolStrategy(Weather)).invoke(QUESTION)
    assert isinstance(found["structured_response"], Weather)
    assert found["messages"][1].tool_calls[0]["name"] == "Weather"


def test_an_agent_with_tools_may_answer_with_the_schema_instead_of_a_call(seed_model: ChatBaco, write: Script) -> None:
    write('{"sky": "blue", "degrees": 7}')
    found = create_agent(seed_model, [weather_tool(write)], response_format=Weather).invoke(QUESTION)
    assert found["structured_response"] == Weather(sky="blue", degrees=7)


@pytest.fixture
def seed_model() -> ChatBaco:
    return ChatBaco(max_tokens=90, seed=2)


def test_a_long_history_is_summarised_by_the_share_of_the_window(write: Script) -> None:
    """The middleware reads the window from the profile, and trusts the usage that this provider's messages report."""
    write("a summary, or an answer")
    model = ChatBaco(max_tokens=40)
    middleware: Any = SummarizationMiddleware(
        model, trigger=("fraction", 0.3), keep=("messages", 2), trim_tokens_to_summarize=100, summary_prompt="{messages}"
    )
    agent = create_agent(model, [], middleware=[middleware])
    history = [message for _ in range(8) for message in (HumanMessage("a rabbit and a cat " * 12), AIMessage("yes"))]
    found = agent.invoke({"messages": [*history, HumanMessage("And then?")]})["messages"]
    assert len(found) == 4 and "summary" in found[0].text
    assert found[-1].text == "a summary, or an answer"


def test_a_window_that_overflows_is_no_reason_to_try_again(write: Script) -> None:
    seen = write("never")
    agent = create_agent(ChatBaco(max_tokens=8), [], middleware=[ModelRetryMiddleware(max_retries=3, on_failure="error")])
    with pytest.raises(ContextOverflowError, match="context window holds 1024"):
        agent.invoke({"messages": [HumanMessage("rabbit " * 3000)]})
    assert seen == []


def test_the_best_of_several_is_what_most_say(write: Script) -> None:
    other = CALL.replace("Köln", "Rom")
    seen = write(other, CALL, CALL)
    agent = create_agent(ChatBaco(max_tokens=80), [weather_tool(write)], middleware=[BestOfN(3)])
    _, call, _, answer = agent.invoke(QUESTION)["messages"]
    assert [one["args"] for one in call.tool_calls] == [{"city": "Köln"}]
    assert [request.params.n for request in seen] == [3]
    assert call.usage_metadata["output_tokens"] == sum(len(c.tokens) for c in seen[0].candidates.values())
    assert answer.text == "It is sunny."


async def test_the_best_of_several_is_the_likeliest_or_what_a_function_says(submitted: list[Request]) -> None:
    model = ChatBaco(max_tokens=24, seed=5)
    prompt: Any = {"messages": [("user", "Name a pet rabbit.")]}
    found = await create_agent(model, [], middleware=[BestOfN(4, choose="likelihood")]).ainvoke(prompt)
    ranked = model.diverse(4, rank="likelihood").invoke("Name a pet rabbit.")
    assert found["messages"][-1].text == ranked[0].text
    longest: Callable[[list[AIMessage]], AIMessage] = lambda answers: max(answers, key=lambda answer: len(answer.text))  # noqa: E731
    found = create_agent(model, [], middleware=[BestOfN(4, choose=longest)]).invoke(prompt)
    assert len(found["messages"][-1].text) == max(len(answer.text) for answer in ranked)


def test_most_agreed_is_the_answer_most_like_the_others() -> None:
    texts = ["It is nine.", "Seven, I think.", "I think it is seven.", "I think that it is seven."]
    assert most_agreed([AIMessage(text) for text in texts]).text == texts[2]
    assert most_agreed([AIMessage("one")]).text == "one"


@pytest.mark.parametrize(
    ("settings", "reason"), [({"n": 1}, "`n` must be an integer of at least 2"), ({"choose": "best"}, "`choose` must be")]
)
def test_a_middleware_that_cannot_work_says_so_when_it_is_made(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        BestOfN(**settings)


def test_the_best_of_equal_answers_is_refused() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        create_agent(ChatBaco(max_tokens=8, temperature=0), [], middleware=[BestOfN(2)]).invoke(QUESTION)


class State(TypedDict):
    things: list[str]
    names: Annotated[list[str], operator.add]


def test_nodes_of_a_graph_that_run_at_once_answer_as_the_model_does() -> None:
    model = ChatBaco(max_tokens=24, seed=3)

    def name(state: dict[str, str]) -> dict[str, list[str]]:
        return {"names": [model.invoke(f"Name a pet {state['thing']}.").text]}

    graph: Any = StateGraph(State)
    graph.add_node("name", name)
    graph.add_conditional_edges(START, lambda state: [Send("name", {"thing": thing}) for thing in state["things"]])
    graph.add_edge("name", END)
    things = ["rabbit", "cat", "hedgehog"]
    found = graph.compile().invoke({"things": things, "names": []})
    assert found["names"] == [model.invoke(f"Name a pet {thing}.").text for thing in things]


def test_several_answers_inside_a_graph_that_streams_messages() -> None:
    """A graph's handler would have every call decoded as a stream, and a stream of the model is one answer."""
    several = ChatBaco(max_tokens=24, seed=3).diverse(3)
    graph: Any = StateGraph(State)
    graph.add_node("name", lambda state: {"names": [answer.text for answer in several.invoke("Name a pet rabbit.")]})
    graph.add_edge(START, "name")
    updates = [
        part for mode, part in graph.compile().stream({"things": [], "names": []}, stream_mode=["messages", "updates"]) if mode == "updates"
    ]
    assert updates == [{"name": {"names": [answer.text for answer in several.invoke("Name a pet rabbit.")]}}]
