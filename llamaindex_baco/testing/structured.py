"""`StructuredTests`: answers that are Pydantic objects. Knows LlamaIndex's four structured methods and its structured LLM."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import PromptTemplate

from llamaindex_baco.testing.calls import ask, asked, call, recorded_events
from llamaindex_baco.testing.hooks import Hooks, MakeLLM

STRUCTURED = ("structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict")
PREDICTING = ("predict", "apredict", "stream", "astream")
WHOLE = ("chat", "achat", "stream_chat", "astream_chat", "complete", "acomplete")
"""What a structured LLM of LlamaIndex has: it streams no completions."""
SYSTEM = "Speak of heliotropes."


class StructuredTests(Hooks):
    """Objects, and the system prompt on every way to an answer."""

    @pytest.mark.parametrize("method", STRUCTURED)
    def test_an_object_is_valid(self, make_llm: MakeLLM, method: str) -> None:
        """Else extraction fails now and then, or always in one of the four ways."""
        last = self._objects(self.steady(make_llm, max_tokens=96), method)[-1]
        assert type(last) is self.object_task.output_cls
        assert type(last).model_validate(last.model_dump()) == last

    @pytest.mark.parametrize("method", [method for method in STRUCTURED if "stream" in method])
    def test_a_stream_of_objects_grows_and_is_not_blank(self, make_llm: MakeLLM, method: str) -> None:
        """Else a form that fills itself stays empty: LlamaIndex's own way looks for calls in one place only."""
        found = [_filled(part.model_dump()) for part in self._objects(self.steady(make_llm, max_tokens=96), method)]
        assert found[-1] > 0
        assert len(found) > 1, "a stream of one object is no stream"
        assert found == sorted(found), "what was there is gone again"

    @pytest.mark.parametrize("method", WHOLE)
    def test_a_structured_llm_answers_with_objects(self, make_llm: MakeLLM, method: str) -> None:
        """Else query engines cannot answer with objects, which they do by `as_structured_llm`."""
        llm, task = self.steady(make_llm, max_tokens=96), self.object_task
        with self._writes(llm):
            last = ask(llm.as_structured_llm(task.output_cls), method, task.prompt.format(**task.variables))[-1]
        assert isinstance(last.raw, task.output_cls)

    @pytest.mark.parametrize("method", [*STRUCTURED, *PREDICTING])
    def test_the_system_prompt_is_on_every_way(self, make_llm: MakeLLM, method: str) -> None:
        """Else rules of the application hold in one call and not in another: some of LlamaIndex's own ways forget them."""
        llm = self.steady(make_llm, max_tokens=96, system_prompt=SYSTEM)
        with recorded_events() as events:
            if method in STRUCTURED:
                assert self._objects(llm, method)
            else:
                assert call(llm, method, PromptTemplate("{question}"), question=self.question)
        prompts = asked(events)
        assert prompts, "the LLM tells no event"
        assert [prompt.count(SYSTEM) for prompt in prompts] == [1] * len(prompts)

    def _writes(self, llm: LLM) -> AbstractContextManager[Any]:
        """Let the model write the object, by itself if it can, and in a call if the LLM asks for one."""
        task = self.object_task
        if "objects" in self.able:
            return nullcontext()
        called = llm.metadata.is_function_calling_model
        return self.writing(llm, self.written_call(task.output_cls.__name__, task.example) if called else task.written)

    def _objects(self, llm: LLM, method: str) -> list[Any]:
        task = self.object_task
        with self._writes(llm):
            return call(llm, method, task.output_cls, PromptTemplate(task.prompt), **task.variables)


def _filled(value: Any) -> int:
    """How much of an object is there: characters of its texts, and its other values."""
    if isinstance(value, dict | list):
        return sum(map(_filled, value.values() if isinstance(value, dict) else value))
    return len(value) if isinstance(value, str) else int(value is not None)
