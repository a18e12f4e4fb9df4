"""What is worked out from a large vocabulary for grammars, kept in the user's cache folder. Knows files and tensors; knows no tokenizers.

A file has what the names of the tokens determine, so its key is a hash of those. It can be deleted at any time.
"""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path

import torch
from platformdirs import user_cache_path
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from baco import atomic

VERSION = 1
"""Changes whenever what is kept, or how it is worked out, does."""
SMALLEST = 50_000
"""Vocabularies of fewer tokens take no time worth a file (our own choice)."""


def cache_file(names: Iterable[str]) -> Path:
    """The file for a vocabulary, given all that determines its contents."""
    digest = hashlib.sha256("\0".join([str(VERSION), *names]).encode()).hexdigest()
    return user_cache_path("baco") / "vocabularies" / f"{digest[:32]}.safetensors"


def load_table(path: Path) -> tuple[list[bytes], Tensor] | None:
    """Bytes of V tokens, and their scores, [3, V]; None if they are not kept, or the file is damaged."""
    try:
        kept = load(path.read_bytes())
        text = kept["bytes"].numpy().tobytes()
        return [text[start:end] for start, end in pairwise([0, *kept["ends"].tolist()])], kept["scores"].long()
    except (OSError, SafetensorError, KeyError):
        return None


def save_table(path: Path, tokens: Sequence[bytes], scores: Tensor) -> None:
    """Keep them, where the cache folder can be written to: without the file, the next process only takes longer."""
    ends, text = torch.tensor(list(accumulate(map(len, tokens)))), torch.frombuffer(bytearray(b"".join(tokens)), dtype=torch.uint8)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(path, save({"bytes": text, "ends": ends, "scores": scores.short()}))
