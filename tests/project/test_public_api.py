"""What strangers rely on: the public names, and what the wheel holds."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

import baco

ROOT = Path(__file__).resolve().parents[2]
ADAPTERS = ("langchain_baco", "llamaindex_baco", "llama_index/llms/baco")
PACKAGES = {"baco": ROOT / "shared" / "baco"} | {name: ROOT / name for name in ADAPTERS}
MODEL_FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
LARGEST_MODEL = 16_000_000
"""Bytes on disk that one embedded model may take."""

PUBLIC_NAMES = [
    "BacoError",
    "Candidate",
    "ChatTemplateError",
    "ConfigError",
    "ContextOverflowError",
    "Engine",
    "GenerationResult",
    "Grammar",
    "GrammarError",
    "MissingExtraError",
    "ModelNotFoundError",
    "ModelPair",
    "PairConfig",
    "PairError",
    "Passes",
    "Prefix",
    "PromptError",
    "Router",
    "SamplingParams",
    "SamplingSettings",
    "Signals",
    "StreamEvent",
    "Token",
    "TokenLogprob",
    "TopLogprob",
    "UnknownKeywordError",
    "UnsupportedModelError",
    "Usage",
    "VocabularyError",
    "__version__",
    "register_router",
    "router_names",
]


def test_the_public_names_are_these_and_no_others() -> None:
    assert baco.__all__ == PUBLIC_NAMES


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(baco, name) is not None


def test_the_version_is_that_of_the_installed_distribution() -> None:
    assert baco.__version__ == version("baco")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Build the wheel from the checkout, without a network; give its files and their sizes in bytes."""
    build: Callable[..., object] = WheelBuilder(str(ROOT)).build
    folder = tmp_path_factory.mktemp("wheel")
    for _ in build(directory=str(folder), versions=["standard"]):  # type: ignore[attr-defined]
        pass
    (path,) = folder.glob("*.whl")
    with ZipFile(path) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def test_the_wheel_holds_the_packages_and_nothing_beside_them(wheel: dict[str, int]) -> None:
    homes = (*PACKAGES, f"baco-{version('baco')}.dist-info")
    assert [name for name in wheel if not name.startswith(tuple(f"{home}/" for home in homes))] == []


def test_the_name_among_llamaindexs_integrations_is_the_same_class() -> None:
    import llamaindex_baco
    from llama_index.llms.baco import BacoLLM

    assert BacoLLM is llamaindex_baco.BacoLLM


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_the_wheel_holds_every_file_of_each_package(wheel: dict[str, int], package: str) -> None:
    folder = PACKAGES[package]
    files = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    expected = {f"{package}/{path.relative_to(folder).as_posix()}" for path in files}
    assert {name for name in wheel if name.startswith(f"{package}/")} == expected
    assert f"{package}/py.typed" in expected


@pytest.mark.parametrize("model", ["base", "aligned"])
def test_the_wheel_holds_the_embedded_pair_and_each_model_is_small(wheel: dict[str, int], model: str) -> None:
    files = {name: size for name, size in wheel.items() if name.startswith(f"baco/pairs/tiny/{model}/")}
    assert {f"baco/pairs/tiny/{model}/{name}" for name in MODEL_FILES} <= files.keys()
    assert (f"baco/pairs/tiny/{model}/chat_template.jinja" in files) == (model == "aligned")
    assert sum(files.values()) < LARGEST_MODEL


def test_the_wheel_carries_the_licence_and_the_console_script(wheel: dict[str, int]) -> None:
    metadata = f"baco-{version('baco')}.dist-info"
    assert {f"{metadata}/licenses/LICENSE", f"{metadata}/entry_points.txt"} <= wheel.keys()
