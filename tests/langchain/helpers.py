"""What the tests of the LangChain adapter share: a model on a tiny random pair, its forward passes, and its runs as callbacks see them."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage

from baco import ModelPair
from langchain_baco import ChatBaco
from tests.support.gate import PATIENCE

PROMPT = "Tell me of a rabbit."
PROMPTS = [
    "Name a fish.",
    PROMPT,
    "Who are you and what do you do all day?",
    "A",
    "Where is the sea? Say it in a word.",
    "Yes",
    "Go on",
    "Eat",
]


class Passes:
    """Counts forward passes of the two models, and can hold the decoding at one of the base's."""

    def __init__(self) -> None:
        self.counts = {"base": 0, "aligned": 0}
        self.hold_at: int | None = None
        self.reached = threading.Event()
        self.released = threading.Event()

    def note(self, which: str) -> None:
        self.counts[which] += 1
        if which == "base" and self.counts["base"] == self.hold_at:
            self.reached.set()
            assert self.released.wait(timeout=PATIENCE)


@contextmanager
def counted_passes(model: ChatBaco) -> Iterator[Passes]:
    """Count the passes of a model's pair within the block."""
    pair = ModelPair.from_pretrained(base=model.base, aligned=model.aligned, device=model.device, dtype=model.dtype)
    passes = Passes()
    hooks = [
        pair.base.register_forward_pre_hook(lambda *_: passes.note("base")),
        pair.aligned.register_forward_pre_hook(lambda *_: passes.note("aligned")),
    ]
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def telling_seed(model: ChatBaco, prompt: str = PROMPT) -> int:
    """Find a seed whose answer is long and written by both models, so that what a test changes or cuts off is there to be seen."""
    for seed in range(500):
        usage = model.invoke(prompt, seed=seed).usage_metadata
        assert usage is not None
        if usage["output_tokens"] >= 20 and usage["output_token_details"]["base"] >= 3:  # type: ignore[typeddict-item]
            return seed
    raise AssertionError("no seed gives such an answer")


class Near(float):
    """A log-probability: its last digits depend on what else is in its pass, and on what was read before."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, float) and math.isclose(self, other, abs_tol=1e-4)

    def __ne__(self, other: object) -> bool:
        return not self == other


def essence(message: BaseMessage) -> dict[str, Any]:
    """All of an answer but the id of its run, its passes and what it found read: what was read before is not read again."""
    assert isinstance(message, AIMessage)
    metadata = dict(message.response_metadata)
    if "logprobs" in metadata:
        metadata["logprobs"] = json.loads(json.dumps(metadata["logprobs"]), parse_float=Near)
    metadata["baco"] = {key: value for key, value in metadata["baco"].items() if key != "passes"}
    return {"text": message.text, "usage": counts(message), **metadata}


def content_of(message: BaseMessage) -> dict[str, Any]:
    """What a message says, without the ids of its calls."""
    assert isinstance(message, AIMessage)
    return {
        "content": message.content,
        "calls": [(call["name"], call["args"]) for call in message.tool_calls],
        "broken": [(call["name"], call["args"]) for call in message.invalid_tool_calls],
        "finish_reason": message.response_metadata["finish_reason"],
        "usage": counts(message),
    }


def counts(message: AIMessage) -> dict[str, Any]:
    """A message's usage, but for what of the prompt had been read before."""
    return {name: value for name, value in (message.usage_metadata or {}).items() if name != "input_token_details"}


class Runs(BaseCallbackHandler):
    """Records the events of each run, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, UUID]] = []
        self.names: dict[UUID, Any] = {}
        self.starts: list[dict[str, Any]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.events.append(("start", run_id))
        self.names[run_id] = kwargs.get("name")
        self.starts.append(kwargs)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.events.append(("token", run_id))

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self.events.append(("end", run_id))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self.events.append(("error", run_id))

    def outcomes(self) -> dict[str, list[str]]:
        """For each run, by its name: its events without the tokens."""
        return {name: [event for event, of in self.events if of == run_id and event != "token"] for run_id, name in self.names.items()}
