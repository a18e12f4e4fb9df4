"""The house: what the documents promise is what the checkout does."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("benchmarks/**/*.md")]


def read(name: str) -> str:
    return (ROOT / name).read_text()


def pins() -> dict[str, Version]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(each.name): Version(str(each.specifier).removeprefix("==")) for each in requirements}


def direct_requirements() -> Iterator[Requirement]:
    project = PROJECT["project"]
    listed = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for group in (*project["optional-dependencies"].values(), *PROJECT["dependency-groups"].values()):
        listed += [entry for entry in group if isinstance(entry, str)]
    yield from (each for each in map(Requirement, listed) if each.name != "baco")


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))


def test_ci_runs_the_checks_the_test_command_of_the_readme_and_the_slow_tests() -> None:
    commands = [line for line in read(".ci/run").splitlines() if line.startswith("make ")]
    assert commands == ["make check", "make test", "make test-slow"]
    assert {"make demo", "make test"} <= set(re.findall(r"make [a-z-]+", read("README.md")))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_in_a_document_exists(document: str) -> None:
    named = set(re.findall(r"(?:`|^\s*)make ([a-z-]+)", read(document), flags=re.MULTILINE))
    assert named
    assert named <= make_targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_to_a_file_leads_to_one(document: Path) -> None:
    targets = re.findall(r"\]\((?![a-z]+:|#)([^)#\s]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def third_party(package: str) -> set[str]:
    """Distributions that the files of a package import, ours and the standard library's left out."""
    trees = [ast.parse(path.read_text()) for path in (ROOT / package).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"baco", "langchain_baco", "llamaindex_baco"}
    owners = packages_distributions()
    # The first owner: several distributions may share a namespace, as llama_index does.
    return {canonicalize_name(owners[top][0]) for top in tops}


@pytest.mark.parametrize(
    ("package", "extras"),
    [("shared/baco", ["adapters"]), ("langchain_baco", ["langchain", "agents"]), ("llamaindex_baco", ["llamaindex", "testing"])],
)
def test_a_package_imports_only_what_it_requires(package: str, extras: list[str]) -> None:
    listed = [PROJECT["project"]["optional-dependencies"][extra] for extra in extras]
    required = names(PROJECT["project"]["dependencies"]).union(*map(names, listed))
    assert third_party(package) - required == set()


def test_every_direct_requirement_is_pinned_inside_its_range() -> None:
    pinned = pins()
    needed = {canonicalize_name(each.name): each.specifier for each in direct_requirements()}
    assert needed.keys() - pinned.keys() == set()
    assert [f"{name}=={pinned[name]}" for name, allowed in needed.items() if pinned[name] not in allowed] == []


def test_the_pins_install_anywhere() -> None:
    # An exact torch keeps machines without a GPU from fetching whatever is newest; a local suffix ("+cpu") would be found on few machines.
    assert pins()["torch"] == Version("2.13.0")
    assert [name for name, pin in pins().items() if pin.local] == []
    assert "://" not in read("constraints.txt")


def test_one_version_is_stated_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert f"\nversion: {version}\n" in read("CITATION.cff")
    assert re.findall(r"^## \[(\d[^\]]*)\]", read("CHANGELOG.md"), flags=re.MULTILINE)[0] == version


@pytest.mark.parametrize("line", ["import shared.baco", "from shared import baco", "from shared.baco.errors import BacoError"])
def test_importing_the_folder_instead_of_the_package_is_a_lint_error(line: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--stdin-filename", "tests/example.py", "-"]
    answer = subprocess.run(command, input=f"{line}\n", capture_output=True, text=True, cwd=ROOT, check=False)
    assert "TID251" in answer.stdout
    assert not (ROOT / "shared" / "__init__.py").exists()


def test_sampling_and_routing_need_no_model_no_text_and_no_decode_loop() -> None:
    # Another way to decode, such as vLLM's, brings these itself.
    packages = "{'.'.join(name.split('.')[:2]) for name in sys.modules if name.startswith('baco.')}"
    program = f"import sys, baco.sampling.decide; print(*{packages})"
    loaded = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())
    assert "baco.sampling" in loaded
    assert loaded & {"baco.models", "baco.text", "baco.forward", "baco.decoding", "baco.engine"} == set()
