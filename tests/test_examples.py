"""Every example runs and shows what it says it shows."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> "Run":
    return Run(capsys, monkeypatch)


class Run:
    """Runs an example as a script, in this process, and returns what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        monkeypatch.setenv("COLUMNS", "120")

    def __call__(self, name: str) -> str:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return self.capsys.readouterr().out


def rows(output: str) -> list[list[str]]:
    """The numbered rows of the tables, each as its cells."""
    return [re.split(r"\s{2,}", line.strip()) for line in output.splitlines() if re.match(r"\s*\d+\s{2,}\S", line)]


def footers(output: str, pattern: str) -> list[list[int]]:
    """The numbers that a pattern finds, line by line, where it finds any."""
    found = [[int(number) for number in re.findall(pattern, line)] for line in output.splitlines()]
    return [numbers for numbers in found if numbers]


def test_the_quickstart_shows_six_answers_with_their_owners(run: Run) -> None:
    output = run("quickstart.py")
    answers = rows(output)
    assert [answer[0] for answer in answers] == ["1", "2", "3", "4", "5", "6"]
    assert "«" in output and all(re.fullmatch(r"\d+% base", answer[-1]) for answer in answers)
    assert len({answer[1] for answer in answers}) > 1


def test_the_streaming_example_counts_the_tokens_that_it_shows(run: Run) -> None:
    output = run("streaming_provenance.py")
    counts = r"(\d+) tokens, (\d+) of them by the base model; (\d+) passes of the base model, (\d+) of the aligned"
    found = re.search(counts, " ".join(output.split()))
    assert found and "«" in output
    tokens, base, base_passes, aligned_passes = map(int, found.groups())
    assert 0 < base < tokens
    assert 0 < base_passes and 0 < aligned_passes
    assert base_passes + aligned_passes < 2 * tokens, "in lockstep, each token would be a pass of both models"


def test_the_demo_shows_three_ways_in_both_frameworks_and_counts_truly(run: Run) -> None:
    output = run("demo.py")
    assert "LangChain" in output and "LlamaIndex" in output and "baco compare" in output
    assert len(rows(output)) == 2 * 6
    assert footers(output, r"distinct \d+ of (\d+)") == [[6, 6, 6], [6, 6, 6]]
    shares = footers(output, r"base (\d+)%")
    assert len(shares) == 2
    for aligned, base, both in shares:
        assert aligned == 0 and base == 100 and 0 < both < 100


@pytest.mark.parametrize("name", ["langchain_chain.py", "llamaindex_query_engine.py"])
def test_a_framework_example_shows_answers_of_the_aligned_model_and_of_both(run: Run, name: str) -> None:
    output = run(name)
    shares = footers(output, r"base (\d+)%")[-1]
    assert shares[0] == 0 and 0 < shares[-1] < 100 and "«" in output


def test_the_tool_example_calls_the_right_tool_and_reports_what_it_found(run: Run) -> None:
    output = " ".join(run("langchain_tools.py").split())
    assert re.search(r"human What is the price of Zelnik\? ai get_price\(product='Zelnik'\) tool 42 euros ai .*42 euros", output)


def test_every_example_is_run_by_a_test() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text()}
    assert {name for name in scripts if f'"{name}"' not in Path(__file__).read_text()} == set()
