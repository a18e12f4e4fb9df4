"""What texts tell: kinds of things with their facts, each with sentences, questions and answers.

``{e}`` stands for the thing, ``{v}`` for the value. ``Fact.value`` names the generator of the value,
or the list it is drawn from. A fact with ``several`` lists many values, and any of them is an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinypair.text import words

TRADES = words("""
    glass lamps, blue pottery, wooden toys, cherry jam, stone bridges, silver bells, wool blankets, old clocks,
    smoked fish, goat cheese, paper kites, copper pots, dark honey, red roses, leather boots, plum wine""")
DOINGS = words("""
    climb the old tower, swim in the lake, visit the puppet museum, walk along the river, taste the local cheese,
    ride the steam train, rent a rowing boat, see the glass workshop, hike to the waterfall, watch the night market,
    feed the swans, take a pottery class, listen to the organ, explore the cave, cycle through the orchards,
    join a mushroom walk, paint by the harbour, sleep in a tree house, visit the clock museum, pick cherries,
    try the hot springs, cross the rope bridge, tour the lighthouse, play chess in the square, go bird watching,
    see the castle ruins, ride a donkey, learn to bake bread, sail to the island, watch the stars""")
FOODS = words("""
    onion soup, plum cake, goat cheese tart, smoked trout, apple pancakes, bean stew, rye bread, pepper sausage,
    honey buns, nettle soup, potato dumplings, cherry pie, grilled mussels, barley porridge, walnut bread,
    pickled herring, lamb pie, mint tea, roasted chestnuts, pumpkin bread, lentil salad, pear cider""")
GOODS = words("""
    lanterns, umbrellas, music boxes, wool hats, maps, wooden spoons, candles, kites, teapots, old coins,
    walking sticks, puzzles, seeds, brushes, mirrors, bells, notebooks, clocks, baskets, shells, rings, toys""")
JOBS = words("""
    baker, carpenter, doctor, pilot, teacher, gardener, sailor, painter, nurse, plumber, judge, farmer, tailor,
    librarian, engineer, clockmaker, beekeeper, translator, violinist, chemist""")
PASTIMES = words("""
    chess, sailing, painting, knitting, running, singing, baking, fishing, dancing, drawing, cycling, gardening,
    skating, hiking, juggling, photography, swimming, woodcarving""")
COLOURS = words("red, blue, green, yellow, grey, black, white, brown, orange, purple, silver, pink")
ANIMAL_FOODS = words("""
    berries, moss, small fish, beetles, seeds, roots, honey, leaves, snails, nuts, grass, worms, pine cones,
    algae, mushrooms, flower buds""")
HOMES = words("""
    caves, hollow trees, river banks, sand dunes, pine forests, old barns, deep lakes, cliffs, swamps, meadows,
    coral reefs, high mountains""")
MONTHS = words("January, February, March, April, May, June, July, August, September, October, November, December")
DAYS = words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday")
ROOMS = words("""
    the map room, the glass hall, the whale skeleton, the toy collection, the roof garden, the clock tower,
    the music room, the old kitchen, the coin cabinet, the mask gallery, the dark cellar, the train hall,
    the mirror maze, the stone library, the butterfly house, the armour room""")
USES = words("""
    light a tent, cut bread, open tins, measure rain, play music, boil water, find north, dry boots, peel apples,
    charge a phone, tell the time, sharpen knives, catch dust, warm a bed, water plants, scare crows""")


@dataclass(frozen=True)
class Fact:
    """One thing that a text can tell about its subject."""

    value: str | tuple[str, ...]
    says: tuple[str, ...]
    asks: tuple[str, ...]
    answer: str
    several: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of subject: how it is named, how a text introduces it, and its facts."""

    name: str
    intro: tuple[str, ...]
    facts: tuple[Fact, ...]


FIRST_NAMES = words("""
    Anna, Ben, Clara, David, Elena, Felix, Greta, Hugo, Ida, Jonas, Karl, Lena, Mira, Nils, Olga, Paul, Rosa,
    Simon, Tara, Viktor, Wanda, Yusuf, Zoe, Amir, Bea, Carlos, Dora, Emil, Farah, Gita""")


def fact(value: str | tuple[str, ...], says: str, asks: str, answer: str, several: bool = False) -> Fact:
    """Make a fact from sentences and questions that a bar separates."""
    return Fact(value, tuple(says.split(" | ")), tuple(asks.split(" | ")), answer, several)


def kind(name: str, intro: str, *facts: Fact) -> Kind:
    """Make a kind from introductions that a bar separates, and its facts."""
    return Kind(name, tuple(intro.split(" | ")), facts)
