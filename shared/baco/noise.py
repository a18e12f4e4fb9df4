"""Counter-based noise keyed by (seed, sample index, position, token): no generator state, no dependence on the rest of a batch.

Knows integers and tensors of keys; knows nothing of models, routers or requests. All 64-bit integers are held in int64 and
wrap around, as unsigned arithmetic does.

Sources: the finaliser is SplitMix64 (Steele et al. 2014), the token hash is the 32-bit "lowbias32" of C. Wellons' hash
prospector. Combining them in this order is our own choice.
"""

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15
MULTIPLIER_1 = 0xBF58476D1CE4E5B9
MULTIPLIER_2 = 0x94D049BB133111EB
UNIFORM_SALT = 0xD1B54A32D192ED03
MASK_64 = 2**64 - 1
LARGEST_UNIFORM = 1.0 - 2.0**-24


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right, which torch lacks for signed integers."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(z: Tensor) -> Tensor:
    z = z + _signed(GOLDEN)
    z = (z ^ _shift(z, 30)) * _signed(MULTIPLIER_1)
    z = (z ^ _shift(z, 27)) * _signed(MULTIPLIER_2)
    return z ^ _shift(z, 31)


def _mix_int(z: int) -> int:
    z = (z + GOLDEN) & MASK_64
    z = ((z ^ (z >> 30)) * MULTIPLIER_1) & MASK_64
    z = ((z ^ (z >> 27)) * MULTIPLIER_2) & MASK_64
    return z ^ (z >> 31)


def row_key(seed: int, sample_index: int) -> int:
    """Key of one sample of one request, as a signed 64-bit integer."""
    return _signed(_mix_int(_mix_int(seed) ^ sample_index))


def step_keys(row_keys: Tensor, positions: Tensor) -> Tensor:
    """Key of one position of each row: int64 [B] and int64 [B] (0 for the first generated token) to int64 [B]."""
    return _mix(row_keys ^ positions)


def uniform(keys: Tensor) -> Tensor:
    """One number in [0, 1) for each key: int64 [B] to float64 [B]."""
    return _shift(_mix(keys ^ _signed(UNIFORM_SALT)), 11).double() * 2.0**-53


def _lowbias32(x: Tensor) -> Tensor:
    for shift, multiplier in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        x ^= (x >> shift) & ((1 << (32 - shift)) - 1)
        x *= multiplier
    x ^= (x >> 16) & 0xFFFF
    return x


def gumbel(keys: Tensor, vocab_size: int) -> Tensor:
    """Standard Gumbel noise for every token: int64 [B] to float32 [B, V].

    `argmax(log p + noise)` draws from p (Gumbel-max). 31 bits resolve the tail that decides rare tokens.
    """
    low = (keys & 0xFFFFFFFF).to(torch.int32)[:, None]
    high = _shift(keys, 32).to(torch.int32)[:, None]
    tokens = torch.arange(vocab_size, dtype=torch.int32, device=keys.device)
    hashed = _lowbias32(_lowbias32(tokens ^ low) ^ high)
    u = (hashed & 0x7FFFFFFF).float().add_(0.5).mul_(2.0**-31).clamp_(max=LARGEST_UNIFORM)
    return u.neg_().log1p_().neg_().log_().neg_()
