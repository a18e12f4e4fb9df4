"""Files that are written whole or not at all. Knows paths and content; knows nothing of what they mean."""

import os
from pathlib import Path
from uuid import uuid4


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, as `write_bytes` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file and replace the one that was there; whatever interrupts it leaves the old file and nothing else.

    The file has the mode that the process's umask gives to new files.

    Raises:
        OSError: the folder is not there, or cannot be written to.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        new.write_bytes(content)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
