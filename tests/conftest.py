"""What all tests share: tiny pairs on disk, loaded once, and a machine that the tests leave alone."""

import os

# Before transformers is imported: no test may reach a hub.
os.environ["HF_HUB_OFFLINE"] = "1"

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from baco import Engine, ModelPair
from baco.engine.requests import Request
from tests.support.adversarial import Refused, refusals
from tests.support.gate import Gate, Pass, put_gate, record_passes, record_requests, settle
from tests.support.oracle import Oracle
from tests.support.pairs import make_pair_folders
from tests.support.tokenizers import QWEN_TEMPLATE

# The models here are so small that a second thread costs more than it brings.
torch.set_num_threads(1)

# No test is about how long an example takes, which a busy machine decides.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

PairFolders = Callable[[str], tuple[Path, Path]]


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the package measures out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def pair_folders(tmp_path_factory: pytest.TempPathFactory) -> PairFolders:
    """The folders (base, aligned) of an architecture's tiny pair, by name."""
    return cache(lambda arch: make_pair_folders(tmp_path_factory.mktemp("pairs"), arch))


@pytest.fixture(scope="session")
def get_pair(pair_folders: PairFolders) -> Callable[[str], ModelPair]:
    """The tiny pair of an architecture, loaded in float32, by name."""

    def load(arch: str) -> ModelPair:
        base, aligned = pair_folders(arch)
        return ModelPair.from_pretrained(base=str(base), aligned=str(aligned), device="cpu", dtype="float32")

    return load


@pytest.fixture(scope="session")
def get_engine(get_pair: Callable[[str], ModelPair]) -> Callable[[str], Engine]:
    """An engine over the tiny pair of an architecture, by name."""
    return cache(lambda arch: Engine(get_pair(arch)))


@pytest.fixture(scope="session")
def get_oracle(pair_folders: PairFolders) -> Callable[[str], Oracle]:
    """The reference decoder of an architecture's tiny pair, by name."""
    return cache(lambda arch: Oracle(*pair_folders(arch)))


@pytest.fixture(scope="session")
def engine(get_engine: Callable[[str], Engine]) -> Engine:
    """An engine over a tiny Llama pair, for tests to which the architecture does not matter."""
    return get_engine("llama")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Pass]:
    """Every pass of any model, as it comes."""
    return record_passes(monkeypatch)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that is submitted, as it comes."""
    return record_requests(monkeypatch)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate in front of every step of decoding; it is opened at the end."""
    gate = put_gate(monkeypatch)
    yield gate
    gate.open()
    settle(gate.requests)


@pytest.fixture
def llamaindex_settings() -> Iterator[None]:
    """LlamaIndex's global settings are afterwards what they were before."""
    import llama_index.core
    from llama_index.core import Settings

    before, tokenizer = dict(vars(Settings)), llama_index.core.global_tokenizer
    yield
    vars(Settings).update(before)
    llama_index.core.global_tokenizer = tokenizer


@pytest.fixture
def room_for_tools(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the tiny Llama pair a chat template with tools, and a window that they fit into."""
    monkeypatch.setitem(engine.pair.info.__dict__, "context_window", 4096)
    monkeypatch.setattr(engine.pair.tokenizer, "chat_template", QWEN_TEMPLATE)


@pytest.fixture
def refused(passes: list[Pass]) -> Refused:
    """A `pytest.raises` that also wants no pass of a model to be made."""
    return refusals(passes)
