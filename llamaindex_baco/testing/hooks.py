"""`Hooks`: what the author of an LLM tells the suite about it. Knows what may be told; tests nothing.

Only `make_llm` has to be given. What is not told is checked by what can be seen from outside or, where nothing can, skipped with a message
that names the hook. Nothing that is told makes a test easier: a hook gives the suite another truth to compare with.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from llamaindex_baco.testing.bounded import Bounded
from llamaindex_baco.testing.tasks import PET, PRICE, ObjectTask, ToolTask

MakeLLM = Callable[..., LLM]
SETTINGS = frozenset({"max_tokens", "temperature", "seed", "stop"})


# LlamaIndex's agents and structured LLM use what pydantic has deprecated, which is no fault of the LLM.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class Hooks(Bounded):
    """What a suite's subclass overrides."""

    @pytest.fixture
    def make_llm(self) -> MakeLLM:
        """A callable that makes the LLM from keywords of its constructor. Required."""
        raise NotImplementedError("give your suite a fixture `make_llm` that returns a callable: make_llm(**keywords) -> your LLM")

    # What settings are called.

    settings: frozenset[str] = SETTINGS
    """Those of "max_tokens", "temperature", "seed" and "stop" that the LLM's constructor has in some form."""
    call_settings: frozenset[str] = SETTINGS
    """Those that a call has. Those that it lacks have to be refused there."""

    def constructor_keywords(self, **settings: Any) -> dict[str, Any]:
        """Turn the suite's settings into keywords of the constructor; what is none of the four is one already."""
        return settings

    def call_keywords(self, **settings: Any) -> dict[str, Any]:
        """Turn the suite's settings into keywords of a call."""
        return settings

    # What is asked.

    question: str = "Name a pet rabbit."
    """A question with an answer of at least four words."""
    questions: Sequence[str] = ("Name a pet rabbit.", "Name a pet dog.", "Tell me a short story.", "What is the sea?")
    """Four questions with answers that are not all the same."""
    long_settings: dict[str, Any] = {"max_tokens": 96, "temperature": 0}  # noqa: RUF012
    """Settings, the suite's or the constructor's own, with which the answer to `question` takes all of `max_tokens`."""
    tool_task: ToolTask = PRICE
    """A question that needs a tool."""
    object_task: ObjectTask = PET
    """A prompt for an object."""

    # What the model is able to do.

    able: frozenset[str] = frozenset({"tools", "objects", "react"})
    """What the model does by itself: call the tool of `tool_task`, write the object of `object_task`, follow a ReAct prompt. Where it is
    too small for something, `writing` lets it write what a better model would."""
    media: frozenset[str] = frozenset()
    """Names of block classes of media that the LLM reads, such as "ImageBlock". All others have to be refused."""
    logprobs_keywords: dict[str, Any] | None = None
    """Keywords of the constructor that ask for log-probabilities, if the LLM has them."""
    secret_keywords: dict[str, Any] = {}  # noqa: RUF012
    """Keywords of the constructor whose values no trace may show, such as an API key."""
    context_window: int | None = None
    """The model's own window in tokens, from another source than the LLM."""
    max_pickle_bytes: int = 100_000
    """An LLM without its weights is smaller than this."""

    def tool_choice(self, name: str) -> Any:
        """Say "call this tool" in the form that the LLM takes."""
        return name

    def written_call(self, name: str, arguments: dict[str, Any]) -> str:
        """Text of an answer by which the model calls a tool. Needed where it is not able to call one by itself."""
        pytest.skip("the model cannot call tools by itself, and `written_call` is not given")

    # What only the author can see.

    def writing(self, llm: LLM, *answers: str) -> AbstractContextManager[Any]:
        """Let the model write these answers, one a call, the last one again and again, inside a block."""
        pytest.skip("the model is too small for this, and `writing` is not given")

    def breaking(self, llm: LLM) -> AbstractContextManager[Any]:
        """Let the model raise `RuntimeError("the model is broken")` while it decodes, inside a block."""
        pytest.skip("`breaking` is not given")

    def steps(self, llm: LLM) -> int | None:
        """Count the steps of decoding made so far. None: whether decoding goes on is told from the time that the processor spends."""
        return None

    def prompts(self, llm: LLM) -> AbstractContextManager[list[list[int]]] | None:
        """Record what the model reads inside a block: the token ids of each prompt. None: not known."""
        return None

    bos_id: int | None = None
    """Token id with which a prompt begins."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn token ids into text. Needed with `prompts`."""
        raise NotImplementedError("give `decode` along with `prompts`")

    def encode(self, text: str) -> list[int] | None:
        """Turn an answer's text into token ids. None: not known."""
        return None

    def weights(self, llm: LLM) -> list[object]:
        """What a copy must not copy. By default whatever the LLM holds that has parameters or a state."""
        held = [*vars(llm).values(), *(getattr(llm, "__pydantic_private__", None) or {}).values()]
        return [value for value in held if hasattr(value, "parameters") or hasattr(value, "state_dict")]

    # What the tests are made with.

    def make(self, make_llm: MakeLLM, **settings: Any) -> LLM:
        """Make an LLM with the suite's settings; those of the four that it lacks are left out."""
        known = {name: value for name, value in settings.items() if name not in SETTINGS or name in self.settings}
        return make_llm(**self.constructor_keywords(**known))

    def steady(self, make_llm: MakeLLM, **settings: Any) -> LLM:
        """Make an LLM that gives the same answer to the same question."""
        return self.make(make_llm, **{"temperature": 0, "seed": 7, "max_tokens": 24, **settings})

    def long(self, make_llm: MakeLLM, **settings: Any) -> LLM:
        """Make an LLM whose answers are long, and let it load what it needs."""
        llm = self.make(make_llm, **{**self.long_settings, **settings})
        llm.complete(self.question)
        return llm

    def caller(self, make_llm: MakeLLM) -> FunctionCallingLLM:
        """Make an LLM that calls tools, or end the test where the LLM says that it does not."""
        llm = self.steady(make_llm, max_tokens=64)
        if not llm.metadata.is_function_calling_model:
            pytest.skip("the LLM does not say that it calls functions")
        assert isinstance(llm, FunctionCallingLLM)
        return llm

    def calling(self, llm: LLM, *then: str) -> AbstractContextManager[Any]:
        """Let the model call the right tool, and write `then`, by itself if it is able to."""
        if "tools" in self.able:
            return nullcontext()
        return self.writing(llm, self.written_call(self.tool_task.name, self.tool_task.arguments), *then)

    def reacting(self, llm: LLM, *then: str) -> AbstractContextManager[Any]:
        """Like `calling`, in a ReAct prompt."""
        if "react" in self.able:
            return nullcontext()
        step = f"Thought: I need a tool.\nAction: {self.tool_task.name}\nAction Input: {json.dumps(self.tool_task.arguments)}"
        return self.writing(llm, step, *then)

    def for_call(self, **settings: Any) -> dict[str, Any]:
        """Keywords of a call, or the end of a test where a call has none."""
        missing = settings.keys() - self.call_settings
        if missing:
            pytest.skip(f"a call has no {', '.join(sorted(missing))}, says `call_settings`")
        return self.call_keywords(**settings)
