"""Small agents: conversations with tools on the embedded pair, by `invoke` and by `ainvoke`.

Knows `ChatBaco`; knows no clocks.
"""

from collections.abc import Iterator

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool

from langchain_baco import ChatBaco

NAMES = tuple("Zelnik Morvan Brisco Talmora Dorvel Kestan Marlin Ondra Pelgar Sarvik Tolmin Urbeck Vandor Wilmar Yorvan Zandra".split())
QUESTIONS = ("What is the price of {name}?", "What is the colour of {name}?")
FOLLOW_UPS = ("Suggest a gift for my sister, who likes music.", "Name a pet rabbit.", "Tell me something about the sea.")
TURNS = 3


@tool
def get_price(product: str) -> str:
    """Get the price of a product."""
    return f"{7 + len(product)} euros"


@tool
def get_colour(flower: str) -> str:
    """Get the colour of a flower."""
    return "yellow" if len(flower) % 2 else "blue"


TOOLS = {each.name: each for each in (get_price, get_colour)}


def converse(model: ChatBaco, number: int) -> list[AIMessage]:
    """Hold a conversation by `invoke`; return what the model said."""
    agent, calling = Agent(number), model.bind_tools(list(TOOLS.values()))
    for _ in range(TURNS):
        agent.hear(calling.invoke(agent.history, seed=number))
    return agent.said


async def aconverse(model: ChatBaco, number: int) -> list[AIMessage]:
    """Hold the same conversation by `ainvoke`."""
    agent, calling = Agent(number), model.bind_tools(list(TOOLS.values()))
    for _ in range(TURNS):
        agent.hear(await calling.ainvoke(agent.history, seed=number))
    return agent.said


class Agent:
    """One side of a conversation: asks, runs the tools that are called for, and asks on."""

    def __init__(self, number: int) -> None:
        question = QUESTIONS[number % len(QUESTIONS)].format(name=NAMES[number // len(QUESTIONS) % len(NAMES)])
        self.history: list[BaseMessage] = [HumanMessage(question)]
        self.said: list[AIMessage] = []

    def hear(self, reply: AIMessage) -> None:
        """Add a reply to the history, and what it leads to: results of the tools that it calls, else the next question."""
        self.said.append(reply)
        self.history += [reply, *self._answers(reply)]

    def _answers(self, reply: AIMessage) -> Iterator[BaseMessage]:
        for call in reply.tool_calls:
            yield TOOLS[call["name"]].invoke(call)
        if not reply.tool_calls:
            yield HumanMessage(FOLLOW_UPS[(len(self.said) - 1) % len(FOLLOW_UPS)])
