"""Which of some answers are different: the similarity of two texts, and the answers to keep.

Knows texts; knows no models and no requests.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from rapidfuzz.distance import Indel

Answer = TypeVar("Answer")

# In scripts without spaces between words, every character is one.
_WORDS = re.compile(r"[぀-ヿ㐀-鿿가-힯]|\w+")


def similarity(first: str, second: str) -> float:
    """How much two texts have in common, 0 to 1: twice the words of their longest common subsequence over the words of both.

    Case and punctuation do not count, so that 1 means the same words in the same order. Of texts without any word, equal ones are alike.
    This is the F-measure of ROUGE-L (Lin 2004) on words.
    """
    words, others = _words(first), _words(second)
    if not words and not others:
        return float(first.strip() == second.strip())
    return Indel.normalized_similarity(words, others)


def similarity_rule(alike: float | Callable[[Answer, Answer], bool], text: Callable[[Answer], str]) -> Callable[[Answer, Answer], bool]:
    """When two answers are too similar: from a `similarity` of their texts on, or as a function says."""
    return alike if callable(alike) else lambda one, other: similarity(text(one), text(other)) >= alike


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORDS.findall(text.casefold()))


def drop_similar(answers: Iterable[Answer], are_similar: Callable[[Answer, Answer], bool], kept: Iterable[Answer] = ()) -> list[Answer]:
    """The answers that are similar to none before them, in their order; `kept` come before all of them and are not returned again."""
    before, found = list(kept), list[Answer]()
    for answer in answers:
        if not any(are_similar(answer, other) for other in (*before, *found)):
            found.append(answer)
    return found
