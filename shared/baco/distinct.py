"""Which of some answers are different: a measure of likeness between two texts, and the ones to keep.

Knows texts; knows no models and no requests.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TypeVar

Answer = TypeVar("Answer")

# In scripts without spaces between words, every character is one.
_WORDS = re.compile(r"[぀-ヿ㐀-鿿가-힯]|\w+")


def likeness(first: str, second: str) -> float:
    """How much two texts have in common, 0 to 1: twice the words of matching runs over the words of both (Ratcliff and Obershelp).

    Case and punctuation do not count, so that 1 means the same words in the same order. Of texts without any word, equal ones are alike.
    """
    words, others = _words(first), _words(second)
    if not words and not others:
        return float(first.strip() == second.strip())
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    # The measure depends on the order of its texts; which of two answers came first should not matter.
    return max(matcher.ratio(), SequenceMatcher(None, others, words, autojunk=False).ratio())


def is_alike(first: str, second: str, threshold: float) -> bool:
    """Whether the `likeness` of two texts is a threshold or more; of most texts that are not alike this is seen from their words alone."""
    words, others = _words(first), _words(second)
    common = (Counter(words) & Counter(others)).total()
    # Matching runs have no more words than the texts have in common in any order.
    if words and others and 2 * common / (len(words) + len(others)) < threshold:
        return False
    return likeness(first, second) >= threshold


def rule(alike: float | Callable[[Answer, Answer], bool], text: Callable[[Answer], str]) -> Callable[[Answer, Answer], bool]:
    """When two answers are too much alike: from a likeness of their texts on, or as a function says."""
    return alike if callable(alike) else lambda one, other: is_alike(text(one), text(other), alike)


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text.casefold()))


def distinct(answers: Iterable[Answer], are_alike: Callable[[Answer, Answer], bool], kept: Iterable[Answer] = ()) -> list[Answer]:
    """The answers that are like none before them, in their order.

    Args:
        answers: in the order of their precedence.
        are_alike: whether two answers are too much alike to keep both.
        kept: answers that come before all of them; not returned again.
    """
    before, found = list(kept), list[Answer]()
    for answer in answers:
        if not any(are_alike(answer, other) for other in (*before, *found)):
            found.append(answer)
    return found
