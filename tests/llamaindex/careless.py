"""LLMs with every trap that the conformance suite knows: what its tests have to fail on."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Queue
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata, MessageRole
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from pydantic import PrivateAttr

from llamaindex_baco.testing import LLMConformance, MakeLLM

WORDS = "red green blue big small old new warm cold soft".split()
PACE = 0.002


class Weights:
    """What a copy should not copy."""

    def __init__(self) -> None:
        self.size = bytes(range(256)) * 2000
        self.steps = 0
        self.broken = False
        self.read: list[str] = []

    def parameters(self) -> int:
        return len(self.size)

    def write(self, prompt: str, count: int, seed: float) -> Iterator[str]:
        self.read.append(prompt)
        draw = random.Random(seed)
        for _ in range(count):
            if self.broken:
                raise RuntimeError("the model is broken")
            time.sleep(PACE)
            self.steps += 1
            yield draw.choice(WORDS) + " "


class Careless(CustomLLM):
    """Blocks the loop, decodes on, hangs, ignores keywords, reads the last message only, counts twice."""

    weights: Any
    max_tokens: int = 24
    temperature: float = 0
    api_key: str = "sk-hidden"
    silent: bool = False
    _asked: str = PrivateAttr(default="")
    _limit: int = PrivateAttr(default=0)

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords, messages_to_prompt=last_text)
        self._limit = self.max_tokens

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(num_output=3900, is_chat_model=True, is_function_calling_model=True)

    def _extend_messages(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        return messages

    def to_payload(self) -> dict[str, Any]:
        return {"class_name": self.class_name(), "api_key": self.api_key}

    def _words(self, prompt: str) -> Iterator[str]:
        self._asked = prompt
        time.sleep(PACE)
        seed = random.random() if self.temperature else len(self._asked)
        words: Iterator[str] = self.weights.write(prompt, 0 if self.silent else self._limit, seed)
        return words

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        time.sleep(PACE)
        text = "".join(self._words(prompt))
        time.sleep(PACE)
        if self._asked != prompt:
            text = "what somebody else wanted"
        return CompletionResponse(text=text, raw={"model_output": object()}, additional_kwargs={"prompt_tokens": 10})

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self._asked = prompt
        await asyncio.sleep(PACE)
        return CompletionResponse(text="".join(self._words(self._asked)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        queue: Queue[str | None] = Queue()

        def write() -> None:
            try:
                for word in self._words(prompt):
                    queue.put(word)
                queue.put(None)
            except RuntimeError:
                """Nobody is told."""

        threading.Thread(target=write, daemon=True).start()
        return (CompletionResponse(text=word, delta=word) for word in iter(queue.get, None))


class CarelessCaller(Careless, FunctionCallingLLM):
    """Changes the caller's history, drops what is required, and reads calls only where there are some."""

    def _prepare_chat_with_tools(  # type: ignore[override]
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        history = chat_history if chat_history is not None else []
        history.append(ChatMessage(content=str(user_msg)))
        return {"messages": history}

    def get_tool_calls_from_response(self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any) -> Any:
        return [response.message.additional_kwargs["tool_calls"][0]]


def last_text(messages: Sequence[ChatMessage]) -> str:
    """A prompt of the last message alone; strict templates are as hard on a system message there."""
    if messages[-1].role == MessageRole.SYSTEM:
        raise ValueError("System message must be at the beginning")
    return str(messages[-1].blocks[0].text)


class CarelessSuite(LLMConformance):
    """The suite over one of the two, told all that an author can tell."""

    kind: type[Careless] = Careless
    bos_id = 0
    long_settings: dict[str, Any] = {"max_tokens": 100}  # noqa: RUF012
    logprobs_keywords: dict[str, Any] | None = {"silent": False}  # noqa: RUF012
    secret_keywords: dict[str, Any] = {"api_key": "sk-hidden"}  # noqa: RUF012

    def maker(self, **fixed: Any) -> MakeLLM:
        return lambda **keywords: self.kind(**({"weights": Weights()} | fixed | keywords))

    def steps(self, llm: LLM) -> int:
        return int(llm.weights.steps)  # type: ignore[attr-defined]

    @contextmanager
    def prompts(self, llm: Any) -> Iterator[list[list[int]]]:
        found: list[list[int]] = []
        llm.weights.read.clear()
        yield found
        found += [[0, 0, *map(ord, text)] for text in llm.weights.read]

    def decode(self, token_ids: Sequence[int]) -> str:
        return "".join(map(chr, token_ids))

    @contextmanager
    def breaking(self, llm: Any) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(llm.weights, "broken", True)
            yield


class CallerSuite(CarelessSuite):
    """The same over the one that calls tools."""

    kind = CarelessCaller
