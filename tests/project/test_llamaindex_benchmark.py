"""The LlamaIndex benchmark measures what it says, beside what one would write instead."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.llms.custom import CustomLLM

from benchmarks import llamaindex_calls
from benchmarks.event_loop import FURTHER, METHODS, TIMEOUT_S, measure_stalls
from benchmarks.llamaindex_calls import KINDS, OBJECTS, QUERIES, SUBJECTS

HELD_S = 1.5 * TIMEOUT_S


class Blocking(CustomLLM):
    """Holds up the event loop for a known time."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        time.sleep(HELD_S)
        return CompletionResponse(text="x")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        yield self.complete(prompt)


@pytest.mark.slow
def test_a_quick_run_measures_both_and_finds_equal_texts_and_valid_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["llamaindex_calls.py", "--quick", "--output", str(file)])
    llamaindex_calls.main()
    last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert last == file.read_text().rstrip("\n")
    document = json.loads(last)
    mine = [one for one in document["stalls"] if one["llm"] == "BacoLLM"]
    assert [one["method"] for one in mine] == [*METHODS, *FURTHER] and len(document["stalls"]) == 12
    assert [one["llm"] for one in document["gathered"]] == ["BacoLLM"] * 3 + ["CustomLLM + generate"] * 3
    assert all(one["equal"] == (one["calls"] if one["llm"] == "BacoLLM" else None) for one in document["gathered"])
    assert all(one["valid"] == one["streamed_valid"] == one["asked"] and one["parts"] > 1 for one in document["objects"])


def test_the_full_run_asks_what_it_says() -> None:
    assert (len(set(KINDS)), len(KINDS) * OBJECTS, QUERIES, len(set(SUBJECTS))) == (10, 200, 16, 16)


def test_a_call_that_holds_up_the_loop_is_seen_to_do_so() -> None:
    told: list[str] = []
    stalls = asyncio.run(measure_stalls("blocking", Blocking(), 1, told.append))
    assert len(told) == len(stalls) == len(METHODS)
    for stall in stalls:
        assert stall.longest_stall_ms >= HELD_S * 900 and stall.timed_out_ms >= HELD_S * 900
        assert stall.times_out == 0
