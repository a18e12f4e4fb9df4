"""LangChain: a question that takes a tool. ChatBaco asks for the tool, the tool runs, ChatBaco reports what it found.

Run: python examples/langchain_tools.py
"""

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import tool
from rich.console import Console

from langchain_baco import ChatBaco

PRICES = {"Zelnik": "42 euros", "Morvan": "7 euros"}
QUESTION = "What is the price of Zelnik?"
MAX_STEPS = 4


@tool
def get_price(product: str) -> str:
    """Get the price of a product."""
    return PRICES.get(product, f"there is no {product}")


@tool
def get_colour(flower: str) -> str:
    """Get the colour of a flower."""
    return "yellow"


TOOLS = {each.name: each for each in (get_price, get_colour)}


def answer(model: ChatBaco, question: str) -> list[BaseMessage]:
    """Ask, run the tools that are called for, and go on until an answer calls for none; return the whole conversation."""
    calling = model.bind_tools(list(TOOLS.values()))
    messages: list[BaseMessage] = [HumanMessage(question)]
    for _ in range(MAX_STEPS):
        reply = calling.invoke(messages)
        messages.append(reply)
        if not reply.tool_calls:
            return messages
        messages += [TOOLS[call["name"]].invoke(call) for call in reply.tool_calls]
    raise RuntimeError(f"no answer after {MAX_STEPS} steps: {messages}")


def main() -> None:
    """Show the conversation, step by step."""
    console = Console()
    for message in answer(ChatBaco(max_tokens=80, seed=1), QUESTION):
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        said = [str(message.content)] if message.content else []
        said += [f"{call['name']}({', '.join(f'{key}={value!r}' for key, value in call['args'].items())})" for call in calls]
        console.print(f"[bold]{message.type:>5}[/]  {'; '.join(said)}", highlight=False)


if __name__ == "__main__":
    main()
