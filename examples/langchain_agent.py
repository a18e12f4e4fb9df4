"""LangChain: an agent with tools whose every turn is drawn five times, step by step. The one of five that is most like the others goes on.

It is asked at temperature 1.5, at which the embedded pair writes nonsense about every other time: there is something to choose from.

Run: python examples/langchain_agent.py
"""

from collections import Counter
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from rich.console import Console
from rich.markup import escape

from langchain_baco import ChatBaco
from langchain_baco.middleware import BestOfN, most_agreed

PRICES = {"Zelnik": "42 euros", "Morvan": "7 euros"}
QUESTIONS = ("What is the price of Zelnik?", "What is the weather in Ostrin?", "What is 17 plus 25?")


@tool
def get_price(product: str) -> str:
    """Get the price of a product."""
    return PRICES.get(product, f"there is no {product}")


@tool
def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return "sunny, 21 degrees"


@tool
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


class Vote:
    """Chooses as `BestOfN` does when it is not told how, and keeps what there was to choose from."""

    def __init__(self) -> None:
        self.answers: list[AIMessage] = []

    def __call__(self, answers: list[AIMessage]) -> AIMessage:
        """Take the answer that is most like the others."""
        self.answers = answers
        return most_agreed(answers)


def shown(message: BaseMessage) -> str:
    """What a message says, or calls."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    written = [f"{call['name']}({', '.join(f'{key}={value!r}' for key, value in call['args'].items())})" for call in calls]
    broken = [str(call["args"]) for call in message.invalid_tool_calls] if isinstance(message, AIMessage) else []
    return " ".join(" ".join([message.text, *written, *broken]).split())


def show_step(console: Console, message: BaseMessage, vote: Vote) -> None:
    """Show a message, and what it was chosen from."""
    console.print(f"[bold]{message.type:>5}[/]  {escape(shown(message))}")
    if isinstance(message, AIMessage):
        for text, count in Counter(map(shown, vote.answers)).most_common():
            console.print(f"[dim]       {count} of {len(vote.answers)}: {escape(text)}[/]")


def main() -> None:
    """Ask the agent some questions, each on its own, and show every step as it is done."""
    console = Console(highlight=False)
    vote = Vote()
    model = ChatBaco(max_tokens=60, temperature=1.5, seed=1)
    agent: Any = create_agent(model, [get_price, get_weather, add], middleware=[BestOfN(5, choose=vote)])
    for question in QUESTIONS:
        console.print(f"[bold]human[/]  {question}")
        for step in agent.stream({"messages": [("user", question)]}, {"recursion_limit": 8}, stream_mode="updates"):
            for update in step.values():
                show_step(console, update["messages"][-1], vote)
        console.print()


if __name__ == "__main__":
    main()
