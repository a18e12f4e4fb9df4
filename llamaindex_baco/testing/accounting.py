"""`AccountingTests` and `WindowTests`: tokens are counted truly, and planned for. Knows events, counters, metadata; knows no answers."""

from collections import Counter

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent, LLMCompletionEndEvent, LLMCompletionStartEvent
from llama_index.core.prompts import PromptTemplate

from llamaindex_baco.testing.calls import METHODS, ask, counts, recorded_events, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

EVENTS = (LLMChatStartEvent, LLMChatEndEvent, LLMCompletionStartEvent, LLMCompletionEndEvent)
FOREIGN = 100_003
"""Tokens that a text has by a tokenizer that nobody should ask: no LLM has this many."""


class AccountingTests(Hooks):
    """Events and token counts."""

    @pytest.mark.parametrize("method", METHODS)
    def test_one_call_is_one_pair_of_events(self, make_llm: MakeLLM, method: str) -> None:
        """Else a trace shows calls that nobody made: a chat that calls the public `complete` tells both."""
        llm = self.steady(make_llm)
        with recorded_events() as events:
            ask(llm, method, self.question)
        kind = EVENTS[:2] if "chat" in method else EVENTS[2:]
        assert Counter(type(event) for event in events if isinstance(event, EVENTS)) == Counter(kind)

    @pytest.mark.parametrize("method", METHODS)
    def test_one_call_is_counted_once(self, make_llm: MakeLLM, method: str) -> None:
        """Else bills and budgets are two or three times too high, or made up by another model's tokenizer."""
        counter = TokenCountingHandler(tokenizer=lambda text: [0] * FOREIGN)
        last = ask(self.steady(make_llm, callback_manager=CallbackManager([counter])), method, self.question)[-1]
        assert len(counter.llm_token_counts) == 1
        told = counter.prompt_llm_token_count, counter.completion_llm_token_count
        assert told == counts(last), "the handler found no usage, and counted by itself"

    @pytest.mark.parametrize("method", METHODS)
    def test_an_answer_that_is_cut_has_as_many_tokens_as_it_was_given(self, make_llm: MakeLLM, method: str) -> None:
        """Else `max_tokens` or the count is not in tokens of the model. The limit is the truth here, so no tokenizer is needed."""
        for limit in (3, 7):
            last = ask(self.make(make_llm, **{**self.long_settings, "max_tokens": limit}), method, self.question)[-1]
            assert counts(last)[1] == limit

    @pytest.mark.parametrize("method", METHODS)
    def test_counts_are_those_of_the_models_own_tokenizer(self, make_llm: MakeLLM, method: str) -> None:
        """Else what a user is told does not fit what the model's window holds."""
        llm = self.steady(make_llm)
        recording = self.prompts(llm)
        if recording is None:
            pytest.skip("`prompts` is not given")
        with recording as prompts:
            last = ask(llm, method, self.question)[-1]
        prompt, answer = counts(last)
        assert prompt == len(prompts[0])
        ids = self.encode(text_of(last))
        if ids is not None:
            assert answer - len(ids) in (0, 1), "the end token may be counted or not"


class WindowTests(Hooks):
    """Context window and overflow."""

    def test_the_window_is_the_models_own(self, make_llm: MakeLLM) -> None:
        """Else LlamaIndex plans prompts that the model cannot read, or leaves most of its window empty."""
        window = self.make(make_llm).metadata.context_window
        if self.context_window is None:
            assert window != DEFAULT_CONTEXT_WINDOW, "this is LlamaIndex's default; give `context_window` if it is the model's"
        else:
            assert window == self.context_window

    def test_num_output_is_the_longest_answer(self, make_llm: MakeLLM) -> None:
        """Else the room that LlamaIndex keeps free for an answer is not what the answer takes."""
        assert self.make(make_llm, max_tokens=17).metadata.num_output == 17

    @pytest.mark.parametrize("share", [0.1, 1.0, 2.0])
    def test_prompts_can_be_planned_whatever_max_tokens_is(self, make_llm: MakeLLM, share: float) -> None:
        """Else query engines fail before they ask: LlamaIndex subtracts `num_output` from the window and raises below zero."""
        window = self.make(make_llm).metadata.context_window
        metadata = self.make(make_llm, max_tokens=int(window * share)).metadata
        assert metadata.num_output < metadata.context_window
        helper = PromptHelper.from_llm_metadata(metadata, tokenizer=str.split)
        assert helper.repack(PromptTemplate("{context_str}"), ["some words"]) == ["some words"]

    @pytest.mark.parametrize("method", METHODS)
    def test_a_prompt_that_is_too_long_is_an_error_with_the_counts(self, make_llm: MakeLLM, method: str) -> None:
        """Else the model reads a part of the question, or answers beyond its positions, and nobody knows why it is so bad."""
        llm = self.steady(make_llm)
        window = llm.metadata.context_window
        with pytest.raises(Exception, match=rf"\b{window:_}\b|\b{window:,}\b|\b{window}\b"):
            ask(llm, method, "word " * (2 * window))
