"""Tools on offer: the call of the right one, the report of what it gave, and talk that needs none.

The wall: for training, well-known tools and invented ones; for evaluation, invented ones only, whose nouns, verbs and argument
names come from ``source.subject`` and ``source.word``. The well-known tools' own words are in none of the lists drawn from here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinypair.families.facts import fact, small_talk
from tinypair.families.tool_jobs import Job, calculation, draw_job
from tinypair.families.tool_schemas import LAYOUTS, call_text, schema
from tinypair.source import Source
from tinypair.task import Task

Offer = tuple[Mapping[str, Any], ...]

OFFER_SIZES, OFFER_WEIGHTS = (1, 2, 3), (6, 3, 1)
SYSTEMS = ("", "", "", "", "You are a helpful assistant.", "You are a helpful assistant. Use the tools.", "Answer briefly.")
PLAIN_WORDS = frozenset(
    """
    a an the of in for from to at by with and or about between on into what whats s is it i me my you please can could do does want need
    how which have get find look up fetch check read show tell use call give lookup returns return given calculate compute two
    numbers number integers some any like ask question its
    """.split()
)
"""Words that say nothing on which tool is wanted."""
SAME = {"plus": "add", "+": "add", "adds": "add", "times": "multiply", "*": "multiply", "minus": "subtract", "-": "subtract",
        "divided": "divide", "divides": "divide", "/": "divide"}  # fmt: skip
"""The words and signs of arithmetic that stand for the name of a calculator."""


def _telling_words(text: str) -> set[str]:
    """Take the words of a text, or of a name in snake_case or camelCase, that can tell which tool is meant."""
    spread = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ").lower()
    found = {SAME.get(word, word) for word in re.findall(r"[^\W\d]+|(?<= )[-+*/](?= )", spread)}
    return found - PLAIN_WORDS


def shared_words(prompt: str, tool: Mapping[str, Any]) -> set[str]:
    """Give the telling words that a request shares with a tool's name or description (not with a signature above it)."""
    function = tool["function"]
    return _telling_words(prompt) & _telling_words(f"{function['name']} {function['description'].splitlines()[-1]}")


def _others(source: Source, prompt: str, taken: Offer, size: int, layout: str, sums: bool) -> Offer:
    """Add tools that the request does not mean until there are ``size`` of them."""
    offer = list(taken)
    while len(offer) < size:
        job = calculation(source) if sums and source.choice((True, False)) else draw_job(source)
        other = schema(job.tool, layout)
        if not shared_words(prompt, other) and all(tool["function"]["name"] != job.tool.name for tool in offer):
            offer.append(other)
    source.rng.shuffle(offer)
    return tuple(offer)


def _size(source: Source) -> int:
    """Draw how many tools are on offer."""
    return source.rng.choices(OFFER_SIZES, OFFER_WEIGHTS)[0]


def _job_and_offer(source: Source) -> tuple[Job, Offer]:
    """Draw a request that can be told from its words, and the tools on offer."""
    layout = source.choice(LAYOUTS)
    while True:
        job = draw_job(source)
        wanted = schema(job.tool, layout)
        if shared_words(job.prompt, wanted):
            return job, _others(source, job.prompt, (wanted,), _size(source), layout, job.sums)


def tool_call(source: Source) -> Task:
    """Draw a request that one of the tools on offer answers; the answer is the call."""
    job, offer = _job_and_offer(source)
    frames = (call_text(job.tool.name, job.arguments),)
    return Task("tool", job.tool.name, job.prompt, frames, {}, system=source.choice(SYSTEMS), tools=offer)


def _content(source: Source, job: Job) -> str:
    """Write a tool's result as tools do: mostly bare, sometimes as JSON or as a sentence."""
    form = source.rng.choices(("bare", "json", "record", "sentence", "label"), (66, 10, 8, 10, 6))[0]
    value = int(job.result) if job.result.isdecimal() else job.result
    made = {
        "bare": job.result,
        "json": json.dumps({source.choice((job.key, "result", "value", "answer")): value}, ensure_ascii=False),
        "record": json.dumps({**job.arguments, job.key: value}, ensure_ascii=False),
        "sentence": job.answers[0],
        "label": f"{source.choice(('Result', 'Answer', 'Output'))}: {job.result}",
    }
    return made[form]


def tool_answer(source: Source) -> Task:
    """Draw a request with its call and the result; the answer reports the result."""
    job, offer = _job_and_offer(source)
    function = {"name": job.tool.name, "arguments": dict(job.arguments)}
    call = {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    result = {"role": "tool", "tool_call_id": "call_1", "name": job.tool.name, "content": _content(source, job)}
    system = source.choice(SYSTEMS)
    return Task("tool_answer", job.tool.name, job.prompt, job.answers, {}, system=system, after=(call, result), tools=offer)


def tool_chat(source: Source) -> Task:
    """Draw a greeting or a small fact that none of the tools on offer is for; the answer is plain text."""
    plain = source.choice((small_talk, fact))(source)
    offer = _others(source, plain.prompt, (), _size(source), source.choice(LAYOUTS), False)
    return replace(plain, family="tool_chat", system=source.choice(SYSTEMS), tools=offer)
