"""Small helpers over text: word lists, articles, invented names, stable hashes."""

from __future__ import annotations

import hashlib
import random

STARTS = """
    mel tor bran kel vin dor sal har lun rav quil mor tas fen gal bel or stav pel wen zar hol cor brim tan
    nor lis mar dun jas vel kor sil ther el rom gor lan per san""".split()
MIDDLES = "a e i o u la ra ni do mi ve ta ro".split()
ENDS = "vik sen dar lin mar bek tov ran del nis rik vost len kin dal mir tz gan quist nek ova ard".split()
TOWN_ENDS = "ford by holm wick ton mouth dale bury stead haven field moor".split()
CONSONANTS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr pl pr sh sl st th tr wh".split()
VOWELS = "a e i o u ea ee oo ou ai".split()
SILENT_AN = ("honest", "hour", "heir")
HARD_U = ("uni", "use", "eu", "one")


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated list (which may span lines) into its entries."""
    return tuple(" ".join(part.split()) for part in text.split(",") if part.strip())


def a_an(phrase: str) -> str:
    """Put the indefinite article before a phrase."""
    low = phrase.lower()
    vowel = low.startswith(("a", "e", "i", "o", "u", *SILENT_AN)) and not low.startswith(HARD_U)
    return f"{'an' if vowel else 'a'} {phrase}"


def capitalise(phrase: str) -> str:
    """Make the first letter upper case and leave the rest as it is."""
    return phrase[:1].upper() + phrase[1:]


def stable_hash(text: str) -> int:
    """Hash a text to an integer that is the same in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def invented_word(rng: random.Random) -> str:
    """Make up a pronounceable, capitalised word that is in no word list."""
    middle = rng.choice(MIDDLES) if rng.random() < 0.4 else ""
    return capitalise(rng.choice(STARTS) + middle + rng.choice(ENDS))


def invented_town(rng: random.Random) -> str:
    """Make up the name of a town."""
    middle = rng.choice(MIDDLES) if rng.random() < 0.2 else ""
    return capitalise(rng.choice(STARTS) + middle + rng.choice(TOWN_ENDS))


def odd_word(rng: random.Random) -> str:
    """Make up a lower-case word: one like the names, or a string of two or three syllables, open or closed at the end."""
    draw = rng.random()
    if draw < 0.4:
        return invented_word(rng).lower()
    syllables = [rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 3))]
    return "".join(syllables) + (rng.choice(CONSONANTS) if draw < 0.8 else "")
