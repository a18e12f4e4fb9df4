"""Code in the documentation runs, and its commands and links exist."""

import ast
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.globals import set_llm_cache

import baco.errors
from baco import Engine, ModelPair, Router, SamplingParams
from baco.cli import pairs_table
from baco.forward.trial import COMPARED
from baco.models.presets import PRESETS
from baco.parsing import detection
from baco.parsing.tool_call import ToolCall
from baco.routing import registry
from benchmarks.llamaindex_conformance import sentence
from tests.support.tokenizers import QWEN_TEMPLATE, byte_level_bpe

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/langchain.md",
    "docs/llamaindex.md",
    "docs/llamaindex-conformance.md",
    "docs/models.md",
    "examples/train_tiny_pair/README.md",
    "benchmarks/README.md",
]
SHOWN = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", re.DOTALL | re.MULTILINE)
API = sorted((ROOT / "docs/api").glob("*.md"))
PAGES = ("docs/langchain.md", "docs/llamaindex.md")
EXAMPLES = [(page, code, shown) for page in PAGES for code, shown in SHOWN.findall((ROOT / page).read_text())]
"""The code of each framework's page, and what stands below it."""


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def _own_cache() -> Iterator[None]:
    """Leave LangChain's global cache as it is without a document."""
    yield
    set_llm_cache(None)


def test_the_table_of_models_has_the_types_that_the_tests_compare() -> None:
    table = (ROOT / "docs/models.md").read_text().split("### Architectures that the tests compare")[1]
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+`) \|", table, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(COMPARED)
    assert f"{len(COMPARED)} architectures" in (ROOT / "README.md").read_text()


def run(code: str, document: str) -> None:
    """Run code in a thread of its own: LlamaIndex leaves an event loop in one, which the next `asyncio.run` there would lose unclosed."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(exec, compile(code, document, "exec"), {"__name__": "document"}).result()


@pytest.mark.usefixtures("llamaindex_settings")
@pytest.mark.parametrize("code", blocks("README.md", "python"))
def test_readme_code_runs_and_prints_answers(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(code, "README.md")
    assert len(capsys.readouterr().out.strip()) > 20


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of LlamaIndex's own agents and classes
@pytest.mark.usefixtures("_own_cache", "llamaindex_settings")
@pytest.mark.parametrize(("page", "code", "shown"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_a_pages_code_prints_what_stands_below_it(page: str, code: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(code, page)
    assert capsys.readouterr().out.strip() == shown.strip()


@pytest.mark.parametrize("page", PAGES)
def test_all_code_of_a_page_is_shown_with_what_it_prints(page: str) -> None:
    shown = [code for where, code, _ in EXAMPLES if where == page]
    assert shown == blocks(page, "python") and len(shown) > 7


def test_the_tables_of_models_say_what_the_presets_say() -> None:
    page, readme = ((ROOT / document).read_text() for document in ("docs/models.md", "README.md"))
    rows = re.findall(r"^\| .* \| `(\S+)` \| (.*) \|$", page.split("## Which models run")[0], re.MULTILINE)
    described = {name: list(pairs_table.described(preset).values())[1:] for name, preset in PRESETS.items()}
    assert {name: cells.split(" | ") for name, cells in rows} == described
    listed = re.findall(r"^\| ([^|]+) \| (`.*`) \| .* \| .* \|$", readme.split("## Models")[1].split("\n## ")[0], re.MULTILINE)
    families = list(dict.fromkeys(preset.family for preset in PRESETS.values()))
    assert [family for family, _ in listed] == families
    assert [name for _, names in listed for name in re.findall(r"`(\S+)`", names)] == list(PRESETS)


def test_the_conformance_table_is_what_was_measured() -> None:
    page = (ROOT / "docs/llamaindex-conformance.md").read_text()
    rows = re.findall(r"^\| ([^|*]+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)[1:]
    measured = json.loads((ROOT / "benchmarks/results/llamaindex_conformance.json").read_text())["results"]
    by_name = [{sentence(trap["name"]): trap["outcome"] for trap in measured[llm]["traps"]} for llm in ("BacoLLM", "HuggingFaceLLM")]
    assert {name: (ours, theirs) for name, ours, theirs in rows} == {name: (by_name[0][name], by_name[1][name]) for name in by_name[0]}
    totals = re.findall(r"^\| \*\*(\w+)\*\* \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    counted = [measured[llm]["totals"] for llm in ("BacoLLM", "HuggingFaceLLM")]
    assert [(what, int(ours), int(theirs)) for what, ours, theirs in totals] == [
        (what, *(one[what] for one in counted)) for what in counted[0]
    ]
    assert not any(outcome.startswith(("FAIL", "skip")) for outcome in by_name[0].values())


def test_the_conformance_pages_code_is_a_suite_that_passes() -> None:
    (code,) = blocks("docs/llamaindex-conformance.md", "python")
    names: dict[str, Any] = {"__name__": "document"}
    exec(compile(code, "docs/llamaindex-conformance.md", "exec"), names)
    suite = names["TestMyLLM"]()
    measured = json.loads((ROOT / "benchmarks/results/llamaindex_conformance.json").read_text())["results"]["BacoLLM"]["traps"]
    assert {name for name in dir(suite) if name.startswith("test_")} == {trap["name"] for trap in measured}
    suite.test_every_method_answers(names["TestMyLLM"].make_llm._get_wrapped_function()(suite), "achat")


@pytest.mark.parametrize("code", [code for code in blocks("CONTRIBUTING.md", "python") if "register_router" in code])
def test_a_router_written_as_the_guide_says_is_found_by_its_name(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KINDS", dict(registry.KINDS))
    exec(compile(code, "CONTRIBUTING.md", "exec"), {"__name__": "guide"})
    name = re.findall(r'register_router\("([a-z-]+)"', code)[0]
    result = Engine(ModelPair.from_pretrained()).generate("Name a pet rabbit.", SamplingParams(max_tokens=12, seed=1), Router(name))
    assert result.router == name


def test_a_tool_call_family_written_as_the_guide_says_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [code for code in blocks("CONTRIBUTING.md", "python") if "def recognise" in code]
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    monkeypatch.setattr(detection, "FAMILIES", (*detection.FAMILIES, ("Toy", names["recognise"])))
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = QWEN_TEMPLATE.replace("<tool_call>\n", "[CALL] ").replace("}\n</tool_call>", "}")
    assert detection.detect_tool_calls(tokenizer) == names["TOY"]
    assert names["TOY"].reader().push('So: [CALL] {"name": "wait", "arguments": {}}', final=True) == (
        "So:",
        [ToolCall(name="wait", arguments={})],
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_to_files_lead_somewhere(document: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / document).read_text())
    missing = [target for target in targets if not (ROOT / document).parent.joinpath(target).exists()]
    assert not missing


def test_make_targets_named_in_the_readme_exist() -> None:
    named = set(re.findall(r"make ([a-z]+)", "\n".join(blocks("README.md", "console"))))
    defined = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named and named <= defined


def wings() -> dict[str, str]:
    """The core's packages, and what the first sentence of each one's docstring says."""
    docstrings = {path.parent.name: ast.get_docstring(ast.parse(path.read_text())) for path in (ROOT / "shared/baco").glob("*/__init__.py")}
    return {name: re.split(r"(?<=\.)\s", docstring or "")[0] for name, docstring in docstrings.items()}


@pytest.mark.parametrize("wing", sorted(wings()))
def test_every_package_of_the_core_has_its_row_in_the_architecture(wing: str) -> None:
    rows = dict(re.findall(r"^\| `(\w+)/` \| (.*?) \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE))
    assert rows.keys() == wings().keys()
    assert rows[wing] == wings()[wing]


def test_every_public_name_of_the_core_has_its_place_in_the_api_pages() -> None:
    shown = set(re.findall(r"^::: baco\.(\w+)$", "\n".join(path.read_text() for path in API), re.MULTILINE))
    errors = {name for name in baco.__all__ if hasattr(baco.errors, name)}  # shown together, as a tree
    assert shown == set(baco.__all__) - errors - {"__version__"} | {"answers", "errors"}


def test_the_sites_navigation_names_every_page() -> None:
    named = re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = [path for pattern in ("*.md", "docs/*.md", "docs/api/*.md") for path in ROOT.glob(pattern)]
    assert {path.relative_to(ROOT).as_posix() for path in pages} <= set(named)
    assert [name for name in named if not (ROOT / name).exists()] == []
