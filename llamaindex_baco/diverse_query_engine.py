"""`DiverseQueryEngine`: several answers over one retrieval. Knows query engines and responses; knows nothing of decoding or retrieval."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import RESPONSE_TYPE, PydanticResponse, Response
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import NodeWithScore, QueryBundle, QueryType

from baco.answers.selection import Selection
from baco.checks import require
from baco.errors import ConfigError
from llamaindex_baco.base import BacoLLM
from llamaindex_baco.capture import capture_responses
from llamaindex_baco.raw_metadata import COUNTS, score_of
from llamaindex_baco.responses import raw_of
from llamaindex_baco.tasks import gather_or_cancel, run_sync

dispatcher = get_dispatcher(__name__)
Answer = Response | PydanticResponse
Distinct = float | Callable[[Answer, Answer], bool] | None
Rank = Literal["likelihood"] | Callable[[Answer], float] | None
SEPARATE = "a query engine that retrieves and synthesizes separately, such as RetrieverQueryEngine or what `index.as_query_engine` makes"
WHOLE = "one whose answers come whole: make it with streaming=False"
ASKED = "the very LLM that the engine asks for its answers, since settings override those of that object alone, not of its copies"


class DiverseQueryEngine(BaseQueryEngine):
    """A query engine that retrieves once and gives n different answers over the nodes found.

    Retrieval, node postprocessors, prompts and response mode are those of the given engine. All answers are requested at the same time, so
    that the pair's worker decodes them as one batch. Each has its own seed; the first one's is the LLM's, so that it is the answer that the
    given engine itself gives with these settings.

    Each answer has its own source nodes, and plain JSON at `metadata["baco"]`: "seed" (None where the LLM has none), "usage" of all calls
    that it took, "responses" with the `raw` of each call in the order of their ends (the last one's `["baco"]["spans"]` say which model
    wrote what), and "score" where answers are ranked by likelihood.

    `query` returns them as one response: their numbered texts, and at `metadata["baco"]["answers"]` each one's text and metadata. The sync
    methods may be called while an event loop runs; they block it.

    >>> engine = DiverseQueryEngine(index.as_query_engine(llm=llm), llm, 5, distinct=0.9, diversity=0.3)
    >>> [str(answer) for answer in engine.answers("What can a visitor see?")]

    Args:
        engine: has `retrieve` and `asynthesize`.
        llm: the BacoLLM that the engine asks, this very object.
        n: how many answers, at least 1. Where nothing is retrieved, there is one: the engine's own for that.
        distinct: as in `BacoLLM.sample`; a function says whether two answers are too similar.
        token_budget: as in `BacoLLM.sample`, but the first n answers are always drawn, and one of several calls may have as many times
            `max_tokens`. None: twice what the first n may have (our own choice).
        rank: as in `BacoLLM.sample`; "likelihood" is that of an answer's last call, and a function gives an answer a number.
        **settings: override the LLM's while it answers, as in `BacoLLM.using`, and those of `using` blocks around.

    Raises:
        ConfigError: a value is out of its range, answers at temperature 0 are asked to differ, or the engine streams, cannot retrieve
            separately, or asks another LLM.
    """

    def __init__(
        self,
        engine: BaseQueryEngine,
        llm: BacoLLM,
        n: int,
        *,
        distinct: Distinct = None,
        token_budget: int | None = None,
        rank: Rank = None,
        **settings: Any,
    ) -> None:
        require(isinstance(llm, BacoLLM), "llm", "a BacoLLM", llm)
        _check_engine(engine, llm)
        super().__init__(callback_manager=engine.callback_manager)
        self._engine, self._llm, self._settings = engine, llm, settings
        self._n, self._distinct, self._token_budget, self._rank = n, distinct, token_budget, rank
        with llm.using(**settings):
            self._selection()

    @dispatcher.span
    def answers(self, query: QueryType) -> list[Answer]:
        """Retrieve once and answer n times.

        Raises:
            ConfigError: settings of a `using` block around contradict what is asked for, or the engine asks another LLM.
        """
        with self.callback_manager.as_trace("query"):
            return self._answers(_bundle(query))

    @dispatcher.span
    async def aanswers(self, query: QueryType) -> list[Answer]:
        """Like `answers`, off the event loop; cancelling the task ends every answer within one token."""
        with self.callback_manager.as_trace("query"):
            return await self._aanswers(_bundle(query))

    def _get_prompt_modules(self) -> PromptMixinType:
        return {"engine": self._engine}

    @dispatcher.span
    def _query(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _listed(self._answers(query_bundle))

    @dispatcher.span
    async def _aquery(self, query_bundle: QueryBundle) -> RESPONSE_TYPE:
        return _listed(await self._aanswers(query_bundle))

    def _answers(self, query: QueryBundle) -> list[Answer]:
        with self.callback_manager.event(CBEventType.QUERY, payload={EventPayload.QUERY_STR: query.query_str}) as event:
            found = run_sync(self._draw(query, self._engine.retrieve(query)))
            event.on_end(payload={EventPayload.RESPONSE: _listed(found)})
        return found

    async def _aanswers(self, query: QueryBundle) -> list[Answer]:
        with self.callback_manager.event(CBEventType.QUERY, payload={EventPayload.QUERY_STR: query.query_str}) as event:
            # Not every engine that retrieves does so asynchronously as well.
            retrieve = getattr(self._engine, "aretrieve", None)
            nodes = await (retrieve(query) if retrieve else asyncio.to_thread(self._engine.retrieve, query))
            found = await self._draw(query, nodes)
            event.on_end(payload={EventPayload.RESPONSE: _listed(found)})
        return found

    async def _draw(self, query: QueryBundle, nodes: list[NodeWithScore]) -> list[Answer]:
        """Answer until there are enough answers, or no further one fits into the budget."""
        if not nodes:
            return [_whole(await self._engine.asynthesize(query, nodes))]
        with self._llm.using(**self._settings):
            selection, num_drawn = self._selection(), 0
            params = selection.params
            for count, _ in selection.rounds():
                seeds = [_seed(params.seed, number) for number in range(num_drawn, num_drawn + count)]
                found = await gather_or_cancel(self._answer(query, nodes, seed) for seed in seeds)
                num_drawn += count
                # A further answer may take as many calls as the longest so far, each of `max_tokens`.
                longest = params.max_tokens * max(len(_metadata(answer)["responses"]) for answer in found)
                selection.params = replace(params, max_tokens=max(longest, selection.params.max_tokens))
                selection.take(found, sum(_metadata(answer)["usage"]["completion_tokens"] for answer in found))
        return selection.result()

    async def _answer(self, query: QueryBundle, nodes: list[NodeWithScore], seed: int | None) -> Answer:
        """Let the engine answer once, and add the metadata of its LLM's responses."""
        with capture_responses() as responses, self._llm.using(seed=seed, score=self._rank == "likelihood"):
            answer = _whole(await self._engine.asynthesize(query, list(nodes)))
        if not responses:
            raise ConfigError(
                f"the engine has answered without a call of `llm`, which must be {ASKED}; a response mode without an LLM has one answer"
            )
        raws = [raw_of(response) for response in responses]
        usage = {name: sum(raw["usage"][name] for raw in raws) for name in COUNTS}
        score = {"score": raws[-1]["baco"]["score"]} if self._rank == "likelihood" else {}
        answer.metadata = {**(answer.metadata or {}), "baco": {"seed": seed, "usage": usage, "responses": raws, **score}}
        return answer

    def _selection(self) -> Selection[Answer]:
        call = self._llm.for_call({})
        scored = self._rank != "likelihood" or "aligned" in call.router.models
        require(scored, "rank", f"another one with router {call.router.name!r}: the aligned model scores, and it does not read", self._rank)
        return Selection(
            n=self._n,
            params=call.params,
            distinct=self._distinct,
            rank=self._rank,
            token_budget=self._token_budget,
            text=str,
            score=lambda answer: score_of(_metadata(answer)["responses"][-1]),
        )


def _check_engine(engine: BaseQueryEngine, llm: BacoLLM) -> None:
    require(isinstance(engine, BaseQueryEngine), "engine", SEPARATE, engine)
    for method in ("retrieve", "asynthesize"):
        require(getattr(type(engine), method) is not getattr(BaseQueryEngine, method), "engine", SEPARATE, engine)
    # LlamaIndex has no public name for it, and engines of other makers may have none at all: the rest is checked once they have answered.
    synthesizer = getattr(engine, "_response_synthesizer", None)
    asked = getattr(synthesizer, "_llm", llm)
    asked = asked.llm if isinstance(asked, StructuredLLM) else asked
    require(asked is llm, "llm", ASKED, llm)
    require(not getattr(synthesizer, "_streaming", False), "engine", WHOLE, engine)


def _bundle(query: QueryType) -> QueryBundle:
    return QueryBundle(query) if isinstance(query, str) else query


def _seed(seed: int | None, number: int) -> int | None:
    """The seed of the answer with this number, from 0; the first one's is the LLM's own."""
    return seed if seed is None or not number else random.Random(f"{seed} answer {number}").getrandbits(63)


def _whole(response: RESPONSE_TYPE) -> Answer:
    if isinstance(response, Answer):
        return response
    raise ConfigError(f"`engine` must be {WHOLE}, but it gave a {type(response).__name__}")


def _metadata(answer: Answer) -> dict[str, Any]:
    """The metadata of an answer; empty where nothing was retrieved, so that the engine did not ask its LLM."""
    found: dict[str, Any] = (answer.metadata or {}).get("baco", {})
    return found


def _listed(answers: Sequence[Answer]) -> Response:
    """One response of several answers; one alone is not numbered."""
    texts = [str(answer) for answer in answers]
    numbered = texts if len(texts) == 1 else [f"{number}. {text}" for number, text in enumerate(texts, start=1)]
    described = [{"text": text, **_metadata(answer)} for text, answer in zip(texts, answers, strict=True)]
    first = answers[0]
    return Response(
        "\n".join(numbered), source_nodes=list(first.source_nodes), metadata={**(first.metadata or {}), "baco": {"answers": described}}
    )
