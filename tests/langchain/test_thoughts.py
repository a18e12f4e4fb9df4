"""Thoughts of models that think before they answer: split out of the text, streamed or not, and left out of the next prompt."""

from collections.abc import Callable

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool

from baco import Engine
from langchain_baco import ChatBaco
from tests.langchain.helpers import PROMPT
from tests.support.scripted import Script, scripted
from tests.support.tokenizers import QWEN_TEMPLATE

THINKING = QWEN_TEMPLATE + "{# <think> </think> #}"
INSIDE = QWEN_TEMPLATE + "{# </think> #}{{ '<think>\\n' }}"
ANSWER = "<think>\nTwo and two.\n</think>\n\nFour."
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'


@tool
def add(a: int) -> int:
    """Add to two."""
    return a + 2


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Script:
    return scripted(monkeypatch)


@pytest.fixture
def thinks(engine: Engine, room_for_tools: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the tiny pair's tokenizer the template of a model that thinks."""
    return lambda template: monkeypatch.setattr(engine.pair.tokenizer, "chat_template", template)


def streamed(model: ChatBaco) -> AIMessageChunk:
    first, *others = model.stream(PROMPT)
    for chunk in others:
        first = first + chunk
    return first


@pytest.mark.parametrize(("template", "written"), [(THINKING, ANSWER), (INSIDE, ANSWER.removeprefix("<think>\n"))])
def test_a_thought_is_a_block_of_reasoning_and_no_text(
    model: ChatBaco, write: Script, thinks: Callable[[str], None], template: str, written: str
) -> None:
    thinks(template)
    write(written)
    for message in (model.invoke(PROMPT), streamed(model)):
        assert message.text == "Four."
        assert message.additional_kwargs == {"reasoning_content": "Two and two."}
        assert [block["type"] for block in message.content_blocks] == ["reasoning", "text"]
        assert "Two and two." in "".join(text for text, _ in message.response_metadata["baco"]["spans"])


def test_a_thought_comes_while_it_is_written(model: ChatBaco, write: Script, thinks: Callable[[str], None]) -> None:
    thinks(THINKING)
    write(ANSWER)
    chunks = list(model.stream(PROMPT))
    reasoning = [chunk.additional_kwargs["reasoning_content"] for chunk in chunks if chunk.additional_kwargs]
    assert len(reasoning) > 2 and "".join(reasoning) == "Two and two."


def test_calls_behind_a_thought_are_read(model: ChatBaco, write: Script, thinks: Callable[[str], None]) -> None:
    thinks(THINKING)
    write(f"<think>Shall I call <tool_call>?</think>{CALL}")
    message = model.bind_tools([add]).invoke(PROMPT)
    assert message.tool_calls[0]["args"] == {"a": 2} and message.text == ""
    assert message.additional_kwargs["reasoning_content"] == "Shall I call <tool_call>?"


def test_a_model_that_does_not_think_may_write_the_words(model: ChatBaco, write: Script) -> None:
    write(ANSWER)
    assert model.invoke(PROMPT).text == ANSWER


def test_what_is_held_to_a_schema_is_no_thought(model: ChatBaco, thinks: Callable[[str], None], room_for_tools: None) -> None:
    thinks(INSIDE)
    schema = {"title": "colour", "type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    assert model.with_structured_output(schema).invoke(PROMPT, max_tokens=40)["colour"] in ("red", "blue")


def test_earlier_thoughts_are_not_read_again(model: ChatBaco, write: Script, thinks: Callable[[str], None]) -> None:
    thinks(THINKING)
    write(ANSWER)
    thoughtful = [HumanMessage(PROMPT), model.invoke(PROMPT), HumanMessage("Sure?")]
    plain = [HumanMessage(PROMPT), AIMessage("Four."), HumanMessage("Sure?")]
    blocks = [HumanMessage(PROMPT), AIMessage([{"type": "reasoning", "reasoning": "Two."}, {"type": "text", "text": "Four."}]), plain[2]]
    counts = {model.get_num_tokens_from_messages(messages) for messages in (thoughtful, plain, blocks)}
    assert len(counts) == 1
