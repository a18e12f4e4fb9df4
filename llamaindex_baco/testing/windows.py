"""`WindowTests`: how much fits. Knows LlamaIndex's metadata and prompt helper; knows no templates."""

import pytest
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.prompts import PromptTemplate

from llamaindex_baco.testing.calls import METHODS, ask
from llamaindex_baco.testing.hooks import Hooks, MakeLLM


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
