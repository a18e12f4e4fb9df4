"""Sentences to rewrite and things to talk about: word lists, verbs, and how a gap of a sentence is filled.

``{town}``, ``{name}`` and so on are gaps that ``filled`` fills; the wall between training and evaluation holds in each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinypair.source import Source
from tinypair.task import fill
from tinypair.text import words
from tinypair.words.names import PET_NAMES, PETS
from tinypair.words.records import COLOURS, FIRST_NAMES, FOODS, JOBS

PEOPLE = (*FIRST_NAMES, *words("Mia, Bela, Mara, Tom, Lucy, Oscar, Nina, Peter, Ruth, Leo, Sara, Max, Eva, Otto, Lily, Sam, Hanna, Erik"))
ALL_JOBS = (
    *JOBS,
    *words("guide, cook, driver, waiter, singer, dentist, writer, miller, potter, postman, fisherman, lawyer, guard, porter"),
)
ALL_COLOURS = (*COLOURS, *words("gold, turquoise, violet, beige, crimson, olive, lilac, cream, amber, navy"))
WAYS = words("""
    river, road, canal, path, stream, wall, railway, tunnel, street, trail, fence, ditch, bridge, tram, brook, lane, track, pipe""")
PLACES = words("""
    museum, bakery, school, market, library, harbour, station, theatre, hotel, garden, church, mill, bank, zoo, castle, farm,
    hospital, cinema, bookshop, post office, swimming pool, tea house, town hall, lighthouse""")
THINGS = words("""
    door, window, gate, box, lamp, map, book, basket, kettle, clock, drawer, boat, cupboard, bicycle, mirror, lantern, bottle,
    suitcase, piano, table, bench, tent, ladder, teapot, blanket, parcel, garage, barn""")
GAMES = words("""
    chess, football, tennis, cards, the piano, the violin, hockey, the drums, the flute, darts, golf, the guitar, the trumpet,
    basketball, dominoes, the organ""")
DESCRIBED = words("""
    red, small, old, big, tall, green, new, blue, dark, round, wooden, long, white, clean, broken, heavy, pretty, empty, strange,
    golden, quiet, dusty, grey, cold""")
DEGREES = words(
    "very, really, quite, rather, fairly, truly, extremely, pretty, somewhat, terribly, awfully, incredibly, fully, completely, unusually, remarkably, surprisingly, wonderfully, slightly"
)
OFTEN = words(
    "often, always, sometimes, usually, still, also, now, rarely, never, happily, quickly, slowly, gladly, secretly, soon, proudly, politely, bravely, quietly, regularly, patiently, seldom, kindly, calmly, silently, hardly, surely"
)
OPENERS = words("""
    Yesterday, Last week, Last year, Last month, Last summer, Last winter, Last night, This morning, One day, Once, Then, Later,
    On Monday, On Tuesday, On Wednesday, On Thursday, On Friday, On Saturday, On Sunday, In January, In March, In April, In May,
    In June, In July, In October, In December, At noon, At night, In the evening, In spring, Luckily, Finally, After lunch""")
EVENTS = words("""
    market, concert, fair, race, party, parade, auction, festival, lecture, wedding, contest, match, picnic, circus, exhibition, play, dance, meeting, lesson, show, ball, fireworks show, flea market, quiz, opera""")
DAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")


@dataclass(frozen=True)
class Verb:
    """A regular verb in its three forms, and what can follow it."""

    base: str
    present: str
    past: str
    rests: tuple[str, ...]


def _verb(forms: str, rests: str) -> Verb:
    """Make a verb from its forms and from what can follow, which a bar separates."""
    base, present, past = forms.split()
    return Verb(base, present, past, tuple(rests.split(" | ")))


VERBS = (
    _verb("live lives lived", "in {town} | near the {place} in {town} | with {name} in {town}"),
    _verb("work works worked", "in {town} | at the {place} in {town} | for {name} in {town}"),
    _verb("walk walks walked", "to {town} | to the {place} in {town} | from {town} to {town}"),
    _verb("sail sails sailed", "to {town} | from {town} to {town} | to {town} with {name}"),
    _verb("play plays played", "{game} in {town} | {game} with {name} | {game} at the {place}"),
    _verb("cook cooks cooked", "{food} for {name} | {food} in {town}"),
    _verb("paint paints painted", "the {thing} | the {place} in {town} | the {thing} for {name}"),
    _verb("open opens opened", "the {thing} | the {thing} for {name} | the {place} in {town}"),
    _verb("clean cleans cleaned", "the {thing} | the {thing} for {name} | the {place} in {town}"),
    _verb("help helps helped", "{name} | {name} in {town} | {name} at the {place}"),
    _verb("visit visits visited", "{town} | {name} in {town} | the {place} in {town}"),
    _verb("call calls called", "{name} | {name} from {town} | the {place} in {town}"),
    _verb("need needs needed", "the {thing} | {name} in {town} | the {thing} from {town}"),
    _verb("want wants wanted", "the {thing} | {food} | the {thing} from {town}"),
)


def person(source: Source) -> str:
    """Draw the name of a person: one that people have, or an invented one."""
    return source.subject(PEOPLE) if source.rng.random() < 0.5 else source.word()


def pet_name(source: Source) -> str:
    """Draw the name of a pet."""
    return source.subject(PET_NAMES) if source.rng.random() < 0.6 else source.word()


def _from(options: tuple[str, ...]) -> Callable[[Source], str]:
    """Draw from a list on this side of the wall."""
    return lambda source: source.subject(options)


GAPS: dict[str, Callable[[Source], str]] = {
    "town": Source.town, "name": person, "pet": pet_name, "animal": _from(PETS), "way": _from(WAYS), "place": _from(PLACES),
    "thing": _from(THINGS), "food": _from(FOODS), "game": _from(GAMES), "job": _from(ALL_JOBS), "colour": _from(ALL_COLOURS),
    "adjective": _from(DESCRIBED), "degree": _from(DEGREES), "often": _from(OFTEN), "opener": _from(OPENERS), "event": _from(EVENTS),
}  # fmt: skip


def filled(source: Source, template: str) -> str:
    """Fill the gaps of a sentence."""
    return fill(template, lambda gap, _: GAPS[gap](source))


def two(source: Source, gap: str) -> tuple[str, str]:
    """Draw two different fillings of a gap."""
    first = second = GAPS[gap](source)
    while second == first:
        second = GAPS[gap](source)
    return first, second
