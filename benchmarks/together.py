"""LangChain's calls made together, beside the same calls one after another: `batch`, threads, tasks, and `n` answers.

Knows `ChatBaco` and clocks; knows nothing of how figures are shown.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

from langchain_core.messages import AIMessage

from baco import ModelPair
from baco.routing.calibration import PROMPTS
from benchmarks.agents import aconverse, converse
from benchmarks.measure import Progress
from langchain_baco import ChatBaco

SEED = 1
MAX_TOKENS = 64

Work = Callable[[ChatBaco], list[AIMessage]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is asked."""

    prompts: int
    agents: int
    answers: int
    """To one prompt."""
    asked: int
    """Prompts that get so many answers, one prompt after another."""
    repeats: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One way of calling beside calls one after another: medians over the repeats. `equal` is the worst of any repeat."""

    work: str
    together: str
    one_by_one: str
    calls: int
    """One after another."""
    tokens: int
    """Written together. One after another they are the same, or, where prompts have several answers, about as many."""
    repeats: int
    one_by_one_s: float
    together_s: float
    times_one_by_one: float
    """Tokens per second together, over those one after another."""
    compared: int
    """Answers that must be the same both ways."""
    equal: int


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """What is compared with what."""

    work: str
    together: str
    one_by_one: str
    answers: int = 1
    """To a prompt. The first of several is the one that the prompt gets alone with the same seed; the others are different draws."""


def works(size: Size) -> dict[str, Work]:
    """Name every way in which calls are made."""
    prompts, agents = make_prompts(size.prompts), range(size.agents)
    asked = [(prompt, seed) for prompt in PROMPTS[: size.asked] for seed in range(size.answers)]
    return {
        "invoke": lambda model: [model.invoke(prompt, seed=SEED) for prompt in prompts],
        "batch": lambda model: model.batch(list(prompts), seed=SEED),
        "ainvoke": lambda model: asyncio.run(_in_turn(model, prompts)),
        "abatch": lambda model: asyncio.run(model.abatch(list(prompts), seed=SEED)),
        "agents, invoke": lambda model: _flat(converse(model, agent) for agent in agents),
        "threads, invoke": lambda model: _in_threads(model, agents),
        "tasks, ainvoke": lambda model: asyncio.run(_in_tasks(model, agents)),
        f"{size.answers} times invoke": lambda model: [model.invoke(prompt, seed=seed) for prompt, seed in asked],
        f"generate, n={size.answers}": lambda model: _flat(_answers(model, prompt, size.answers) for prompt in PROMPTS[: size.asked]),
    }


def pairings(size: Size) -> list[Pairing]:
    """Say what is compared with what."""
    prompts, agents = f"{size.prompts} prompts", f"{size.agents} agents"
    return [
        Pairing(work=prompts, together="batch", one_by_one="invoke"),
        Pairing(work=prompts, together="abatch", one_by_one="ainvoke"),
        Pairing(work=agents, together="threads, invoke", one_by_one="agents, invoke"),
        Pairing(work=agents, together="tasks, ainvoke", one_by_one="agents, invoke"),
        Pairing(
            work=f"{size.answers} answers, {size.asked} times",
            together=f"generate, n={size.answers}",
            one_by_one=f"{size.answers} times invoke",
            answers=size.answers,
        ),
    ]


def compare(size: Size, device: str, progress: Progress) -> list[Comparison]:
    """Make all calls in every way, in turns, each time on a pair that has read none of the prompts."""
    seconds: dict[str, list[float]] = defaultdict(list)
    said: dict[str, list[list[AIMessage]]] = defaultdict(list)
    for _ in range(size.repeats):
        for name, work in works(size).items():
            progress(name)
            model = fresh_model(device)
            start = time.perf_counter()
            said[name].append(work(model))
            seconds[name].append(time.perf_counter() - start)
    return [_comparison(pairing, seconds, said) for pairing in pairings(size)]


def make_prompts(count: int) -> list[str]:
    """Make different prompts of one to several sentences."""
    sentences = len(PROMPTS)
    return [" ".join(PROMPTS[(number + 5 * offset) % sentences] for offset in range(1 + number // sentences)) for number in range(count)]


def fresh_model(device: str) -> ChatBaco:
    """Load the embedded pair anew and run it once, so that threads and buffers are there, but nothing of the calls is known."""
    ModelPair.from_pretrained(device=device, dtype="float32").unload()
    model = ChatBaco(device=device, dtype="float32", max_tokens=MAX_TOKENS)
    model.invoke("Good morning.", max_tokens=4, seed=0)
    return model


def essence(message: AIMessage) -> tuple[str, list[tuple[str, Any]]]:
    """What makes two answers the same: text and calls, without the ids that calls are given at random."""
    return message.text, [(call["name"], call["args"]) for call in message.tool_calls]


def _comparison(pairing: Pairing, seconds: Mapping[str, list[float]], said: Mapping[str, list[list[AIMessage]]]) -> Comparison:
    together, alone = said[pairing.together], said[pairing.one_by_one]
    equal = [
        sum(essence(one) == essence(other) for one, other in zip(ours[:: pairing.answers], theirs[:: pairing.answers], strict=True))
        for ours, theirs in zip(together, alone, strict=True)
    ]
    # Each of a prompt's answers carries the usage of all of them.
    tokens, alone_tokens = _tokens(together[0]) // pairing.answers, _tokens(alone[0])
    together_s, alone_s = median(seconds[pairing.together]), median(seconds[pairing.one_by_one])
    return Comparison(
        work=pairing.work,
        together=pairing.together,
        one_by_one=pairing.one_by_one,
        calls=len(alone[0]),
        tokens=tokens,
        repeats=len(equal),
        one_by_one_s=alone_s,
        together_s=together_s,
        times_one_by_one=(tokens / together_s) / (alone_tokens / alone_s),
        compared=len(together[0][:: pairing.answers]),
        equal=min(equal),
    )


def _tokens(messages: Sequence[AIMessage]) -> int:
    return sum(message.usage_metadata["output_tokens"] for message in messages if message.usage_metadata is not None)


def _answers(model: ChatBaco, prompt: str, count: int) -> list[AIMessage]:
    """Several answers to one prompt, in one call."""
    (generations,) = model.generate([prompt], n=count, seed=0).generations
    return [generation.message for generation in generations]  # type: ignore[union-attr, misc]


async def _in_turn(model: ChatBaco, prompts: Sequence[str]) -> list[AIMessage]:
    return [await model.ainvoke(prompt, seed=SEED) for prompt in prompts]


def _in_threads(model: ChatBaco, agents: Sequence[int]) -> list[AIMessage]:
    with ThreadPoolExecutor(len(agents)) as pool:
        return _flat(pool.map(lambda agent: converse(model, agent), agents))


async def _in_tasks(model: ChatBaco, agents: Sequence[int]) -> list[AIMessage]:
    return _flat(await asyncio.gather(*(aconverse(model, agent) for agent in agents)))


def _flat(conversations: Iterable[list[AIMessage]]) -> list[AIMessage]:
    return [said for conversation in conversations for said in conversation]
