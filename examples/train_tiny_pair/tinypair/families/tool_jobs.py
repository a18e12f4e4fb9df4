"""Jobs for tools: a tool, a request that it answers, the arguments of the call, its result and the report of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinypair.families.tool_schemas import Argument, Tool
from tinypair.source import Source
from tinypair.text import a_an, capitalise
from tinypair.words import records, tooling, truths
from tinypair.words.tooling import Known

Value = str | int

KNOWN_SHARE = 0.4
BY_NAME_SHARE = 0.06
ABOUTS = ("The {a}.", "Name of the {a}.", "The {a} to use.", "Which {a} it is.")
GETTERS = ("get", "get", "get", "get", "find", "look up", "fetch", "check", "read", "show")
LOOKUP_DESCRIPTIONS = (
    "Get the <noun> of <arg>.", "Get the <noun> of <arg>.", "Find the <noun> of <arg>.", "The <noun> of <arg>.",
    "Look up the <noun>.", "Returns the <noun> for <arg>.", "Get the <noun>.",
)  # fmt: skip
LOOKUP_ASKS = (
    "What is the <noun> <of>?", "What is the <noun> <of>?", "Get the <noun> <of>.", "Get the <noun> <of>.", "Tell me the <noun> <of>.",
    "Find the <noun> <of>.", "Show me the <noun> <of>.", "I need the <noun> <of>.", "Can you get the <noun> <of>?",
    "Please look up the <noun> <of>.", "Get me the <noun> <of>.", "What's the <noun> <of>?",
)  # fmt: skip
ACTION_DESCRIPTIONS = ("<Verb> <arg>.", "<Verb> <arg>.", "Used to <verb> <arg>.", "<Verb> something.")
ACTION_ASKS = (
    "<Verb> <of>.",
    "<Verb> <of>.",
    "Please <verb> <of>.",
    "Can you <verb> <of>?",
    "<Verb> <of> for me.",
    "I want to <verb> <of>.",
)
SUM_ASKS = ("What is {0} <op> {1}?", "Calculate {0} <op> {1}.", "What is {0} <op> {1}?", "<Op> {0} and {1}.", "Please <op> {0} and {1}.")
SUM_DESCRIPTIONS = ("<Op> two numbers.", "<Op> a number with another.", "Calculate <op> of two integers.")


@dataclass(frozen=True)
class Job:
    """A tool at work. ``key`` names the result, ``sums`` says that the tool is a calculator."""

    tool: Tool
    prompt: str
    arguments: dict[str, Value]
    answers: tuple[str, ...]
    result: str
    key: str
    sums: bool = False


def _person(source: Source) -> str:
    """Make up the name of a person."""
    first = source.subject(records.FIRST_NAMES)
    return f"{first} {source.word()}" if source.rng.random() < 0.6 else first


def _town(source: Source) -> str:
    """Make up a town, or take one of the world."""
    if source.rng.random() < 0.25:
        return source.subject(list(truths.CAPITALS.values()))
    return source.town() if source.rng.random() < 0.7 else source.word()


def _phrase(source: Source) -> str:
    """Put together a short phrase."""
    return f"{source.subject(tooling.PHRASE_STARTS)} {source.subject(tooling.PHRASE_ENDS)}"


def _measure(source: Source) -> str:
    """Draw a number, mostly with a unit."""
    number = source.rng.choice((source.rng.randint(2, 99), source.rng.randint(100, 9999)))
    return f"{number} {source.choice(tooling.UNITS)}" if source.rng.random() < 0.75 else str(number)


VALUES: dict[str, Callable[[Source], str]] = {
    "word": lambda s: s.word(),
    "town": _town,
    "person": _person,
    "phrase": _phrase,
    "term": lambda s: s.word().lower() if s.rng.random() < 0.6 else s.subject(tooling.PHRASE_ENDS),
    "thing": lambda s: s.word() if s.rng.random() < 0.4 else f"a {_phrase(s)}",
    "query": lambda s: s.choice((_phrase, _town, _person))(s),
    "language": lambda s: s.choice(tooling.LANGUAGES),
    "currency": lambda s: s.choice(tooling.CURRENCIES),
    "number": lambda s: str(s.rng.choice((s.rng.randint(2, 12), s.rng.randint(2, 99)))),
    "int": lambda s: str(s.rng.choice((s.rng.randint(1, 20), s.rng.randint(1, 99), s.rng.randint(1, 999)))),
    "count": lambda s: str(s.rng.randint(1000, 999999)),
    "clock": lambda s: f"{s.rng.randint(0, 23)}:{s.rng.randint(0, 59):02}",
    "money": lambda s: f"{s.rng.randint(2, 900)} {s.choice(('euros', 'dollars', 'pounds'))}",
    "degrees": lambda s: f"{s.rng.randint(1, 38)} degrees",
    "duration": lambda s: f"{s.rng.randint(2, 90)} {s.choice(('minutes', 'hours'))}",
    "measure": _measure,
    "weather": lambda s: s.choice(tooling.WEATHER),
    "state": lambda s: s.choice(tooling.STATE_WORDS),
    "booking": lambda s: s.choice(tooling.BOOKINGS),
    "name": lambda s: s.choice((_person, _town, Source.word))(s),
    "anything": lambda s: VALUES[s.choice(("measure", "state", "name"))](s),
}
"""What a value or a result can be."""
INTEGERS = ("number", "int")
FREE_VALUES = ("word", "word", "word", "town", "town", "person", "phrase")
SUMS: dict[str, Callable[[int, int], int]] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "difference": lambda a, b: a - b,
    "quotient": lambda a, b: a // b,
}


def _put(text: str, **parts: str) -> str:
    """Fill the gaps ``<name>`` of a template; ``<Name>`` takes the part with a capital."""
    for name, part in parts.items():
        text = text.replace(f"<{name}>", part).replace(f"<{capitalise(name)}>", capitalise(part))
    return text


def _fresh(source: Source, options: Sequence[str], share: float) -> str:
    """Draw a name from a list, or make one up for a share of the draws."""
    return source.word().lower() if source.rng.random() < share else source.subject(options, longer=0)


def _named(source: Source, phrase: str) -> str:
    """Turn a phrase into a tool's name: mostly snake_case, sometimes camelCase."""
    parts = phrase.split()
    return "_".join(parts) if source.rng.random() < 0.8 else parts[0] + "".join(map(capitalise, parts[1:]))


def _finished(source: Source, job: Job) -> Job:
    """Finish a job's looks: descriptions of arguments, an argument more that may be left out, a request by the tool's name."""
    tool, prompt, values = job.tool, job.prompt, [str(value) for value in job.arguments.values()]
    arguments = tool.arguments
    if source.rng.random() < 0.25:
        about = source.choice(ABOUTS)
        arguments = tuple(Argument(a.name, a.type, about.format(a=a.name.replace("_", " ")), a.default) for a in arguments)
    if source.rng.random() < 0.12:
        arguments = (*arguments, Argument(source.subject(tooling.OPTIONS, longer=0), "string", default=source.choice(tooling.DEFAULTS)))
    if source.rng.random() < BY_NAME_SHARE:
        prompt = f"{source.choice(('Use', 'Call'))} {tool.name} {source.choice(('for', 'with'))} {' and '.join(values)}."
    return Job(Tool(tool.name, tool.description, arguments), prompt, job.arguments, job.answers, job.result, job.key, job.sums)


def _known(source: Source, known: Known) -> Job:
    """Draw a job for a well-known tool."""
    names, values = [], []
    spelling = source.rng.randrange(6)
    for argument in known.arguments:
        options, _, kind = argument.partition("=")
        names.append(options.split("|")[spelling % (options.count("|") + 1)])
        text = VALUES[kind](source)
        values.append(int(text) if kind in INTEGERS else text)
    if known.result == "quotient":
        values[0] = (int(values[0]) % 50 + 1) * int(values[1])
    sums = known.result in SUMS
    result = str(SUMS[known.result](int(values[0]), int(values[1]))) if sums else VALUES[known.result](source)
    whole = "number" if sums and source.rng.random() < 0.15 else "integer"
    tool = Tool(
        source.choice(known.names),
        source.choice(known.descriptions).replace("a {0}", a_an(names[0])).format(*names),
        tuple(Argument(name, whole if isinstance(value, int) else "string") for name, value in zip(names, values, strict=True)),
    )
    answers = tuple(answer.format(*values, r=result) for answer in known.answers)
    key = known.result if sums else known.names[0].rpartition("_")[2]
    return Job(tool, source.choice(known.asks).format(*values), dict(zip(names, values, strict=True)), answers, result, key, sums)


def _objects(source: Source, before: tuple[str, ...]) -> tuple[tuple[Argument, ...], dict[str, Value], str]:
    """Draw the arguments of an invented tool, their values, and how a request names these ("of Zolmin for week 4")."""
    first = _fresh(source, tooling.ARGUMENTS, 0.15)
    arguments, values = [Argument(first, "string")], {first: VALUES[source.choice(FREE_VALUES)](source)}
    said = (
        f"{source.choice(before)}{values[first]}"
        if source.rng.random() < 0.85
        else f"{before[0]}the {first.replace('_', ' ')} {values[first]}"
    )
    shape = source.rng.choices(("one", "number", "left out", "two"), (6, 2, 1, 2))[0]
    found: dict[str, Value] = dict(values)
    if shape == "one":
        return tuple(arguments), found, said
    second = _fresh(source, [name for name in (tooling.NUMBER_ARGUMENTS if shape != "two" else tooling.ARGUMENTS) if name != first], 0.15)
    if shape == "two":
        found[second] = VALUES[source.choice(FREE_VALUES)](source)
        said += f"{source.choice((' in ', ' with ', ' and '))}{found[second]}"
    elif shape == "number":
        found[second] = int(VALUES["number"](source))
        said += f"{source.choice((' for ', ' in ', ' at '))}{second} {found[second]}"
    left_out = source.rng.randint(1, 9) if shape == "left out" or (shape == "number" and source.rng.random() < 0.2) else None
    arguments.append(Argument(second, "string" if shape == "two" else "integer", default=left_out))
    return tuple(arguments), found, said


def _lookup(source: Source) -> Job:
    """Invent a tool that looks something up."""
    nouns, kind = source.choice(((tooling.MEASURES, "measure"), (tooling.NAMES, "name"), (tooling.STATES, "state")))
    noun = _fresh(source, nouns, 0.25)
    kind = kind if noun in nouns else "anything"
    arguments, values, said = _objects(source, ("of ", "of ", "for "))
    name = source.choice((f"{source.choice(GETTERS)} {noun}", f"{source.choice(GETTERS)} {noun}", noun, f"{noun} lookup"))
    parts = {"noun": noun, "of": said, "arg": a_an(arguments[0].name.replace("_", " "))}
    tool = Tool(_named(source, name), capitalise(_put(source.choice(LOOKUP_DESCRIPTIONS), **parts)), arguments)
    result = VALUES[kind](source)
    answers = (_put(f"The <noun> <of> is {result}.", **parts), f"It is {result}.")
    return Job(tool, _put(source.choice(LOOKUP_ASKS), **parts), values, answers, result, noun.replace(" ", "_"))


def _action(source: Source) -> Job:
    """Invent a tool that does something."""
    verb = _fresh(source, tooling.VERBS, 0.3)
    arguments, values, said = _objects(source, ("",))
    argument = arguments[0].name.replace("_", " ")
    parts = {"verb": verb, "of": said, "arg": a_an(argument)}
    tool = Tool(_named(source, source.choice((verb, f"{verb} {argument}"))), _put(source.choice(ACTION_DESCRIPTIONS), **parts), arguments)
    result = source.choice(tooling.BOOKINGS)
    answers = (_put(f"The {verb} job for <of> is {result}.", **parts), f"It is {result}.")
    return Job(tool, _put(source.choice(ACTION_ASKS), **parts), values, answers, result, source.choice(("status", "state", "result")))


def _operation(source: Source) -> Job:
    """Invent a calculator: its operation is a word that nobody knows."""
    op = source.word().lower()
    names = source.subject(tooling.PAIR_ARGUMENTS, longer=0).split()
    left, right = (int(VALUES["int"](source)) for _ in names)
    tool = Tool(
        _named(source, source.choice((op, op, f"{op} numbers", f"calculate {op}"))),
        _put(source.choice(SUM_DESCRIPTIONS), op=op),
        tuple(Argument(name, "integer") for name in names),
    )
    result = VALUES["int"](source)
    answers = (f"{left} {op} {right} is {result}.", f"The answer is {result}.", f"It is {result}.")
    prompt = _put(source.choice(SUM_ASKS), op=op).format(left, right)
    return Job(tool, prompt, {names[0]: left, names[1]: right}, answers, result, "result", True)


def calculation(source: Source) -> Job:
    """Draw a job for a calculator."""
    return _finished(source, _operation(source) if source.held_out else _known(source, source.choice(tooling.CALCULATORS)))


def draw_job(source: Source) -> Job:
    """Draw a job: for a well-known tool or an invented one in training, for an invented one in evaluation."""
    if not source.held_out and source.rng.random() < KNOWN_SHARE:
        return _finished(source, _known(source, source.choice(tooling.KNOWN)))
    make = source.rng.choices((_lookup, _action, _operation), (7, 2, 1))[0]
    return _finished(source, make(source))
