"""Everyday words: every plain word of the world's lists of things, for subjects that are put together on the spot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import ModuleType

from tinypair.words import choices, common, gifts, ideas, kinds, names, tales, tooling, truths, views

PLAIN = re.compile(r"(?<![\w'-])[a-z]{3,}(?![\w'-])")
"""A lower-case word of three letters or more, without a hyphen or an apostrophe."""

SMALL_WORDS = frozenset("and are but for has have not she the they there this very was with you your".split())
"""Words that say nothing by themselves."""


def _texts(value: object) -> Iterator[str]:
    """Give every text in a list, a table, or a table of lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from (*_texts(key), *_texts(entry))
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from _texts(entry)


def _plain_words(modules: tuple[ModuleType, ...]) -> tuple[str, ...]:
    """Collect the plain words of the lists in some modules, in the order of the alphabet.

    A pair of arguments is held out as a whole, so none of its words may come up alone.
    """
    lists = (value for module in modules for name, value in vars(module).items() if name.isupper())
    found = {word for value in lists for text in _texts(value) for word in PLAIN.findall(text)}
    return tuple(sorted(found - SMALL_WORDS - set(" ".join(tooling.PAIR_ARGUMENTS).split())))


EVERYDAY = _plain_words((choices, common, gifts, ideas, kinds, names, tales, tooling, truths, views))
