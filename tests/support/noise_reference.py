"""The definition of the keyed noise in plain Python integers: what the tensor version is compared with."""

from typing import Any

import numpy as np

MASK_32 = 2**32 - 1
MASK_64 = 2**64 - 1
GOLDEN_RATIO = 0x9E3779B97F4A7C15
UNIFORM_SALT = 0xD1B54A32D192ED03


def mix64(z: int) -> int:
    """SplitMix64's step: an unsigned 64-bit integer to another."""
    z = (z + GOLDEN_RATIO) & MASK_64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK_64
    return z ^ (z >> 31)


def row_key(seed: int, sample_index: int) -> int:
    """Key of one sample of one request."""
    return mix64(mix64(seed) ^ sample_index)


def step_key(key: int, position: int) -> int:
    """Key of one position (0 for the first generated token) of one sample."""
    return mix64(key ^ position)


def uniform(key: int) -> float:
    """A number in [0, 1) with 53 bits: what the `rand` router compares with its threshold."""
    return (mix64(key ^ UNIFORM_SALT) >> 11) * 2.0**-53


def lowbias32(x: int) -> int:
    """C. Wellons' 32-bit hash."""
    x ^= x >> 16
    x = (x * 0x7FEB352D) & MASK_32
    x ^= x >> 15
    x = (x * 0x846CA68B) & MASK_32
    return x ^ (x >> 16)


def gumbel(key: int, vocab_size: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Gumbel noise of every token at one position, float32 [V]."""
    bits = [lowbias32(lowbias32(token ^ (key & MASK_32)) ^ (key >> 32)) & 0x7FFFFFFF for token in range(vocab_size)]
    u = (np.array(bits, dtype=np.float32) + np.float32(0.5)) * np.float32(2.0**-31)
    u = np.minimum(u, np.float32(1 - 2.0**-24))
    noise: np.ndarray[Any, np.dtype[np.float32]] = -np.log(-np.log1p(-u))
    return noise
