"""`KeywordTests`: every keyword is honoured or refused. Knows settings by the suite's names; the author says what they are called."""

import pytest

from llamaindex_baco.testing.calls import METHODS, ask, counts, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

UNKNOWN = {"no_such_keyword_at_all": 1}


class KeywordTests(Hooks):
    """Settings of one call, and words that are no settings."""

    @pytest.mark.parametrize("method", METHODS)
    def test_max_tokens_of_a_call_is_honoured(self, make_llm: MakeLLM, method: str) -> None:
        """Else a short answer cannot be had without another LLM."""
        llm, keywords = self.make(make_llm, **self.long_settings), self.for_call(max_tokens=4)
        whole, short = (ask(llm, method, self.question, **more)[-1] for more in ({}, keywords))
        assert len(text_of(short)) < len(text_of(whole))
        if counts(short)[1]:
            assert counts(short)[1] == 4

    @pytest.mark.parametrize("method", METHODS)
    def test_temperature_of_a_call_is_honoured(self, make_llm: MakeLLM, method: str) -> None:
        """Else a user who asks for a repeatable answer gets a drawn one, without a word."""
        keywords = self.for_call(temperature=0)
        expected = text_of(ask(self.make(make_llm, temperature=0, max_tokens=24), method, self.question)[-1])
        drawing = self.make(make_llm, temperature=2.0, max_tokens=24)
        assert len({text_of(ask(drawing, method, self.question)[-1]) for _ in range(3)}) > 1, "temperature 2 draws nothing"
        assert [text_of(ask(drawing, method, self.question, **keywords)[-1]) for _ in range(2)] == [expected] * 2

    @pytest.mark.parametrize("method", METHODS)
    def test_the_seed_of_a_call_is_honoured(self, make_llm: MakeLLM, method: str) -> None:
        """Else an answer that was seen once cannot be had again."""
        llm, keywords = self.make(make_llm, temperature=2.0, max_tokens=24), [self.for_call(seed=seed) for seed in (1, 2, 3)]
        answers = [[text_of(ask(llm, method, self.question, **one)[-1]) for one in keywords] for _ in range(2)]
        assert answers[0] == answers[1]
        assert len(set(answers[0])) > 1

    @pytest.mark.parametrize("method", METHODS)
    def test_stop_texts_of_a_call_are_honoured(self, make_llm: MakeLLM, method: str) -> None:
        """Else a ReAct prompt goes on and makes up what the tool would have said."""
        self.for_call(stop=[])
        llm = self.steady(make_llm)
        whole = text_of(ask(llm, method, self.question)[-1])
        word = whole.split()[2]
        cut = text_of(ask(llm, method, self.question, **self.for_call(stop=[word]))[-1])
        assert cut.strip() == whole[: whole.index(word)].strip()

    @pytest.mark.parametrize("method", METHODS)
    def test_an_unknown_keyword_of_a_call_is_an_error(self, make_llm: MakeLLM, method: str) -> None:
        """Else a misspelt setting does nothing, and nobody notices."""
        llm = self.steady(make_llm)
        with pytest.raises(Exception, match=next(iter(UNKNOWN))):
            ask(llm, method, self.question, **UNKNOWN)

    def test_an_unknown_keyword_of_the_constructor_is_an_error(self, make_llm: MakeLLM) -> None:
        """Else a misspelt setting does nothing, and nobody notices: LlamaIndex's base class drops what it does not know."""
        self.steady(make_llm)
        with pytest.raises(Exception, match=next(iter(UNKNOWN))):
            self.steady(make_llm, **UNKNOWN)
