"""The command line, run in this process on a pair of model folders."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from baco import ConfigError, Engine, GenerationResult, ModelPair, Router, SamplingParams
from baco.cli.commands import main
from baco.cli.options import Settings
from baco.cli.terminal import CONTROL
from baco.models.presets import EMBEDDED, PRESETS

PROMPT = "Name a pet rabbit."
SEED = 5
SAMPLING = ["--max-tokens", "14", "--seed", str(SEED), "--threshold", "0.7"]


class Outcome(NamedTuple):
    """What a command left behind."""

    status: Any
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line and return its exit status and what it wrote."""

    def call(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        return Outcome(ended.value.code, *capsys.readouterr())

    return call


@pytest.fixture
def pair(pair_folders: Callable[[str], tuple[Path, Path]]) -> list[str]:
    base, aligned = pair_folders("llama")
    return ["--base", str(base), "--aligned", str(aligned), "--dtype", "float32", "--device", "cpu"]


@pytest.fixture
def expected(engine: Engine) -> Callable[[int, Router], GenerationResult]:
    """What the core itself answers."""
    return lambda n, router: engine.generate(PROMPT, SamplingParams(n=n, max_tokens=14, seed=SEED), router)


def one_line(text: str) -> str:
    return " ".join(text.split())


def test_help_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys\nfrom baco.cli.commands import main\ntry:\n    main(['generate', '--help'])\n"
        "except SystemExit:\n    print('heavy:', [name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--threshold" in done.stdout and "heavy: []" in done.stdout


def test_options_default_to_what_the_core_defaults_to() -> None:
    assert Settings().params(1, None) == SamplingParams()
    assert Settings().make_router() == Router()


def test_generate_writes_what_the_engine_answers(run: Command, pair: list[str], expected: Callable[..., GenerationResult]) -> None:
    document = json.loads(run("generate", PROMPT, "-n", "3", *pair, *SAMPLING, "--json").out)
    result = expected(3, Router(threshold=0.7))
    assert [answer["text"] for answer in document["answers"]] == [candidate.text for candidate in result.candidates]
    assert [answer["spans"] for answer in document["answers"]] == [
        [list(span) for span in candidate.spans()] for candidate in result.candidates
    ]
    assert 0 < document["usage"]["base_tokens"] < document["usage"]["completion_tokens"] == result.usage.completion_tokens
    assert (document["router"], document["threshold"], document["seed"]) == ("p-punc", 0.7, SEED)


def test_the_seed_that_generate_shows_brings_the_answers_back(run: Command, pair: list[str]) -> None:
    first = json.loads(run("generate", PROMPT, "-n", "2", *pair, "--max-tokens", "8", "--json").out)
    again = json.loads(run("generate", PROMPT, "-n", "2", *pair, "--max-tokens", "8", "--seed", str(first["seed"]), "--json").out)
    # What an answer costs may differ: the schedule learns, and the second one finds its prompt read.
    del first["passes"], again["passes"]
    assert again == first


def test_piped_answers_stand_alone_on_standard_output(run: Command, pair: list[str], expected: Callable[..., GenerationResult]) -> None:
    outcome = run("generate", PROMPT, "-n", "3", *pair, *SAMPLING)
    result = expected(3, Router(threshold=0.7))
    texts = CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(candidate.text for candidate in result.candidates))
    assert one_line(outcome.out.replace("«", "").replace("»", "")) == one_line(texts)
    assert "«" in outcome.out, "the base's text is marked where there are no colours"
    assert "by the «base model»" in outcome.err and f"seed {SEED}" in outcome.err and "of 3 · base" in outcome.err
    assert "· temperature 1 ·" in outcome.err


def test_the_settings_in_force_are_shown(run: Command, pair: list[str]) -> None:
    options = ["--max-tokens", "2", "--temperature", "0.5", "--top-p", "0.9", "--top-k", "7"]
    assert "· temperature 0.5, top-p 0.9, top-k 7 ·" in run("generate", PROMPT, *pair, *options).err
    assert "temperature 0.5, top-p 0.9, top-k 7" in one_line(run("compare", PROMPT, "-n", "1", *pair, *options).out)
    document = json.loads(run("generate", PROMPT, *pair, *options, "--json").out)
    assert document["sampling"] == {"temperature": 0.5, "top_p": 0.9, "top_k": 7}


def test_plain_answers_have_no_marks_and_no_legend(run: Command, pair: list[str], expected: Callable[..., GenerationResult]) -> None:
    outcome = run("generate", PROMPT, *pair, *SAMPLING, "--plain")
    assert outcome.out == expected(1, Router(threshold=0.7)).text.strip() + "\n"
    assert "base model" not in outcome.err


def test_a_streamed_answer_is_the_answer(run: Command, pair: list[str]) -> None:
    assert run("generate", PROMPT, *pair, *SAMPLING, "--stream").out == run("generate", PROMPT, *pair, *SAMPLING).out


def test_a_cut_answer_is_said_to_be_cut(run: Command, pair: list[str]) -> None:
    assert (
        "2 of 2 answers cut short; --max-tokens is 1" in run("generate", PROMPT, "-n", "2", *pair, "--max-tokens", "1", "--seed", "1").err
    )


def test_compare_shows_each_model_alone_and_both_together(run: Command, pair: list[str], expected: Callable[..., GenerationResult]) -> None:
    document = json.loads(run("compare", PROMPT, "-n", "3", *pair, *SAMPLING, "--json").out)
    routers = {"aligned": Router("aligned"), "base": Router("base"), "baco": Router(threshold=0.7)}
    for way, router in routers.items():
        texts = [candidate.text for candidate in expected(3, router).candidates]
        assert [answer["text"] for answer in document[way]["answers"]] == texts
        assert document[way]["seed"] == SEED
    assert document["aligned"]["usage"]["base_tokens"] == document["base"]["usage"]["aligned_tokens"] == 0


def test_compare_counts_distinct_answers_and_base_tokens_under_each_column(run: Command, pair: list[str]) -> None:
    document = json.loads(run("compare", PROMPT, "-n", "3", *pair, *SAMPLING, "--json").out)
    table = run("compare", PROMPT, "-n", "3", *pair, *SAMPLING).out
    counts = " ".join(f"distinct {document[way]['distinct']} of 3" for way in ("aligned", "base", "baco"))
    usage = document["baco"]["usage"]
    assert counts in one_line(table)
    assert f"base 0% base 100% base {usage['base_tokens'] / usage['completion_tokens']:.0%}" in one_line(table)
    assert "«" in table and f"seed {SEED}" in table


def test_pairs_lists_the_embedded_pair_first_and_every_preset_on_a_line(run: Command) -> None:
    lines = [line.split() for line in run("pairs").out.splitlines()]
    names = [words[0] for words in lines if words and words[0] in (EMBEDDED, *PRESETS)]
    assert names == [EMBEDDED, *PRESETS]
    llama = next(words for words in lines if words[:1] == ["llama-3-8b"])
    # Two models of 8.03 billion parameters, with two bytes each and with one, but for their embeddings.
    assert llama[1:7] == ["8.03", "B", "32.1", "GB", "17.1", "GB"]


def test_pairs_describes_one_pair_by_name(run: Command) -> None:
    told = {words[0]: words[1:] for line in run("pairs", "qwen3-0.6b").out.splitlines() if (words := line.split())}
    assert (told["base"], told["aligned"]) == (["Qwen/Qwen3-0.6B-Base"], ["Qwen/Qwen3-0.6B"])
    assert (told["context"], told["thinks"], told["licence"]) == (["32,768"], ["by", "default"], ["Apache-2.0"])
    assert "did you mean 'qwen3-0.6b'" in run("pairs", "qwen3-0.6").err


@pytest.mark.parametrize("quantization", [None, "int8"])
def test_pairs_says_of_the_embedded_pair_what_it_takes(run: Command, quantization: str | None) -> None:
    row = next(line.split() for line in run("pairs").out.splitlines() if line.split()[:1] == [EMBEDDED])
    figure = float(row[row.index("M") + (1 if quantization is None else 3)])
    pair = ModelPair.from_pretrained(EMBEDDED, device="cpu", dtype="bfloat16", quantization=quantization)
    assert pair.memory()["total"] / 1e6 == pytest.approx(figure, abs=0.6)


def test_every_option_reaches_the_engine(run: Command, pair: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def record(self: Engine, *arguments: Any, **template: Any) -> GenerationResult:
        calls.append((*arguments, template))
        raise ConfigError("enough")

    monkeypatch.setattr(Engine, "generate", record)
    options = "--system Short. --max-tokens 9 --temperature 0.5 --top-p 0.9 --top-k 7 --min-p 0.1 --seed 3 --stop a --stop b --router h"
    template = ("--chat-template-kwargs", '{"documents": [{"title": "é"}]}', "--reasoning")
    for reasoning in ("off", "on", "low"):
        run("generate", PROMPT, "-n", "4", *pair, *options.split(), "--threshold", "2", *template, reasoning)
    params = SamplingParams(n=4, max_tokens=9, temperature=0.5, top_p=0.9, top_k=7, min_p=0.1, seed=3, stop=("a", "b"))
    messages = [{"role": "system", "content": "Short."}, {"role": "user", "content": PROMPT}]
    given = [{"chat_template_kwargs": {"documents": [{"title": "é"}]}, "reasoning": reasoning} for reasoning in (False, True, "low")]
    assert calls == [(messages, params, Router("h", threshold=2), each) for each in given]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--chat-template-kwargs", "{enable_thinking: false}"], "--chat-template-kwargs must be a JSON object"),
        (["--chat-template-kwargs", "[1]"], "--chat-template-kwargs` must be a JSON object"),
        (["--reasoning", "off"], "`reasoning` cannot be chosen here"),
        (["--router", "p-punk"], "did you mean 'p-punc'?"),
        (["--temperature", "-1"], "`temperature` must be 0 (greedy)"),
        (["-n", "0"], "`n` must be an integer of at least 1"),
        (["--threshold", "0.1", "--diversity", "0.1"], "not both"),
        (["--diversity", "2"], "`diversity` must be a number in [0, 1]"),
        (["--stream", "-n", "2"], "--stream shows one answer"),
        (["--pair", "qwen2.5-0.6b"], "did you mean 'qwen2.5-0.5b'?"),
        (["--base", "./nowhere", "--aligned", "./nowhere"], "there is no model folder './nowhere'"),
        (["--base", "./nowhere"], "a pair needs both `base` and `aligned`"),
        (["--pair", "tiny", "--base", "x", "--aligned", "y"], "not both"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error(run: Command, arguments: list[str], words: str) -> None:
    outcome = run("generate", PROMPT, *arguments)
    assert outcome.status == 2 and outcome.out == ""
    assert words in outcome.err and outcome.err.count("\n") == 1 and "Traceback" not in outcome.err


def test_an_empty_prompt_is_a_mistake_too(run: Command, pair: list[str]) -> None:
    outcome = run("generate", "  ", *pair)
    assert outcome.status == 2 and "the prompt is empty" in outcome.err and outcome.err.count("\n") == 1


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["baco", "pairs"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("baco", run_name="__main__")
    assert ended.value.code == 0 and EMBEDDED in capsys.readouterr().out
