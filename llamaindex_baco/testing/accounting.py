"""`AccountingTests`: one call is one event with the true counts. Knows LlamaIndex's events and counters; knows no answers."""

from collections import Counter

import pytest
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent, LLMCompletionEndEvent, LLMCompletionStartEvent

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
