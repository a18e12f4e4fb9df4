"""Talking with more than one message: a persona, a rule of form, and what the user told in an earlier turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinypair.source import Source
from tinypair.task import Message, Task
from tinypair.text import a_an, capitalise, words
from tinypair.words.sentences import GAPS, person, two
from tinypair.words.truths import CAPITALS, COLOUR_OF, OPPOSITES

Turn = tuple[str, str]
"""What the user says, and the answer."""

PERSONAS = (
    "You are {name}, {job} in {town}. You like {food}.",
    "You are {name}, {job} in {town}, and you like {food}.",
    "Your name is {name}. You work as {job} in {town} and like {food}.",
)
PERSONA_TURNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "name": (("What is your name?", "Who are you?", "What are you called?"), ("My name is {name}.", "I am {name}.")),
    "job": (("What is your job?", "What do you do for a living?"), ("I am {job}.", "I work as {job}.")),
    "town": (("Where do you work?", "In which town do you work?"), ("I work in {town}.",)),
    "food": (("What do you like?", "What do you like to eat?"), ("I like {food}.",)),
}
CLOSINGS = words("""
    Over., Aye., Ahoy!, Amen., Cheers!, Hooray!, Indeed., Of course., Thank you., Yours truly., Stay curious!, The end., My friend.,
    Beep!, Captain., Good luck!, That is all., Have fun!, Meow., Woof!, Roger., Bravo!, Full stop., Any more?, So there!, Hip hip!""")
OPENINGS = tuple(
    line.strip()
    for line in """Aye, | Well, | Sir, | Ahoy, | Indeed, | Certainly, | My friend, | Of course, | Captain, | Beep, | Hmm, | Oh, |
    Listen, | Dear guest, | Easy: | Answer: | Right, | Hooray, | Look, | Yes, | Madam, | Fact: | Meow, | Gladly,""".split("|")
)
END_RULES = ('End every answer with "{w}"', 'Always end with "{w}"', 'Finish each answer with "{w}"')
BEGIN_RULES = ('Begin every answer with "{w}"', 'Always begin with "{w}"', 'Start each answer with "{w}"')
SHORT_RULES = ("Answer with one word.", "Use only one word.", "Every answer is one word.")
ACKNOWLEDGED = ("That is good to know.", "I will remember that.", "Thank you for telling me.")
CORRECTIONS = ("Sorry,", "No, wait,", "Sorry, that was wrong:")
SMALL_TURNS = (
    ("Thank you.", "You are welcome."),
    ("How are you?", "I am fine, thank you."),
    ("Nice to meet you.", "Nice to meet you too."),
)


@dataclass(frozen=True)
class Telling:
    """One thing that the user can tell about herself; ``@`` stands for the value."""

    gap: str
    says: tuple[str, ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]


TELLINGS = (
    Telling("name", ("My name is @.", "I am @.", "Hello, my name is @."), ("What is my name?", "What am I called?"),
            ("Your name is @.", "You are @.")),
    Telling("town", ("I live in @.", "I come from @."), ("Where do I live?", "In which town do I live?"), ("You live in @.",)),
    Telling("animal", ("My favourite animal is the @.",), ("What is my favourite animal?", "Which animal do I like best?"),
            ("Your favourite animal is the @.",)),
    Telling("colour", ("My favourite colour is @.",), ("What is my favourite colour?", "Which colour do I like best?"),
            ("Your favourite colour is @.",)),
    Telling("food", ("My favourite food is @.",), ("What is my favourite food?", "Which food do I like best?"),
            ("Your favourite food is @.",)),
    Telling("pet", ("My pet is called @.", "I have a pet called @."), ("What is my pet called?", "What is the name of my pet?"),
            ("Your pet is called @.", "The name of your pet is @.")),
)  # fmt: skip


def _history(turns: list[Turn]) -> tuple[Message, ...]:
    """Write turns as chat messages."""
    return tuple(
        {"role": role, "content": text} for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True)
    )  # fmt: skip


def _task(kind: str, prompt: str, frames: tuple[str, ...], turns: list[Turn], system: str = "") -> Task:
    """Make a task whose right answers are fixed texts."""
    subject = f"{kind}:{system or turns[0][0]}:{prompt}"
    return Task("dialogue", subject, prompt, frames, {}, system=system, history=_history(turns))


def persona(source: Source) -> Task:
    """Draw a persona in the system message, and a question about it, perhaps after another."""
    facts = {gap: GAPS[gap](source) for gap in PERSONA_TURNS}
    facts["job"] = a_an(facts["job"])
    earlier, asked = source.rng.sample(list(PERSONA_TURNS), 2)
    turns: list[Turn] = []
    if source.rng.random() < 0.4:
        asks, answers = PERSONA_TURNS[earlier]
        turns = [(source.choice(asks), answers[0].format(**facts))]
    asks, answers = PERSONA_TURNS[asked]
    frames = tuple(answer.format(**facts) for answer in answers)
    return _task("persona", source.choice(asks), frames, turns, source.choice(PERSONAS).format(**facts))


def _told(source: Source, telling: Telling, value: str) -> Turn:
    """Write the turn in which the user tells a value."""
    answer = f"Nice to meet you, {value}." if telling.gap == "name" else source.choice(ACKNOWLEDGED)
    return source.choice(telling.says).replace("@", value), answer


def _asked_back(source: Source, kind: str, telling: Telling, value: str, turns: list[Turn]) -> Task:
    """Make the task that asks for a value which the turns tell, perhaps after some small talk."""
    if source.rng.random() < 0.3:
        turns = [*turns, source.choice(SMALL_TURNS)]
    frames = tuple(answer.replace("@", value) for answer in telling.answers)
    return _task(kind, source.choice(telling.asks), frames, turns)


def memory(source: Source) -> Task:
    """Draw one or two things that the user tells, and a question about one of them."""
    tellings = source.rng.sample(TELLINGS, source.choice((1, 2)))
    values = [GAPS[telling.gap](source) for telling in tellings]
    turns = [_told(source, telling, value) for telling, value in zip(tellings, values, strict=True)]
    asked = source.rng.randrange(len(tellings))
    return _asked_back(source, "memory", tellings[asked], values[asked], turns)


def correction(source: Source) -> Task:
    """Draw something that the user tells and then corrects; the later word counts."""
    telling = source.choice(TELLINGS)
    wrong, right = two(source, telling.gap)
    said = telling.says[0].replace("My", "my").replace("@", right)
    corrected = f"{source.choice(CORRECTIONS)} {said}"
    turns = [_told(source, telling, wrong), (corrected, source.choice(ACKNOWLEDGED))]
    return _asked_back(source, "correction", telling, right, turns)


def pets(source: Source) -> Task:
    """Draw two pets with their names, or two friends with their towns, and a question about one of them."""
    if source.rng.random() < 0.5:
        keys, values = two(source, "animal"), two(source, "pet")
        said = f"I have {a_an(keys[0])} called {values[0]} and {a_an(keys[1])} called {values[1]}."
        ask, answer = "What is my {k} called?", "Your {k} is called {v}."
    else:
        keys, values = two(source, "name"), two(source, "town")
        said = f"My friend {keys[0]} lives in {values[0]} and my friend {keys[1]} lives in {values[1]}."
        ask, answer = "Where does {k} live?", "{k} lives in {v}."
    turns = [(said, source.choice(ACKNOWLEDGED))]
    if source.rng.random() < 0.3:
        turns.append(source.choice(SMALL_TURNS))
    i = source.choice((0, 1))
    return _task("pets", ask.format(k=keys[i]), (answer.format(k=keys[i], v=values[i]),), turns)


def _known(source: Source) -> tuple[str, str, str]:
    """Draw a question with a one-word answer, the answer as a sentence that starts in lower case, and the word."""
    about = source.choice(("opposite", "opposite", "capital", "colour"))
    if about == "opposite":
        key = source.choice(tuple(OPPOSITES))
        return f"What is the opposite of {key}?", f"the opposite of {key} is {OPPOSITES[key]}.", OPPOSITES[key]
    if about == "capital":
        key = source.choice([key for key, city in CAPITALS.items() if " " not in city])
        return f"What is the capital of {key}?", f"the capital of {key} is {CAPITALS[key]}.", CAPITALS[key]
    key = source.choice(tuple(COLOUR_OF))
    return f"What colour is {key}?", f"{key} is {COLOUR_OF[key]}.", COLOUR_OF[key]


def rule(source: Source) -> Task:
    """Draw a rule of form in the system message, and a small question to answer under it."""
    ask, sentence, value = _known(source)
    form = source.choice(("end", "end", "begin", "begin", "short"))
    if form == "short":
        return _task("rule", ask, (f"{capitalise(value)}.", capitalise(value)), [], source.choice(SHORT_RULES))
    invented = source.rng.random() < 0.3
    if form == "end":
        closing = f"{source.word()}{source.choice('.!')}" if invented else source.subject(CLOSINGS)
        return _task("rule", ask, (f"{capitalise(sentence)} {closing}",), [], source.choice(END_RULES).format(w=closing))
    opening = f"{person(source)}," if invented else source.subject(OPENINGS)
    return _task("rule", ask, (f"{opening} {sentence}",), [], source.choice(BEGIN_RULES).format(w=opening))


KINDS: dict[str, Callable[[Source], Task]] = {
    "persona": persona, "memory": memory, "correction": correction, "pets": pets, "rule": rule,
}  # fmt: skip


def dialogue(source: Source) -> Task:
    """Draw a dialogue task of any kind."""
    return KINDS[source.choice(tuple(KINDS))](source)
