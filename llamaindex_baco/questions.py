"""`QuestionDatasetGenerator`: questions over nodes, without near-duplicates. Knows prompts and nodes; knows nothing of decoding."""

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
from llamaindex_baco.capture import capture_responses
from llamaindex_baco.dataset import CreatedBy, Dropped, QuestionDataset, QuestionExample
from llamaindex_baco.responses import raw_of
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
    """Writes n questions from every node, and keeps those that differ from the questions before.

    The n questions of a node are one request, sampled as by `BacoLLM.asample`, and the requests of several nodes are decoded together. A
    question that is too similar to one before it, of the same node or an earlier one, is dropped; within a node, others are drawn in place
    of dropped ones. Questions that were cut at `max_tokens` are dropped too.

    With a seed, the questions drawn from a node depend on the seed, the settings and the node's text only; which of them are kept depends
    on the earlier nodes as well.

    Args:
        llm: writes the questions. `system_prompt`, if it has one, is read too.
        n: questions from each node, at least 1.
        distinct: the lowest similarity at which a question is dropped (`baco.answers.similarity`, a number in (0, 1]), or a function that
            says whether two are too similar. None keeps all. Every question is compared with all before it.
        prompt: a template with {context_str}, the node's text; the answer to it is one question.
        answer_with: an LLM that answers each kept question from its node, with LlamaIndex's own prompt; any LLM, such as
            `llm.with_(router="aligned", temperature=0)`. None leaves the answers empty.
        concurrency: how many nodes are in progress at a time, at least 1.
        show_progress: whether a bar on standard error counts the nodes.
        **settings: override the LLM's own for the questions, such as `diversity=0.3`.

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
            nodes: nodes with text, or an index whose document store keeps its nodes.
            dataset: the dataset to continue: nodes that are done in it are skipped, and new examples are added to it node by node, so that
                after an interruption or a failure it has all examples made until then. None begins a new one.

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
        """Yield the examples as they are made, in the order of the nodes; the arguments are those of `generate`."""
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

    async def _asked(self, todo: Sequence[tuple[str, str]], kept: list[str]) -> AsyncGenerator[QuestionDataset, None]:
        """Work on `concurrency` nodes at a time, and yield the outcome of each, in the order of the nodes."""
        tasks: deque[asyncio.Task[QuestionDataset]] = deque()
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

    async def _ask(self, node_id: str, text: str, kept: list[str], before: asyncio.Event, after: asyncio.Event) -> QuestionDataset:
        """Sample a node's questions, wait until the earlier nodes have chosen theirs, then choose and answer."""
        num_drawn, responses = await self._sample(text)
        whole = [question for response in responses if (question := _text(response)) and raw_of(response)["finish_reason"] == "stop"]
        await before.wait()
        # In another thread, so that the event loop runs on: there may be thousands to compare with.
        new = whole if self._distinct is None else await asyncio.to_thread(drop_similar, whole, similarity_rule(self._distinct, str), kept)
        kept += new
        after.set()
        answers = await gather_or_cancel(self._answer(question, text) for question in new)
        dropped = Dropped(
            within_node=num_drawn - len(responses), unfinished=len(responses) - len(whole), across_nodes=len(whole) - len(new)
        )
        examples = [self._example(node_id, text, *pair) for pair in zip(new, answers, strict=True)]
        return QuestionDataset(examples=examples, node_ids=[node_id], dropped=dropped)

    async def _sample(self, text: str) -> tuple[int, list[ChatResponse]]:
        """Sample questions on a text; return how many were drawn, and the distinct ones."""
        messages: list[ChatMessage] = self._llm._extend_messages(self._prompt.format_messages(llm=self._llm, context_str=text))
        with self._llm.using(**self._settings):
            seed = self._llm.for_call({}).params.seed
            own = {} if seed is None else {"seed": random.Random(f"{seed} {text}").getrandbits(63)}
            with capture_responses() as calls:
                responses = await self._llm.asample(messages, self._n, distinct=self._within, **own)
        return sum(len(raw_of(call).get("choices", [call])) for call in calls), responses

    @property
    def _within(self) -> float | Callable[[ChatResponse, ChatResponse], bool] | None:
        """`distinct` as `asample` takes it."""
        similar = self._distinct
        return (lambda one, other: similar(_text(one), _text(other))) if callable(similar) else similar

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
    """The text that the models read of each node, by the node's id."""
    if isinstance(nodes, BaseIndex):
        nodes = list(nodes.docstore.docs.values())
        if not nodes:
            raise ConfigError("`nodes` is an index whose document store is empty, as where a vector store keeps the texts; give the nodes")
    require(all(isinstance(node, BaseNode) for node in nodes), "nodes", "an index, or a list of nodes", nodes)
    texts = {node.node_id: node.get_content(metadata_mode=MetadataMode.LLM) for node in nodes}
    for node_id, text in texts.items():
        require(bool(text.strip()), "nodes", f"nodes with text; leave out {node_id}", text)
    return texts


def _text(response: ChatResponse) -> str:
    return (response.message.content or "").strip()
