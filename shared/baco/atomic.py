"""Files that are written whole or not at all. Knows paths and text; knows nothing of what they mean."""

import os
from pathlib import Path
from uuid import uuid4


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8 and replace the one that was there; whatever interrupts it leaves the old file and nothing else.

    The file has the mode that the process's umask gives to new files.

    Raises:
        OSError: the folder is not there, or cannot be written to.
    """
    new = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
