"""Checks of what users pass in: each names the argument, what is allowed, and what was given.

Knows values and errors; knows no settings.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar

from baco.errors import BacoError, ConfigError, UnknownKeywordError

Configured = TypeVar("Configured")


def strict_keywords(cls: type[Configured]) -> type[Configured]:
    """Make a dataclass name the nearest keyword when it is given one that it does not have."""
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    initialise: Callable[..., None] = cls.__init__

    @wraps(initialise)
    def checked(self: Configured, *args: Any, **keywords: Any) -> None:
        check_keywords(cls.__name__, keywords, names)
        initialise(self, *args, **keywords)

    cls.__init__ = checked  # type: ignore[assignment, method-assign]
    return cls


def require(condition: bool, argument: str, allowed: str, given: object) -> None:
    """Raise `ConfigError` unless `condition` holds."""
    if not condition:
        raise ConfigError(f"`{argument}` must be {allowed}, but is {given!r}")


def is_number(value: object) -> bool:
    """Whether `value` is a finite int or float, and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: object) -> bool:
    """Whether `value` is an int, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def nearest(name: str, choices: Iterable[str]) -> str:
    """Say which of `choices` is nearest to `name`, as the tail of an error message ("" when none is near)."""
    matches = get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def check_characters(what: str, text: str, error: type[BacoError]) -> None:
    """Raise `error` where a text has half of a character, which no encoding and no tokenizer can write.

    Such halves, lone surrogates, come from text that was cut between the two of a pair, or decoded with "surrogateescape".
    """
    try:
        text.encode()
    except UnicodeEncodeError as refusal:
        half = f"half of a character, the lone surrogate {text[refusal.start]!r} at position {refusal.start}"
        raise error(f"{what} has {half}; decode it anew, or take such halves out with text.encode(errors='replace').decode()") from None


def check_keywords(what: str, given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise `UnknownKeywordError` for the first keyword in `given` that is not in `allowed`."""
    choices = sorted(allowed)
    for name in given:
        if name not in choices:
            raise UnknownKeywordError(f"{what} has no keyword {name!r}{nearest(name, choices)} (it takes: {', '.join(choices)})")
