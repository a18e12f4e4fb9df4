"""`QuestionDatasetGenerator`: questions over nodes, each asked once, in the order of the nodes, and none lost when the work ends early."""

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.prompts import PromptTemplate
from llama_index.core.prompts.default_prompt_selectors import DEFAULT_TEXT_QA_PROMPT_SEL
from llama_index.core.schema import MetadataMode, TextNode

from baco import ConfigError, ContextOverflowError
from baco.answers.comparison import similarity
from baco.engine.requests import Request
from baco.errors import UnknownKeywordError
from baco.models.info import PairInfo
from llamaindex_baco import BacoLLM
from llamaindex_baco.dataset import CreatedBy, Dropped, QuestionDataset
from llamaindex_baco.questions import QuestionDatasetGenerator
from tests.support.gate import Gate, Pass, open_after, wait_until
from tests.support.scripted import scripted

PROMPT = "Turn this into a question: {context_str}"
HOT: dict[str, Any] = {"router": "p", "threshold": 0.6}
STATEMENTS = (
    "Anna sails to Tanby.",
    "Orlen opens the museum in Velmora.",
    "Kelvik cooks pea soup in Ostrin.",
    "Anna sails to Tanby.",
)


def nodes_of(*texts: str) -> list[TextNode]:
    return [TextNode(text=text, id_=f"node {index}") for index, text in enumerate(texts)]


NODES = nodes_of(*STATEMENTS)


@pytest.fixture
def llm() -> BacoLLM:
    return BacoLLM(device="cpu", max_tokens=16, seed=3)


def generator_of(llm: BacoLLM, n: int = 2, **settings: Any) -> QuestionDatasetGenerator:
    return QuestionDatasetGenerator(llm, n, **({"prompt": PROMPT, "show_progress": False, **HOT} | settings))


def test_the_questions_of_a_node_are_those_of_sample(llm: BacoLLM, submitted: list[Request]) -> None:
    dataset = generator_of(llm, distinct=None, temperature=1.2).generate(NODES[:2])
    seeds = [request.seed for request in submitted]
    assert len(set(seeds)) == 2
    for node, seed in zip(NODES, seeds, strict=False):
        sampled = llm.sample(PROMPT.format(context_str=node.text), 2, seed=seed, temperature=1.2, **HOT)
        whole = [response.message.content.strip() for response in sampled if response.raw["finish_reason"] == "stop"]
        assert [example.query for example in dataset.examples if example.node_id == node.node_id] == whole != []


def test_what_is_kept_is_asked_once_and_what_is_dropped_is_counted(llm: BacoLLM, submitted: list[Request]) -> None:
    dataset = generator_of(llm, distinct=0.8).generate(NODES)
    questions = dataset.questions
    pairs = [(one, other) for place, one in enumerate(questions) for other in questions[:place]]
    assert all(similarity(*pair) < 0.8 for pair in pairs)
    drawn = sum(request.params.n for request in submitted)
    assert drawn > 2 * len(NODES) and len(questions) == drawn - dataset.dropped.total
    assert dataset.node_ids == [node.node_id for node in NODES]
    assert "node 3" not in {example.node_id for example in dataset.examples}, "its text is that of an earlier node"
    places = [dataset.node_ids.index(example.node_id) for example in dataset.examples]
    assert places == sorted(places)


@pytest.mark.parametrize("distinct", [0.9, lambda one, other: similarity(one, other) >= 0.9], ids=["number", "function"])
def test_each_reason_is_counted_apart(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch, distinct: Any) -> None:
    write = scripted(monkeypatch)
    write("Who sails to Tanby?", "who sails to TANBY", "Where does Anna sail?")
    dataset = generator_of(llm, 3, distinct=distinct, max_tokens=8).generate(NODES[:2])
    assert dataset.questions == ["Who sails to Tanby?", "Where does Anna sail?"]
    # Of the 48 tokens of a node the first three questions take 20, and each that is drawn in place of the second one 7, while 8 are left.
    assert dataset.dropped == Dropped(within_node=2 * 4, across_nodes=2)
    assert generator_of(llm, 3, distinct=None).generate(NODES[:2]).dropped == Dropped()
    write("Who sails to", reason="length")
    cut = generator_of(llm, 3, distinct=None).generate(NODES[:2])
    assert cut.examples == [] and cut.dropped == Dropped(unfinished=6) and cut.node_ids == ["node 0", "node 1"]


@pytest.mark.parametrize("concurrency", [2])
def test_so_many_nodes_are_worked_at_at_a_time_and_it_changes_nothing(
    llm: BacoLLM, gate: Gate, passes: list[Pass], concurrency: int
) -> None:
    generator = generator_of(llm, 2, concurrency=concurrency)
    with ThreadPoolExecutor(max_workers=1) as thread:
        generating = thread.submit(generator.generate, NODES)
        wait_until(lambda: len(gate.requests) == min(concurrency, len(NODES)))
        gate.open()
        dataset = generating.result()
    assert max(one.rows for one in passes) == 2 * min(concurrency, len(NODES))
    assert dataset == generator_of(llm, 2, concurrency=3).generate(NODES)


async def test_all_forms_give_the_same_also_where_an_event_loop_runs(llm: BacoLLM, submitted: list[Request]) -> None:
    generator = generator_of(llm)
    dataset = await generator.agenerate(NODES)
    assert generator.generate(NODES) == dataset
    assert [example async for example in generator.astream(NODES)] == dataset.examples
    seeds = {request.seed for request in submitted}
    submitted.clear()
    generator_of(llm.with_(seed=5)).generate(NODES)
    assert not seeds & {request.seed for request in submitted}


async def test_an_example_comes_before_the_nodes_behind_it_are_asked(llm: BacoLLM, submitted: list[Request]) -> None:
    stream = generator_of(llm, concurrency=1, distinct=None).astream(NODES)
    first = await anext(stream)
    assert first.node_id == "node 0" and len(submitted) == 1
    await stream.aclose()
    assert len(submitted) == 1


async def test_who_leaves_ends_the_decoding_within_a_token(llm: BacoLLM, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PairInfo, "end_ids", lambda info, which: {info.vocab_size})
    generator = generator_of(llm, 2, max_tokens=200, router="aligned", threshold=None)
    task = asyncio.create_task(generator.agenerate(NODES[:3]))
    await asyncio.to_thread(wait_until, lambda: len(gate.requests) == 3)
    await asyncio.to_thread(gate.permit, 3)
    task.cancel()
    await open_after(gate, task)
    assert task.cancelled() and gate.steps <= 5
    assert {one.finish_reason for request in gate.requests for one in request.candidates.values()} == {"cancelled"}


def test_what_was_made_is_kept_when_a_node_fails_and_the_rest_is_made_later(llm: BacoLLM, submitted: list[Request], tmp_path: Path) -> None:
    generator, dataset = generator_of(llm, concurrency=2), QuestionDataset()
    long = TextNode(text="a long story " * 3000, id_="too long")
    with pytest.raises(ContextOverflowError):
        generator.generate([*NODES[:3], long, *NODES[3:]], dataset)
    whole = generator.generate(NODES)
    made = [example for example in whole.examples if example.node_id in dataset.node_ids]
    assert dataset.node_ids == ["node 0", "node 1", "node 2"] and dataset.examples == made
    dataset.save_json(tmp_path / "questions.json")
    again = QuestionDataset.from_json(tmp_path / "questions.json")
    submitted.clear()
    assert generator.generate(NODES, again) is again
    assert again == whole
    assert 3 <= len(submitted) and generator.generate(NODES, again) == whole, "nothing is left to do"


def test_a_file_has_the_form_of_a_labelled_rag_dataset(llm: BacoLLM, tmp_path: Path) -> None:
    dataset = generator_of(llm).generate(NODES[:1])
    dataset.save_json(tmp_path / "questions.json")
    (first, *_) = json.loads((tmp_path / "questions.json").read_text())["examples"]
    assert first == {
        "query": dataset.questions[0],
        "query_by": {"model_name": "tiny", "type": "ai"},
        "reference_contexts": [STATEMENTS[0]],
        "reference_answer": "",
        "reference_answer_by": None,
        "node_id": "node 0",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["questions.json"]


def test_each_question_that_is_kept_is_answered_from_its_own_node(llm: BacoLLM, submitted: list[Request]) -> None:
    sure = llm.with_(router="aligned", temperature=0)
    dataset = generator_of(llm, 2, answer_with=sure).generate(NODES)
    answered = [request for request in submitted if request.params.temperature == 0]
    assert len(answered) == len(dataset.examples) > len(NODES) / 2
    for example in dataset.examples:
        (context,) = example.reference_contexts
        expected = sure.predict(DEFAULT_TEXT_QA_PROMPT_SEL, context_str=context, query_str=example.query)
        assert example.reference_answer == expected != ""
        assert example.reference_answer_by == CreatedBy(model_name="tiny", type="ai")


def test_an_index_stands_for_its_nodes(llm: BacoLLM) -> None:
    index = VectorStoreIndex(NODES, embed_model=MockEmbedding(embed_dim=4))
    assert generator_of(llm).generate(index) == generator_of(llm).generate(NODES)
    index.docstore.delete_document("node 0")
    for node in NODES[1:]:
        index.docstore.delete_document(node.node_id)
    with pytest.raises(ConfigError, match="give the nodes"):
        generator_of(llm).generate(index)


def test_the_models_read_what_is_meant_for_them_and_the_system_prompt(llm: BacoLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    async def asample(self: BacoLLM, messages: Any, *args: Any, **keywords: Any) -> list[Any]:
        read.append([(message.role.value, message.content) for message in messages])
        return []

    monkeypatch.setattr(BacoLLM, "asample", asample)
    node = TextNode(text="Anna sails.", metadata={"page": 3, "owner": "x"}, excluded_llm_metadata_keys=["owner"])
    QuestionDatasetGenerator(llm.model_copy(update={"system_prompt": "Be brief."}), show_progress=False).generate([node])
    ((system, user),) = read
    assert system == ("system", "Be brief.")
    assert node.get_content(metadata_mode=MetadataMode.LLM) in user[1] and "owner" not in user[1] and "question" in user[1]


def test_progress_is_shown_where_it_is_wanted(llm: BacoLLM, capsys: pytest.CaptureFixture[str]) -> None:
    generator_of(llm, show_progress=True).generate(NODES[:2])
    shown = capsys.readouterr()
    assert "writing questions with tiny" in shown.err and "2" in shown.err and shown.out == ""
    generator_of(llm).generate(NODES[:2])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"n": 0}, "`n` must be an integer of at least 1"),
        ({"distinct": 0}, "`distinct` must be"),
        ({"temperature": 0}, "`temperature` must be above 0"),
        ({"concurrency": 0}, "`concurrency` must be an integer of at least 1"),
        ({"prompt": "Write a question."}, "`prompt` must be a template with {context_str}"),
        ({"prompt": PromptTemplate("About {topic}.")}, "`prompt` must be a template with {context_str}"),
        ({"answer_with": "tiny"}, "`answer_with` must be None or an LLM"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_made(llm: BacoLLM, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        generator_of(llm, **settings)


def test_what_cannot_work_is_refused_before_anything_is_decoded(llm: BacoLLM, submitted: list[Request]) -> None:
    texts: Any = STATEMENTS
    with pytest.raises(UnknownKeywordError, match="did you mean 'threshold'"):
        generator_of(llm, thresold=0.3)
    with pytest.raises(ConfigError, match="nodes with text; leave out blank"):
        generator_of(llm).generate([*NODES, TextNode(text=" ", id_="blank")])
    with pytest.raises(ConfigError, match="an index, or a list of nodes"):
        generator_of(llm).generate(texts)
    assert submitted == [] and generator_of(llm).generate([]).examples == []


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_saved_dataset_has_the_mode_of_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "plain.json").write_text("{}")
        QuestionDataset().save_json(tmp_path / "saved.json")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("plain.json", "saved.json"), 0o666 & ~umask)
