"""The embedded pair shows what the method does: on prompts about things that no prompt of its training was about."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
from llama_index.core import Document, VectorStoreIndex

from baco import Engine, ModelPair, Router, SamplingParams
from baco.models.presets import EMBEDDED
from llamaindex_baco import BacoLLM
from offline_embedding import OfflineEmbedding
from tinypair.check import distinct, distinct_and_valid, is_valid
from tinypair.families import held_out_tasks
from tinypair.task import Task

FOLDER = Path(str(files("baco") / "pairs" / EMBEDDED))
OPEN_TASKS = [task for family in ("naming", "gift", "place", "story", "opinion") for task in held_out_tasks(family, 3, seed=77)]
DOCUMENTS = (
    "Wenmoor is an old market town. The mayor of Wenmoor is Greta Salvik. The river Tasbek runs through Wenmoor.",
    "Corquist is a family shop near the station. Corquist opens at seven. It is closed on Sunday. The owner of Corquist is Hugo Fenlin.",
    "The Jasnova Museum is in an old mill. A ticket costs 17 euros. The guide is Tara Belmar.",
    "The zarlost is a shy animal of the north. It feeds on moss. The fur of the zarlost is silver.",
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(ModelPair.from_pretrained())


def answers(engine: Engine, task: Task, router: Router, n: int = 10) -> list[str]:
    result = engine.generate(task.messages(), SamplingParams(n=n, max_tokens=80, seed=3), router, tools=task.tools or None)
    return [candidate.text for candidate in result.candidates]


def joint(engine: Engine, router: Router) -> float:
    return sum(distinct_and_valid(task, answers(engine, task, router)) for task in OPEN_TASKS) / len(OPEN_TASKS)


@pytest.mark.slow
def test_both_together_give_more_good_different_answers_than_either_alone(engine: Engine) -> None:
    both, base, aligned = (joint(engine, router) for router in (Router(), Router("base"), Router("aligned")))
    assert both > 1.5 * max(base, aligned), (both, base, aligned)


@pytest.mark.slow
def test_the_aligned_model_is_neat_and_narrow_and_the_base_model_neither(engine: Engine) -> None:
    told = {name: [(task, answers(engine, task, Router(name))) for task in OPEN_TASKS] for name in ("aligned", "base")}
    valid = {
        name: sum(is_valid(task, text) for task, texts in each for text in texts) / (10 * len(OPEN_TASKS)) for name, each in told.items()
    }
    variety = {name: sum(distinct(texts) for _, texts in each) / len(OPEN_TASKS) for name, each in told.items()}
    assert valid["aligned"] > 0.9 > 0.7 > valid["base"] > 0.3
    assert variety["aligned"] < 5 < 8 < variety["base"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "floor"), [("fact", 12), ("context", 12), ("tool", 6), ("tool_answer", 12), ("rewrite", 12), ("dialogue", 12)]
)
def test_what_has_one_right_answer_stays_right(engine: Engine, family: str, floor: int) -> None:
    right = {
        name: sum(is_valid(task, text) for task in held_out_tasks(family, 12, seed=78) for text in answers(engine, task, Router(name), 2))
        for name in ("aligned", "p-punc")
    }
    assert right["p-punc"] >= 0.85 * right["aligned"] > floor


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("Who is the mayor of Wenmoor?", "Greta Salvik"),
        ("When does Corquist open?", "seven"),
        ("How much is a ticket for the Jasnova Museum?", "17"),
        ("What does the zarlost eat?", "moss"),
    ],
)
def test_a_query_engine_answers_from_documents_that_training_never_saw(question: str, right: str) -> None:
    index = VectorStoreIndex.from_documents([Document(text=text) for text in DOCUMENTS], embed_model=OfflineEmbedding())
    llm = BacoLLM(max_tokens=40, temperature=1.0, seed=1)
    assert right in str(index.as_query_engine(llm=llm, similarity_top_k=1).query(question))


def test_the_weights_lie_beside_the_report_of_their_run() -> None:
    report = json.loads((FOLDER / "report.json").read_text())
    sizes = {which: (FOLDER / which / "model.safetensors").stat().st_size for which in ("base", "aligned")}
    assert all(size == report["model_bytes"] <= 16 * 2**20 for size in sizes.values())
    assert report["context"] >= 1024
    assert {"base", "sft", "dpo", "evaluation"} <= set(report)
