"""LlamaIndex: a chat engine whose answers are streamed, and what else could have been said at every turn, drawn beside the conversation.

Run: python examples/llamaindex_chat_engine.py
"""

from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer
from rich.console import Console

from baco.cli.terminal import Column, legend, needs_marks, side_by_side
from llamaindex_baco import BacoLLM, capture_responses

TURNS = ("Suggest a name for a pet kitten.", "Give me a gift idea for my aunt who loves tea.", "Suggest a place to visit by the sea.")
OTHERS = 3


def others(engine: SimpleChatEngine, llm: BacoLLM, turn: str) -> Column:
    """Draw further answers to what the engine was just asked, as one batch; the conversation does not see them."""
    *before, _ = engine.chat_history
    facts = [response.raw["baco"] for response in llm.sample(before, OTHERS, distinct=0.95, seed=5) if response.raw]
    spans = [fact["spans"] for fact in facts]
    base, aligned = (sum(fact[f"{which}_tokens"] for fact in facts) for which in ("base", "aligned"))
    return Column(title=f"other answers to: {turn}", answers=spans, base_share=base / (base + aligned))


def main() -> None:
    """Hold a conversation, each answer word by word."""
    console = Console(highlight=False)
    llm = BacoLLM(max_tokens=40, seed=4)
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=ChatMemoryBuffer.from_defaults(token_limit=600))
    marked = needs_marks(console)
    for turn in TURNS:
        console.print(f"[bold]     user[/]  {turn}")
        console.print("[bold]assistant[/]  ", end="")
        with capture_responses() as responses:
            for piece in engine.stream_chat(turn).response_gen:
                console.print(piece, end="", markup=False)
        usage = responses[-1].raw["usage"] if responses and responses[-1].raw else {}
        console.print(f"\n[dim]           {usage['prompt_tokens']} tokens read, {usage['completion_tokens']} written[/]")
        console.print(side_by_side([others(engine, llm, turn)], marked=marked, title=""))
    console.print(legend(marked=marked))


if __name__ == "__main__":
    main()
