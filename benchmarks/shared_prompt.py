"""What it saves to ask for n answers at once: n answers to one prompt beside n calls, one after another.

Knows `Subject`; knows nothing of how figures are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from baco import Router, SamplingParams
from benchmarks.measure import Progress
from benchmarks.methods import THRESHOLD
from benchmarks.subjects import Subject
from benchmarks.timing import Clock


@dataclass(frozen=True, kw_only=True)
class SharedPrompt:
    """Medians of the repeats, which have a prompt each."""

    pair: str
    answers: int
    new_tokens: int
    repeats: int
    together_s: float
    """All answers in one call."""
    one_by_one_s: float
    """As many calls, one after another."""
    times_one_by_one: float


def measure_shared_prompt(
    subject: Subject, prompts: Iterator[str], progress: Progress, *, answers: int = 8, new_tokens: int, repeats: int
) -> SharedPrompt:
    """Time the engine both ways, in turns, after a warm-up; each time with a prompt that it has not read before."""
    together, one_by_one = [], []
    for repeat in range(repeats + 1):
        progress(f"{subject.title}: {answers} answers in one call")
        at_once = _seconds(subject, next(prompts), [answers], new_tokens)
        progress(f"{subject.title}: {answers} calls, one after another")
        in_turn = _seconds(subject, next(prompts), [1] * answers, new_tokens)
        if repeat:
            together.append(at_once)
            one_by_one.append(in_turn)
    return SharedPrompt(
        pair=subject.title,
        answers=answers,
        new_tokens=new_tokens,
        repeats=repeats,
        together_s=median(together),
        one_by_one_s=median(one_by_one),
        times_one_by_one=median(one_by_one) / median(together),
    )


def _seconds(subject: Subject, prompt: str, calls: list[int], new_tokens: int) -> float:
    """Time calls that ask for so many answers each."""
    clock = Clock(subject.device)
    for seed, answers in enumerate(calls):
        params = SamplingParams(n=answers, max_tokens=new_tokens, seed=seed)
        result = subject.engine.generate(prompt, params, Router("p-punc", threshold=THRESHOLD), base_prompt="template")
        assert result.usage.completion_tokens == answers * new_tokens
    return clock.elapsed()
