"""LlamaIndex's traps, and which LLM has them: `python benchmarks/llamaindex_conformance.py [--output FILE] [--only EXPRESSION]`.

Runs the suite `llamaindex_baco.testing` for `BacoLLM`, on the embedded pair, and for `HuggingFaceLLM`, on that pair's aligned model. Each
runs in a process of its own. Prints a table with a line for each trap, and as its last line one JSON object.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree

from rich.markup import escape
from rich.table import Table

from benchmarks.report import conditions, finish, new_table, open_console

ROOT = Path(__file__).resolve().parents[1]
HUGGINGFACE = "llama-index-llms-huggingface"
SUITES = {
    "BacoLLM": "tests/llamaindex/test_conformance.py::TestBacoLLM",
    "HuggingFaceLLM": "benchmarks/conformance_huggingface.py::TestHuggingFaceLLM",
}
LONGEST = 3600
"""Seconds after which a whole suite is given up. Each of its tests has a limit of its own."""
NOTHING_FAILED, SOME_FAILED = 0, 1
"""What pytest returns when it has run all it was asked for."""
REASON = 200
"""Characters of a reason that are kept."""


@dataclass(frozen=True, kw_only=True)
class Trap:
    """What one test says of one LLM, with all its parameters."""

    name: str
    passed: int
    failed: int
    skipped: int
    reason: str
    """Why the first of its checks failed or, where none did, was skipped; empty where all passed."""

    @property
    def outcome(self) -> str:
        """What the table says: a trap in which one of eight ways fails is one that users meet."""
        if self.failed:
            ran = self.passed + self.failed
            return "FAIL" if ran == self.failed else f"FAIL {self.failed} of {ran}"
        return "pass" if self.passed else "skip"


def main() -> None:
    """Run both suites and report."""
    arguments = _arguments()
    facts = conditions("cpu") | {"pair": "embedded, float32; HuggingFaceLLM has its aligned model", "packages": _packages()}
    console = open_console(facts)
    results = {name: run_suite(suite, arguments.only) for name, suite in SUITES.items()}
    console.print(conformance_table(results))
    for name, traps in results.items():
        for trap in traps:
            if trap.reason:
                console.print(f"[bold]{name}[/], {sentence(trap.name)}: {trap.outcome}: {escape(trap.reason)}", soft_wrap=True)
    told = {
        name: {"totals": totals(traps), "traps": [vars(trap) | {"outcome": trap.outcome} for trap in traps]}
        for name, traps in results.items()
    }
    finish({"benchmark": "llamaindex_conformance", "conditions": facts, "results": told}, arguments.output)


def run_suite(suite: str, only: str | None) -> list[Trap]:
    """Run a suite in a process of its own, and read what it reports."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # What a library that an LLM uses warns of is not the LLM's fault.
        options = ["-q", "-p", "no:cacheprovider", "-o", "filterwarnings=default", f"--junitxml={report}", "-k", only or ""]
        command = [sys.executable, "-m", "pytest", suite, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST, check=False)
        if done.returncode not in (NOTHING_FAILED, SOME_FAILED):
            raise SystemExit(f"{suite} did not run:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return read_report(report)


def read_report(report: Path) -> list[Trap]:
    """Bring the checks of each trap together, in the suite's order."""
    checks: dict[str, list[tuple[str, str]]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        found = next((part for part in case if part.tag in ("failure", "error", "skipped")), None)
        outcome = "passed" if found is None else "skipped" if found.tag == "skipped" else "failed"
        reason = "" if found is None else _short(found.get("message") or "")
        checks.setdefault(case.attrib["name"].partition("[")[0], []).append((outcome, reason))
    return [_trap(name, found) for name, found in checks.items()]


def _short(reason: str) -> str:
    """Begin a reason on one line, with this checkout's folder left out."""
    return " ".join(reason.replace(f"{ROOT}/", "").split())[:REASON]


def _trap(name: str, checks: Sequence[tuple[str, str]]) -> Trap:
    outcomes = [outcome for outcome, _ in checks]
    failed = [reason for outcome, reason in checks if outcome == "failed"]
    skipped = [reason for outcome, reason in checks if outcome == "skipped"]
    counts = {outcome: outcomes.count(outcome) for outcome in ("passed", "failed", "skipped")}
    return Trap(name=name, **counts, reason=(failed or skipped or [""])[0])


def conformance_table(results: Mapping[str, Sequence[Trap]]) -> Table:
    """Lay out a line for each trap, and the totals."""
    table = new_table("Traps of LlamaIndex: what users rely on, and which LLM has it", "trap", *results, left=["trap", *results])
    by_name = {name: {trap.name: trap.outcome for trap in traps} for name, traps in results.items()}
    names = list(dict.fromkeys(trap.name for traps in results.values() for trap in traps))
    for done, trap in enumerate(names, 1):
        table.add_row(sentence(trap), *(outcomes.get(trap, "-") for outcomes in by_name.values()), end_section=done == len(names))
    for what, key in (("traps passed", "passed"), ("traps failed", "failed"), ("traps skipped", "skipped")):
        table.add_row(what, *(str(totals(traps)[key]) for traps in results.values()))
    return table


def totals(traps: Iterable[Trap]) -> dict[str, int]:
    """Count traps: one with any check that failed has failed; of the others, one is skipped if all its checks were."""
    outcomes = [trap.outcome.split()[0].lower() for trap in traps]
    return {"passed": outcomes.count("pass"), "failed": outcomes.count("fail"), "skipped": outcomes.count("skip")}


def sentence(name: str) -> str:
    """Read a test's name."""
    return name.removeprefix("test_").replace("_", " ")


def _packages() -> str:
    """Versions of what is compared.

    Raises:
        SystemExit: what HuggingFaceLLM is in is not installed.
    """
    try:
        return ", ".join(f"{name} {version(name)}" for name in ("llama-index-core", HUGGINGFACE))
    except PackageNotFoundError:
        raise SystemExit(f"HuggingFaceLLM is not here; to compare with it: pip install --no-deps {HUGGINGFACE}==0.8.0") from None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON line there")
    parser.add_argument("--only", metavar="EXPRESSION", help="only traps that fit, as pytest's -k says it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
