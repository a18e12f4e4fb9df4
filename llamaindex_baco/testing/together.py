"""`TogetherTests`: calls at the same time. Knows threads and tasks; compares with the same calls one after another."""

import asyncio
import threading

import pytest

from llamaindex_baco.testing.calls import ASYNC, SYNC, aask, ask, text_of
from llamaindex_baco.testing.hooks import Hooks, MakeLLM


class TogetherTests(Hooks):
    """Calls from several threads and tasks."""

    @pytest.mark.parametrize("method", SYNC)
    def test_two_threads_get_their_own_answers(self, make_llm: MakeLLM, method: str) -> None:
        """Else one user reads another one's answer: web servers call an LLM from a pool of threads."""
        llm = self.steady(make_llm)
        expected = [text_of(ask(llm, method, question)[-1]) for question in self.questions[:2]]
        found: dict[int, str] = {}

        def run(index: int) -> None:
            found[index] = text_of(ask(llm, method, self.questions[index])[-1])

        threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found.get(index) for index in range(2)] == expected

    @pytest.mark.parametrize("method", ASYNC)
    async def test_tasks_that_are_gathered_get_their_own_answers(self, make_llm: MakeLLM, method: str) -> None:
        """Else what extractors and evaluators do in parallel is wrong, or written by one call into another one's stream."""
        llm = self.steady(make_llm)
        expected = [text_of((await aask(llm, method, question))[-1]) for question in self.questions]
        assert len(set(expected)) > 1, "give `questions` with different answers"
        answers = await asyncio.gather(*(aask(llm, method, question) for question in self.questions))
        assert [text_of(chunks[-1]) for chunks in answers] == expected
