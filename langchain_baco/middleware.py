"""`BestOfN`: an agent's model answers several times at each turn, and the best answer is used. Needs `langchain`.

Self-consistency (Wang et al. 2023, arXiv 2203.11171) takes what most answers agree on. Free text and tool calls are seldom equal word for
word, so it is the answer most similar to all the others here (the medoid under `baco.answers.similarity`: our own choice).
Knows agents and answers; knows nothing of decoding.
"""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any, Literal, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from baco.answers.comparison import similarity
from baco.checks import is_integer, require
from baco.errors import MissingExtraError
from langchain_baco.chat_models import ChatBaco
from langchain_baco.diverse import readable, score
from langchain_baco.fields import AsyncRun, Run

if find_spec("langchain") is None:
    raise MissingExtraError("langchain", "agents")

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

Choice = Literal["consistency", "likelihood"] | Callable[[list[AIMessage]], AIMessage]


class BestOfN(AgentMiddleware[Any, Any, Any]):
    """Middleware for `create_agent` with a `ChatBaco`: each turn is drawn `n` times from one reading of the prompt, and one is chosen.

    The chosen message's usage counts all of them.

    Args:
        n: answers at each turn.
        choose: "consistency", the answer most like the others; "likelihood", the one that the aligned model finds likeliest (mean
            log-probability of its tokens); or a function that takes the answers and returns one of them.

    Raises:
        ConfigError: a value is out of its range; when the agent runs: its model is no ChatBaco, or samples at temperature 0.
    """

    def __init__(self, n: int = 5, *, choose: Choice = "consistency") -> None:
        super().__init__()
        require(is_integer(n) and n >= 2, "n", "an integer of at least 2", n)
        require(choose in ("consistency", "likelihood") or callable(choose), "choose", '"consistency", "likelihood" or a function', choose)
        self.n = n
        self.choose = choose

    def wrap_model_call(self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]) -> ModelResponse[Any]:
        """Let the turn be answered by a model that chooses."""
        return handler(request.override(model=self._choosing(request.model)))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Like `wrap_model_call`."""
        return await handler(request.override(model=self._choosing(request.model)))

    def _choosing(self, model: object) -> "ChoosingBaco":
        require(isinstance(model, ChatBaco), "model", "a ChatBaco, which BestOfN draws several answers from", type(model).__name__)
        given = {name: getattr(model, name) for name in cast(ChatBaco, model).model_fields_set}
        return ChoosingBaco(**{**given, "draws": self.n, "choose": self.choose, "disable_streaming": True})


class ChoosingBaco(ChatBaco):
    """A ChatBaco that answers with the best of several answers. A run of it is one run of the model."""

    draws: int
    """How many answers."""
    choose: Choice
    """Which of them."""

    def _generate(self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Run = None, **kwargs: Any) -> ChatResult:
        return self._best(super()._generate(messages, stop, run_manager, **self._several(kwargs)))

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: AsyncRun = None, **kwargs: Any
    ) -> ChatResult:
        return self._best(await super()._agenerate(messages, stop, run_manager, **self._several(kwargs)))

    def _several(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        params = self._settings(kwargs).call.params
        require(not params.is_greedy, "temperature", "above 0 where the best of several answers is chosen", params.temperature)
        return {**kwargs, "n": self.draws, "score": self.choose == "likelihood"}

    def _best(self, result: ChatResult) -> ChatResult:
        answers = [cast(AIMessage, generation.message) for generation in result.generations]
        if callable(self.choose):
            chosen = self.choose(answers)
        elif self.choose == "likelihood":
            chosen = max(answers, key=score)
        else:
            chosen = most_agreed(answers)
        return ChatResult(generations=[ChatGeneration(message=chosen)])


def most_agreed(answers: list[AIMessage]) -> AIMessage:
    """The answer that is most like all the others; the first of several."""
    texts = [readable(answer) for answer in answers]
    agreement = [sum(similarity(text, other) for other in texts) for text in texts]
    return answers[agreement.index(max(agreement))]
