"""`QuestionDatasetGenerator`: questions over nodes, without those that were asked before. Knows prompts and nodes; knows no decoding."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.indices.base import BaseIndex
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.prompts.default_prompt_selectors import DEFAULT_TEXT_QA_PROMPT_SEL
from llama_index.core.schema import BaseNode, MetadataMode
from tqdm import tqdm

from baco.answers.comparison import drop_similar, similarity_rule
from baco.checks import is_integer, require
from baco.errors import ConfigError
from llamaindex_baco.base import BacoLLM
from llamaindex_baco.capture import Response, capture_responses
from llamaindex_baco.dataset import AskedNode, CreatedBy, Dropped, QuestionDataset, QuestionExample
from llamaindex_baco.tasks import cancel_all, gather_or_cancel, run_sync

Distinct = float | Callable[[str, str], bool] | None
Nodes = Sequence[BaseNode] | BaseIndex[Any]
DEFAULT_PROMPT = PromptTemplate(
    "Context information is below.\n"
    "---------------------\n"
    "{context_str}\n"
    "---------------------\n"
    "Write one question that the context information answers, and that is understood without it. Write nothing but the question."
)


class QuestionDatasetGenerator:
    """Writes n questions from every node, and keeps those that were not asked before.

    The n questions of a node are one request, drawn as by `BacoLLM.asample`, and the requests of several nodes are decoded together. A
    question that is too much like one before it, of this node or of an earlier one, is dropped; within a node others are drawn in the place
    of those that are. Questions that were cut at `max_tokens` are dropped too.

    With a seed, the questions drawn from a node depend on the seed, the settings and the node's text alone, and what is kept of them also
    on the nodes before.

    Args:
        llm: writes the questions. `system_prompt`, if it has one, is read too.
        n: questions from each node, at least 1.
        distinct: from which similarity on (`baco.answers.similarity`, a number in (0, 1]) a question is dropped, or a function that says
            whether two are too much alike. None keeps all. Every question is compared with all before it.
        prompt: a template with {context_str}, which one question answers.
        answer_with: answers each question that is kept, from its own node by LlamaIndex's own prompt: any LLM, such as
            `llm.with_(router="aligned", temperature=0)`. None leaves the answers empty.
        concurrency: how many nodes are worked at at a time, at least 1.
        show_progress: whether a bar on standard error counts the nodes.
        **settings: for the questions, in place of the LLM's own, such as `diversity=0.3`.

    Raises:
        ConfigError: a value is out of its range, or questions at temperature 0 are asked to differ.
        UnknownKeywordError: a setting does not exist.
    """

    def __init__(
        self,
        llm: BacoLLM,
        n: int = 3,
        *,
        distinct: Distinct = 0.8,
        prompt: str | BasePromptTemplate = DEFAULT_PROMPT,
        answer_with: LLM | None = None,
        concurrency: int = 16,
        show_progress: bool = True,
        **settings: Any,
    ) -> None:
        require(isinstance(llm, BacoLLM), "llm", "a BacoLLM", llm)
        require(answer_with is None or isinstance(answer_with, LLM), "answer_with", "None or an LLM of LlamaIndex", answer_with)
        require(is_integer(concurrency) and concurrency >= 1, "concurrency", "an integer of at least 1", concurrency)
        self._prompt = PromptTemplate(prompt) if isinstance(prompt, str) else prompt
        require("context_str" in self._prompt.template_vars, "prompt", "a template with {context_str}, where a node's text goes", prompt)
        self._llm, self._n, self._distinct, self._settings = llm, n, distinct, settings
        self._answer_with, self._concurrency, self._show_progress = answer_with, concurrency, show_progress
        with llm.using(**settings):
            llm._selection(n, self._within, None, None, {})

    def generate(self, nodes: Nodes, dataset: QuestionDataset | None = None) -> QuestionDataset:
        """Write questions over nodes, or over the nodes of an index.

        Args:
            nodes: with text; of an index, those that its document store keeps.
            dataset: goes on with this one: nodes that are done in it are left out, and what is made is added to it node by node, so that
                after an interruption or a failure it has all that was made. None begins a new one.

        Raises:
            ConfigError: a node has no text, or an index keeps no nodes.
            PromptError: a node does not fit into the models' window.
        """
        return run_sync(self.agenerate(nodes, dataset))

    async def agenerate(self, nodes: Nodes, dataset: QuestionDataset | None = None) -> QuestionDataset:
        """Like `generate`, off the event loop; cancelling the task ends the decoding within one token."""
        dataset = QuestionDataset() if dataset is None else dataset
        async with aclosing(self.astream(nodes, dataset)) as examples:
            async for _ in examples:
                pass
        return dataset

    async def astream(self, nodes: Nodes, dataset: QuestionDataset | None = None) -> AsyncGenerator[QuestionExample, None]:
        """Yield the examples as they are made, in the order of the nodes. Arguments as in `generate`."""
        dataset = QuestionDataset() if dataset is None else dataset
        texts = _texts(nodes)
        missing = dataset.missing(list(texts))
        todo = [(node_id, text) for node_id, text in texts.items() if node_id in missing]
        title = f"writing questions with {self._llm.pair_name}"
        with tqdm(
            total=len(texts), initial=len(texts) - len(todo), desc=title, unit="node", leave=False, disable=not self._show_progress
        ) as bar:
            async with aclosing(self._asked(todo, dataset.questions)) as several:
                async for asked in several:
                    dataset.add(asked)
                    bar.update()
                    for example in asked.examples:
                        yield example

    async def _asked(self, todo: Sequence[tuple[str, str]], kept: list[str]) -> AsyncGenerator[AskedNode, None]:
        """Work at some nodes at a time, and yield what comes of each in their order."""
        tasks: deque[asyncio.Task[AskedNode]] = deque()
        before = asyncio.Event()
        before.set()
        try:
            for node_id, text in todo:
                after = asyncio.Event()
                tasks.append(asyncio.create_task(self._ask(node_id, text, kept, before, after)))
                before = after
                if len(tasks) == self._concurrency:
                    yield await tasks[0]
                    tasks.popleft()
            while tasks:
                yield await tasks[0]
                tasks.popleft()
        finally:
            await cancel_all(tasks)

    async def _ask(self, node_id: str, text: str, kept: list[str], before: asyncio.Event, after: asyncio.Event) -> AskedNode:
        """Write a node's questions, wait for the nodes before to have chosen theirs, choose, and answer."""
        drawn, responses = await self._drawn(text)
        whole = [said for response in responses if (said := _said(response)) and _finish_reason(response) == "stop"]
        await before.wait()
        # Beside the event loop: there may be thousands to compare with.
        new = whole if self._distinct is None else await asyncio.to_thread(drop_similar, whole, similarity_rule(self._distinct, str), kept)
        kept += new
        after.set()
        answers = await gather_or_cancel(self._answer(question, text) for question in new)
        dropped = Dropped(within_node=drawn - len(responses), unfinished=len(responses) - len(whole), across_nodes=len(whole) - len(new))
        return AskedNode(
            node_id=node_id, examples=[self._example(node_id, text, *pair) for pair in zip(new, answers, strict=True)], dropped=dropped
        )

    async def _drawn(self, text: str) -> tuple[int, list[ChatResponse]]:
        """Draw questions from a text; return how many were drawn, and those that are different."""
        messages: list[ChatMessage] = self._llm._extend_messages(self._prompt.format_messages(llm=self._llm, context_str=text))
        with self._llm.using(**self._settings):
            seed = self._llm.for_call({}).params.seed
            own = {} if seed is None else {"seed": random.Random(f"{seed} {text}").getrandbits(63)}
            with capture_responses() as calls:
                responses = await self._llm.asample(messages, self._n, distinct=self._within, **own)
        return sum(map(_count, calls)), responses

    @property
    def _within(self) -> float | Callable[[ChatResponse, ChatResponse], bool] | None:
        """`distinct` as `asample` takes it."""
        alike = self._distinct
        return (lambda one, other: alike(_said(one), _said(other))) if callable(alike) else alike

    async def _answer(self, question: str, text: str) -> str:
        if self._answer_with is None:
            return ""
        return await self._answer_with.apredict(DEFAULT_TEXT_QA_PROMPT_SEL, context_str=text, query_str=question)

    def _example(self, node_id: str, text: str, question: str, answer: str) -> QuestionExample:
        answered_by = None if self._answer_with is None else CreatedBy(model_name=self._answer_with.metadata.model_name)
        return QuestionExample(
            query=question,
            query_by=CreatedBy(model_name=self._llm.pair_name),
            reference_contexts=[text],
            reference_answer=answer,
            reference_answer_by=answered_by,
            node_id=node_id,
        )


def _texts(nodes: Nodes) -> dict[str, str]:
    """What the models read of each node, by its id."""
    if isinstance(nodes, BaseIndex):
        nodes = list(nodes.docstore.docs.values())
        if not nodes:
            raise ConfigError("`nodes` is an index whose document store is empty, as where a vector store keeps the texts; give the nodes")
    require(all(isinstance(node, BaseNode) for node in nodes), "nodes", "an index, or a list of nodes", nodes)
    texts = {node.node_id: node.get_content(metadata_mode=MetadataMode.LLM) for node in nodes}
    for node_id, text in texts.items():
        require(bool(text.strip()), "nodes", f"nodes with text; leave out {node_id}", text)
    return texts


def _said(response: ChatResponse) -> str:
    return (response.message.content or "").strip()


def _finish_reason(response: ChatResponse) -> str:
    assert isinstance(response.raw, dict), "ours is"
    return str(response.raw["finish_reason"])


def _count(response: Response) -> int:
    """How many answers a call has given."""
    assert isinstance(response.raw, dict), "ours is"
    return len(response.raw.get("choices", [response]))
