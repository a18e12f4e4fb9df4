"""`ConversationTests`: messages of every form that LlamaIndex makes. Knows roles and blocks; knows no templates."""

from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.llms.llm import LLM

from llamaindex_baco.testing.calls import counts
from llamaindex_baco.testing.hooks import Hooks, MakeLLM


def _name(block: Any) -> str:
    return type(block).__name__


PIXEL = b"\x89PNG\r\n\x1a\n"
MEDIA: tuple[Any, ...] = (
    types.ImageBlock(image=PIXEL, image_mimetype="image/png"),
    types.AudioBlock(audio=b"RIFF", format="wav"),
    types.VideoBlock(video=b"ftyp", video_mimetype="video/mp4"),
    types.DocumentBlock(data=b"%PDF-1.4", document_mimetype="application/pdf"),
)
TEXTLESS = (types.ThinkingBlock(content="hm"), types.CachePoint(cache_control=types.CacheControl(type="ephemeral")))
SYSTEM, USER, ASSISTANT, TOOL = MessageRole.SYSTEM, MessageRole.USER, MessageRole.ASSISTANT, MessageRole.TOOL
ORDERS = {
    "a system message at the end": (USER, SYSTEM),
    "a system message in the middle": (USER, ASSISTANT, SYSTEM, USER),
    "two system messages": (SYSTEM, SYSTEM, USER),
    "two user messages in a row": (USER, USER),
    "two answers in a row": (USER, ASSISTANT, ASSISTANT, USER),
    "an answer first": (ASSISTANT, USER),
}
WORDS = ("apples", "bricks", "clouds", "ducks")
"""One for each message, so that it can be found in what the model reads."""


class ConversationTests(Hooks):
    """Roles, orders and blocks."""

    @pytest.mark.parametrize("order", ORDERS)
    def test_messages_come_in_any_order(self, make_llm: MakeLLM, order: str) -> None:
        """Else agents fail late: their last step ends in a system message, and strict chat templates raise at that."""
        messages = [ChatMessage(role=role, content=WORDS[index]) for index, role in enumerate(ORDERS[order])]
        self._reads(self.steady(make_llm), messages, WORDS[: len(messages)])

    @pytest.mark.parametrize("role", list(MessageRole), ids=lambda role: role.value)
    def test_every_role_is_read(self, make_llm: MakeLLM, role: MessageRole) -> None:
        """Else histories of other providers cannot be continued: they say developer, model or chatbot."""
        messages = [ChatMessage(content="apples"), ChatMessage(role=role, content="bricks"), ChatMessage(content="clouds")]
        self._reads(self.steady(make_llm), messages, WORDS[:3])

    def test_a_result_of_a_tool_needs_no_name(self, make_llm: MakeLLM) -> None:
        """Else agents fail after the first call: LlamaIndex says which call a result answers, not which tool."""
        call = ToolCallBlock(tool_call_id="call_1", tool_name=self.tool_task.name, tool_kwargs=self.tool_task.arguments)
        result = ChatMessage(role=TOOL, content="bricks", additional_kwargs={"tool_call_id": "call_1"})
        messages = [ChatMessage(content="apples"), ChatMessage(role=ASSISTANT, blocks=[call]), result]
        self._reads(self.steady(make_llm), messages, WORDS[:2])

    @pytest.mark.parametrize("block", TEXTLESS, ids=_name)
    def test_a_block_without_text_is_accepted(self, make_llm: MakeLLM, block: Any) -> None:
        """Else a history with an earlier thought, or a hint to a provider's cache, ends the conversation."""
        answer = ChatMessage(role=ASSISTANT, blocks=[block, TextBlock(text="bricks")])
        messages = [ChatMessage(content="apples"), answer, ChatMessage(content="clouds")]
        self._reads(self.steady(make_llm), messages, WORDS[:3])

    def test_text_of_citable_blocks_and_of_several_blocks_is_read(self, make_llm: MakeLLM) -> None:
        """Else the sources are missing from the prompt: `message.content` has none of a citable block's text."""
        cited = types.CitableBlock(title="t", source="s", content=[TextBlock(text="bricks")])
        message = ChatMessage(blocks=[TextBlock(text="apples"), cited, TextBlock(text="clouds")])
        self._reads(self.steady(make_llm), [message], WORDS[:3])

    @pytest.mark.parametrize("block", MEDIA, ids=_name)
    def test_media_that_are_not_read_are_refused_by_name(self, make_llm: MakeLLM, block: Any) -> None:
        """Else the model answers a question about a picture that it has not seen."""
        name = _name(block)
        if name in self.media:
            pytest.skip(f"the LLM reads a {name}, says `media`")
        llm = self.steady(make_llm)
        with pytest.raises(Exception, match=f"(?i){name.removesuffix('Block')}"):
            llm.chat([ChatMessage(blocks=[TextBlock(text="apples"), block])])

    def test_a_prompt_begins_once(self, make_llm: MakeLLM) -> None:
        """Else answers get worse, silently: the chat template writes the beginning-of-text token, and the tokenizer a second one."""
        llm = self.steady(make_llm)
        recording = self.prompts(llm)
        if recording is None or self.bos_id is None:
            pytest.skip("`prompts` or `bos_id` is not given")
        with recording as prompts:
            llm.chat([ChatMessage(content=self.question)])
            list(llm.stream_chat([ChatMessage(content=self.question)]))
        assert len(prompts) == 2
        assert [ids.count(self.bos_id) for ids in prompts] == [1, 1]

    def _reads(self, llm: LLM, messages: Sequence[ChatMessage], words: Sequence[str]) -> None:
        """Ask, and look for each message's word in what the model read or, where that is not known, whether more words are more tokens."""
        recording = self.prompts(llm)
        if recording is not None:
            with recording as prompts:
                llm.chat(messages)
            read = self.decode(prompts[0])
            assert [word for word in words if word not in read] == []
            return
        told = counts(llm.chat(messages))[0]
        for index, message in enumerate(messages):
            if told and message.role != TOOL and any(not isinstance(block, ToolCallBlock) for block in message.blocks):
                longer = ChatMessage(role=message.role, blocks=[*message.blocks, TextBlock(text="and a few words more")])
                more = [*messages[:index], longer, *messages[index + 1 :]]
                assert counts(llm.chat(more))[0] > told, f"message {index} is not read"
