"""Every example runs and shows what it says it shows."""

import asyncio
import re
import runpy
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import llamaindex_agents
from baco import Engine, ModelPair
from baco.engine.requests import Request
from tests.support.scripted import scripted

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> "Run":
    return Run(capsys, monkeypatch)


class Run:
    """Runs an example as a script, in this process, and returns what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.capsys = capsys
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", ["example"])

    def __call__(self, name: str) -> str:
        # A thread for each: LlamaIndex leaves an event loop in its own, which the next `asyncio.run` there would lose unclosed.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(runpy.run_path, str(EXAMPLES / name), run_name="__main__").result()
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


def test_the_retrieval_example_answers_several_times_from_the_right_passage(run: Run) -> None:
    output = run("langchain_rag.py")
    passage, answers = re.search(r"found: (.*?)\n\n", output, re.DOTALL), rows(output)
    assert passage and "Halden Museum stands by the river" in passage[1] and "Tandrel" not in passage[1]
    rooms = [re.sub(r"[«»]", "", answer[1]).removeprefix("In the Halden Museum you could see the ").rstrip(".") for answer in answers]
    assert len(set(rooms)) == len(rooms) == 6 and "«" in output
    told = [room in " ".join(passage[1].split()) for room in rooms]
    assert [answer[-1] == "in the passage" for answer in answers] == told
    assert 3 <= sum(told) < 6 and told == sorted(told, reverse=True)


def test_the_agent_example_takes_the_right_tools_and_reports_what_they_gave(run: Run) -> None:
    output = run("langchain_agent.py")
    steps = [line.strip() for line in output.splitlines() if re.match(r" {0,3}(human|ai|tool) ", line)]
    assert steps == [
        "human  What is the price of Zelnik?",
        "ai  get_price(product='Zelnik')",
        "tool  42 euros",
        "ai  The price of Zelnik is 42 euros.",
        "human  What is the weather in Ostrin?",
        "ai  get_weather(city='Ostrin')",
        "tool  sunny, 21 degrees",
        "ai  The weather in Ostrin is sunny, 21 degrees.",
        "human  What is 17 plus 25?",
        "ai  add(a=17, b=25)",
        "tool  42",
        "ai  17 plus 25 is 42.",
    ]
    turns = re.split(r"^ *ai .*$", output, flags=re.MULTILINE)[1:]
    votes = [[int(count) for count in re.findall(r"(\d) of 5: ", turn)] for turn in turns]
    assert [sum(counts) for counts in votes] == [5] * 6
    assert any(len(counts) > 1 for counts in votes), "where all agree, there is nothing to choose"


def test_the_brainstorm_gives_twenty_names_the_likeliest_first(run: Run) -> None:
    ideas = rows(run("langchain_brainstorm.py"))
    assert len({name for _, name, *_ in ideas}) == len(ideas) == 20
    for _, name, sound, written, _ in ideas:
        text = re.sub(r"[«»]", "", written)
        assert re.fullmatch(f"You could call your pet kitten {name}, which is an? {sound} name\\.", text)
    scores = [float(idea[-1]) for idea in ideas]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]


def test_the_streaming_example_counts_the_tokens_of_three_stories(run: Run) -> None:
    output = run("langchain_streaming.py")
    ((*tokens,),) = footers(output, r"(\d+) tokens(?! in)")
    ((*base,),) = footers(output, r"(\d+) by the base")
    total = re.search(r"(\d+) tokens in all, (\d+) of them by the base model", output)
    assert len(tokens) == len(base) == 3 and all(0 < few < many for few, many in zip(base, tokens, strict=True))
    assert total and [sum(tokens), sum(base)] == [int(number) for number in total.groups()]
    assert output.count("lighthouse") >= 4 and "«" in output


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of LlamaIndex's own agents
def test_the_function_agent_takes_the_right_tools_and_reports_what_they_gave(run: Run) -> None:
    output = run("llamaindex_agents.py")
    steps = [" ".join(line.split()) for line in output.splitlines() if re.match(r" {0,5}(user|calls|tool|assistant) ", line)]
    assert steps == [
        "user What is the price of Zelnik?",
        "calls get_price(product='Zelnik')",
        "tool 42 euros",
        "assistant The price of Zelnik is 42 euros.",
        "user What is the weather in Ostrin?",
        "calls get_weather(city='Ostrin')",
        "tool sunny, 21 degrees",
        "assistant The weather in Ostrin is sunny, 21 degrees.",
        "user What is 17 plus 25?",
        "calls add(a=17, b=25)",
        "tool 42",
        "assistant 17 plus 25 is 42.",
    ]
    assert output.count("2 answers") == 3 and "--pair" in output


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of LlamaIndex's own agents
def test_the_agents_of_larger_pairs_hand_over_and_reason(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded pair cannot, so that its part is written by a script; LlamaIndex's are real."""
    call = '<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'
    script = [
        *[text for _ in llamaindex_agents.QUESTIONS for text in (call.format(name="add", arguments='{"a": 1, "b": 2}'), "Three.")],
        call.format(name="handoff", arguments='{"to_agent": "clerk", "reason": "prices"}'),
        call.format(name="get_price", arguments='{"product": "Zelnik"}'),
        "It costs 42 euros.",
        'Thought: I need a tool.\nAction: get_price\nAction Input: {"product": "Zelnik"}',
        "Thought: I know.\nAnswer: Zelnik costs 42 euros.",
    ]
    answers, submit = iter(script), Engine._submit

    def scripted_next(engine: Engine, requests: Sequence[Request]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            scripted(patch)(next(answers))
            Engine._submit(engine, requests)

    monkeypatch.setattr(Engine, "_submit", scripted_next)
    monkeypatch.setitem(ModelPair.from_pretrained().info.__dict__, "context_window", 8192)
    assert submit is not Engine._submit
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, llamaindex_agents.main("tiny")).result()
    output = capsys.readouterr().out
    handed = output.partition("hand over")[2]
    assert re.search(r"handoff\(to_agent='clerk'.*get_price\(product='Zelnik'\).*It costs 42 euros", handed, re.DOTALL)
    assert re.search(r"A ReAct agent.*get_price\(product='Zelnik'\).*42 euros.*Zelnik costs 42 euros", output, re.DOTALL)
    assert next(answers, None) is None


def test_the_chat_engine_goes_on_with_one_answer_and_shows_others(run: Run) -> None:
    output = run("llamaindex_chat_engine.py")
    assert output.count("user  ") == output.count("assistant  ") == output.count("other answers to") == 3
    read = footers(output, r"(\d+) tokens read")
    assert read == sorted(read) and read[0] < read[-1], "the conversation grows"
    assert len(rows(output)) >= 6 and "«" in output


def test_the_extraction_example_shows_an_answer_to_each_question_and_valid_objects(run: Run) -> None:
    output = run("llamaindex_extraction.py")
    assert "Clara Tandrel" in output and "12 euros" in output
    names = rows(output)
    assert len(names) == 6 and all(
        re.fullmatch("[A-Z][a-z]{2,9}", name) and sound in "proud funny clever lucky" for _, name, sound in names
    )
    assert len({name for _, name, _ in names}) > 3


def test_the_diverse_retrieval_answers_differently_from_one_passage_the_likeliest_first(run: Run) -> None:
    output = run("llamaindex_diverse_rag.py")
    passage, answers = re.search(r"found once: (.*?)\n\n", output, re.DOTALL), rows(output)
    texts = [re.sub(r"[«»]", "", answer[1]) for answer in answers]
    assert passage and len(set(texts)) == len(texts) == 6 and "«" in output
    rooms = [text.removeprefix("In the Halden Museum you could see the ").rstrip(".") for text in texts]
    told = [room in " ".join(passage[1].split()) for room in rooms]
    assert [answer[-1] == "in the passage" for answer in answers] == told and any(told)


def test_the_dataset_counts_what_it_drew_kept_and_dropped(run: Run) -> None:
    output = run("llamaindex_dataset.py")
    kept = len(rows(output))
    counts = [int(number) for number in re.findall(r"\d+", output[output.index("dropped:") :].splitlines()[0])]
    drawn = re.search(r"(\d+) drawn, (\d+) kept", output)
    assert drawn and int(drawn[2]) == kept and int(drawn[1]) == kept + sum(counts)
    assert output.count("from the passage") >= 5


def test_every_example_is_run_by_a_test() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text()}
    assert {name for name in scripts if f'"{name}"' not in Path(__file__).read_text()} == set()
