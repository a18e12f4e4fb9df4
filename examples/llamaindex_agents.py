"""LlamaIndex: a function agent with tools, two agents that hand over to each other, and a ReAct agent.

The embedded pair was trained to call a few tools, and is asked by the function agent. Handing over and reasoning in writing it has never
seen: name a larger pair for these two.

Run: python examples/llamaindex_agents.py [--pair qwen2.5-0.5b]
"""

import argparse
import asyncio
import warnings
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent, ToolCall, ToolCallResult
from llama_index.core.memory import ChatMemoryBuffer
from rich.console import Console
from rich.markup import escape

from llamaindex_baco import BacoLLM, capture_responses

# LlamaIndex's workflows use what Pydantic has deprecated.
warnings.filterwarnings("ignore", category=DeprecationWarning)

PRICES = {"Zelnik": "42 euros", "Morvan": "7 euros"}
QUESTIONS = ("What is the price of Zelnik?", "What is the weather in Ostrin?", "What is 17 plus 25?")


def get_price(product: str) -> str:
    """Get the price of a product."""
    return PRICES.get(product, f"there is no {product}")


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return "sunny, 21 degrees"


def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


async def show(console: Console, runner: Any, question: str) -> None:
    """Ask an agent, or a workflow of agents, and print each step as it is made."""
    console.print(f"[bold]     user[/]  {escape(question)}")
    with capture_responses() as responses:
        handler = runner.run(question, memory=ChatMemoryBuffer.from_defaults())
        async for event in handler.stream_events():
            if isinstance(event, ToolCallResult):
                console.print(f"[bold]     tool[/]  {escape(str(event.tool_output))}")
            elif isinstance(event, ToolCall):
                written = ", ".join(f"{name}={value!r}" for name, value in event.tool_kwargs.items())
                console.print(f"[bold]    calls[/]  {escape(f'{event.tool_name}({written})')}")
        output = await handler
    console.print(f"[bold]assistant[/]  {escape(output.response.content or '')}")
    facts = [response.raw["baco"] for response in responses if response.raw]
    base, aligned = (sum(fact[f"{which}_tokens"] for fact in facts) for which in ("base", "aligned"))
    console.print(f"[dim]           {len(facts)} answers, {base + aligned} tokens, {base} of them by the base model[/]\n")


def workflow(llm: BacoLLM) -> AgentWorkflow:
    """A greeter who hands over to a clerk who knows prices."""
    greeter = FunctionAgent(
        name="greeter",
        description="Welcomes visitors and knows the weather.",
        system_prompt="You welcome visitors. For prices, hand over to the clerk.",
        llm=llm,
        tools=[get_weather],
        can_handoff_to=["clerk"],
    )
    clerk = FunctionAgent(name="clerk", description="Knows all prices.", system_prompt="You know prices.", llm=llm, tools=[get_price])
    return AgentWorkflow(agents=[greeter, clerk], root_agent="greeter")


async def main(pair: str | None = None) -> None:
    """Ask the agents that a pair is good enough for."""
    console = Console(highlight=False)
    llm = BacoLLM(model=pair, max_tokens=60 if pair is None else 300, seed=1)
    console.print("[bold]A function agent[/]\n")
    for question in QUESTIONS:
        await show(console, FunctionAgent(llm=llm, tools=[get_price, get_weather, add]), question)
    if pair is None:
        console.print("Agents that hand over, and a ReAct agent, need a larger pair: add [bold]--pair qwen2.5-0.5b[/]")
        return
    console.print("[bold]Two agents that hand over[/]\n")
    await show(console, workflow(llm), QUESTIONS[0])
    console.print("[bold]A ReAct agent[/]\n")
    # No model should make up what a tool gave.
    await show(console, ReActAgent(llm=llm.with_(stop=["Observation:"]), tools=[get_price, get_weather, add]), QUESTIONS[0])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pair", metavar="NAME", help="a preset (`baco pairs` lists them), or base|aligned")
    asyncio.run(main(parser.parse_args().pair))
