"""`CallingTests`: tools, as function agents, programs and `predict_and_call` use them. Knows LlamaIndex's two ways: calls, and ReAct."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from llamaindex_baco.testing.hooks import Hooks, MakeLLM

WITH_TOOLS = ("chat_with_tools", "stream_chat_with_tools", "achat_with_tools", "astream_chat_with_tools")


class CallingTests(Hooks):
    """Tools in calls."""

    def test_an_llm_that_says_it_calls_functions_has_the_methods(self, make_llm: MakeLLM) -> None:
        """Else agents choose it by its flag, and fail with an AttributeError at their first step."""
        llm = self.steady(make_llm)
        assert isinstance(llm, FunctionCallingLLM) or not llm.metadata.is_function_calling_model

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_a_tool_is_called(self, make_llm: MakeLLM, method: str) -> None:
        """Else agents get a text where a call should be; in streams that goes unnoticed until the last chunk."""
        llm = self._caller(make_llm)
        with self._calls(llm):
            last = _ask_with_tools(llm, method, self.tool_task.tools, self.tool_task.question)[-1]
        (call,) = llm.get_tool_calls_from_response(last)
        assert (call.tool_name, call.tool_kwargs) == (self.tool_task.name, self.tool_task.arguments)
        assert call.tool_id

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_every_chunk_can_be_read_for_calls(self, make_llm: MakeLLM, method: str) -> None:
        """Else agents that stream fail in the middle of a call: they look for calls in every chunk."""
        llm = self._caller(make_llm)
        with self._calls(llm):
            chunks = _ask_with_tools(llm, method, self.tool_task.tools, self.tool_task.question)
        found = [llm.get_tool_calls_from_response(chunk, error_on_no_tool_call=False) for chunk in chunks]
        assert [len(calls) for calls in found] == sorted(len(calls) for calls in found), "a call is gone again"
        assert all(isinstance(call.tool_kwargs, dict) for calls in found for call in calls)

    def test_an_answer_without_calls_can_be_read_for_them(self, make_llm: MakeLLM) -> None:
        """Else agents fail when the model just answers, and strict callers do not notice that it did."""
        llm = self._caller(make_llm)
        plain = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content="Hello."))
        blank = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[]))
        assert llm.get_tool_calls_from_response(plain, error_on_no_tool_call=False) == []
        assert llm.get_tool_calls_from_response(blank, error_on_no_tool_call=False) == []
        with pytest.raises(ValueError):
            llm.get_tool_calls_from_response(plain, error_on_no_tool_call=True)

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_the_history_stays_as_it_is(self, make_llm: MakeLLM, method: str) -> None:
        """Else a memory has the question twice: the list that is handed over is the caller's."""
        llm = self._caller(make_llm)
        history = [ChatMessage(content="Hello."), ChatMessage(role=MessageRole.ASSISTANT, content="Hello yourself.")]
        before = deepcopy(history)
        llm._prepare_chat_with_tools(self.tool_task.tools, user_msg=self.tool_task.question, chat_history=history)
        with self._calls(llm):
            _ask_with_tools(llm, method, self.tool_task.tools, self.tool_task.question, chat_history=history)
        assert history == before

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_a_call_that_is_required_is_made(self, make_llm: MakeLLM, method: str) -> None:
        """Else structured programs, which require a call, fail whenever the model prefers to talk."""
        llm = self._caller(make_llm)
        self._needs("tools", "a call that is forced cannot be scripted")
        last = _ask_with_tools(llm, method, self.tool_task.tools, self.question, tool_required=True)[-1]
        assert llm.get_tool_calls_from_response(last)

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_the_tool_that_is_chosen_is_called(self, make_llm: MakeLLM, method: str) -> None:
        """Else `tool_choice` is dropped on its way, as integrations do that name their keywords one by one."""
        llm = self._caller(make_llm)
        self._needs("tools", "a call that is forced cannot be scripted")
        choice = self.tool_choice(self.tool_task.other)
        last = _ask_with_tools(llm, method, self.tool_task.tools, self.tool_task.question, tool_choice=choice)[-1]
        assert {call.tool_name for call in llm.get_tool_calls_from_response(last)} == {self.tool_task.other}

    @pytest.mark.parametrize("method", WITH_TOOLS)
    def test_keywords_go_along_with_tools(self, make_llm: MakeLLM, method: str) -> None:
        """Else a misspelt setting of a call with tools does nothing, and a right one does nothing either."""
        llm = self._caller(make_llm)
        with pytest.raises(Exception, match="no_such_keyword_at_all"):
            _ask_with_tools(llm, method, self.tool_task.tools, self.tool_task.question, no_such_keyword_at_all=1)

    @pytest.mark.parametrize("method", ["predict_and_call", "apredict_and_call"])
    def test_predict_and_call_calls(self, make_llm: MakeLLM, method: str) -> None:
        """Else routers and query planners have no tools."""
        llm = self._caller(make_llm)
        with self._calls(llm):
            response = _predict_and_call(llm, method, self.tool_task.tools, self.tool_task.question)
        assert (response.response, [source.tool_name for source in response.sources]) == (self.tool_task.output, [self.tool_task.name])

    @pytest.mark.parametrize("method", ["predict_and_call", "apredict_and_call"])
    def test_predict_and_call_calls_without_the_flag(self, make_llm: MakeLLM, method: str) -> None:
        """Else it fails for every model whose template has no tools: LlamaIndex's default makes a ReAct agent without a formatter."""
        llm = self.steady(make_llm, max_tokens=64)
        step = f"Thought: I need a tool.\nAction: {self.tool_task.name}\nAction Input: {json.dumps(self.tool_task.arguments)}"
        with without_flag(llm), nullcontext() if "react" in self.able else self.writing(llm, step):
            response = _predict_and_call(llm, method, self.tool_task.tools, self.tool_task.question)
        assert (response.response, [source.tool_name for source in response.sources]) == (self.tool_task.output, [self.tool_task.name])

    def _caller(self, make_llm: MakeLLM) -> FunctionCallingLLM:
        """An LLM that calls tools, or the end of a test."""
        llm = self.steady(make_llm, max_tokens=64)
        if not llm.metadata.is_function_calling_model:
            pytest.skip("the LLM does not say that it calls functions")
        assert isinstance(llm, FunctionCallingLLM)
        return llm

    def _calls(self, llm: LLM) -> AbstractContextManager[Any]:
        """Let the model call the right tool, by itself if it can."""
        if "tools" in self.able:
            return nullcontext()
        return self.writing(llm, self.written_call(self.tool_task.name, self.tool_task.arguments))

    def _needs(self, ability: str, reason: str) -> None:
        if ability not in self.able:
            pytest.skip(f"the model is not able to do it by itself, says `able`; {reason}")


@contextmanager
def without_flag(llm: LLM) -> Iterator[None]:
    """Let an LLM say that it calls no functions."""
    kind, original = type(llm), type(llm).metadata

    def plain(self: LLM) -> LLMMetadata:
        told = original.fget(self)  # type: ignore[attr-defined]
        return LLMMetadata(**{**told.model_dump(), "is_function_calling_model": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "metadata", property(plain))
        yield


def _ask_with_tools(llm: FunctionCallingLLM, method: str, tools: Any, question: str, **keywords: Any) -> list[ChatResponse]:
    """Call one of the four methods with tools; return its response in a list, or all chunks of its stream."""
    if method.startswith("a"):
        return asyncio.run(_aask_with_tools(llm, method, tools, question, **keywords))
    answer = getattr(llm, method)(tools, user_msg=question, **keywords)
    return list(answer) if "stream" in method else [answer]


async def _aask_with_tools(llm: FunctionCallingLLM, method: str, tools: Any, question: str, **keywords: Any) -> list[ChatResponse]:
    answer = await getattr(llm, method)(tools, user_msg=question, **keywords)
    return [chunk async for chunk in answer] if "stream" in method else [answer]


def _predict_and_call(llm: LLM, method: str, tools: Any, question: str) -> Any:
    if method == "predict_and_call":
        return llm.predict_and_call(list(tools), user_msg=question)
    return asyncio.run(llm.apredict_and_call(list(tools), user_msg=question))
