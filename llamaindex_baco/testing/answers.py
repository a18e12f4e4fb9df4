"""`AnswerTests`: what the eight methods return. Knows responses and streams; how calls are counted is in `accounting`."""

import json

import pytest
from llama_index.core.base.llms.generic_utils import messages_to_prompt
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole

from llamaindex_baco.testing.calls import METHODS, STREAMS, ask, counts, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM


class AnswerTests(Hooks):
    """Answers, whole and streamed."""

    @pytest.mark.parametrize("method", METHODS)
    def test_every_method_answers(self, make_llm: MakeLLM, method: str) -> None:
        """Else some pipelines work and others do not: engines, agents and evaluators each call other ones of the eight."""
        last = ask(self.steady(make_llm), method, self.question)[-1]
        assert isinstance(last, ChatResponse if "chat" in method else CompletionResponse)
        assert text_of(last).strip()
        if isinstance(last, ChatResponse):
            assert last.message.role == MessageRole.ASSISTANT

    @pytest.mark.parametrize("method", STREAMS)
    def test_a_stream_is_cumulative_and_its_deltas_add_up(self, make_llm: MakeLLM, method: str) -> None:
        """Else users see text twice, or lose the beginning: some consumers show deltas, others the newest chunk."""
        chunks = ask(self.steady(make_llm), method, self.question)
        assert len(chunks) > 1, "a stream of one chunk is no stream"
        shown = ""
        for chunk in chunks:
            shown += chunk.delta or ""
            assert text_of(chunk) == shown

    @pytest.mark.parametrize("method", [method for method in METHODS if method not in ("chat", "complete")])
    def test_every_way_to_ask_gives_the_same_answer(self, make_llm: MakeLLM, method: str) -> None:
        """Else what was tested is not what is deployed: the stream reads another prompt, or decodes with other settings."""
        llm = self.steady(make_llm)
        plain = "chat" if "chat" in method else "complete"
        assert text_of(ask(llm, method, self.question)[-1]) == text_of(ask(llm, plain, self.question)[-1])

    @pytest.mark.parametrize("method", METHODS)
    def test_raw_is_json_with_usage(self, make_llm: MakeLLM, method: str) -> None:
        """Else traces cannot be stored (a tensor), callbacks fail, and tokens are counted with another model's tokenizer."""
        last = ask(self.steady(make_llm), method, self.question)[-1]
        assert last.raw is not None, "no raw, so no usage"
        raw = last.raw if isinstance(last.raw, dict) else last.raw.model_dump()
        json.dumps(raw)
        last.model_dump_json()
        assert min(counts(last)) > 0

    @pytest.mark.parametrize("method", STREAMS)
    def test_usage_is_told_once_in_a_stream(self, make_llm: MakeLLM, method: str) -> None:
        """Else a sum over chunks counts twice, or nothing."""
        chunks = ask(self.steady(make_llm), method, self.question)
        totals = {counts(chunk) for chunk in chunks if counts(chunk) != (0, 0)}
        assert counts(chunks[-1]) in totals, "the last chunk has no usage"
        assert len(totals) == 1, "chunks contradict each other"

    @pytest.mark.parametrize("method", [method for method in METHODS if "chat" in method])
    def test_statistics_stay_out_of_the_next_prompt(self, make_llm: MakeLLM, method: str) -> None:
        """Else the model reads its own token counts: LlamaIndex prints a message's `additional_kwargs` into the next prompt."""
        message = ask(self.steady(make_llm), method, self.question)[-1].message
        clean = ChatMessage(role=message.role, content=message.content)
        assert messages_to_prompt([message]) == messages_to_prompt([clean])

    @pytest.mark.parametrize("method", METHODS)
    def test_logprobs_survive_where_they_are_asked_for(self, make_llm: MakeLLM, method: str) -> None:
        """Else confidence cannot be had in chats and streams: LlamaIndex's own way from a completion to a chat drops them."""
        if self.logprobs_keywords is None:
            pytest.skip("`logprobs_keywords` is not given: the LLM has none")
        assert ask(self.steady(make_llm), method, self.question)[-1].logprobs is None, "they were not asked for"
        last = ask(self.steady(make_llm, **self.logprobs_keywords), method, self.question)[-1]
        assert last.logprobs
        assert all(position[0].logprob <= 0 for position in last.logprobs)
        if counts(last)[1]:
            assert len(last.logprobs) == counts(last)[1], "one position a token"
