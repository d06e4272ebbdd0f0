"""Files that are either complete or absent."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path


@contextmanager
def write_whole(path: Path) -> Iterator[BufferedRandom]:
    """Open a temporary file next to `path`, and rename it to `path` once it is complete.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced, and stays if writing fails.

    Yields
    ------
    binary file
        The temporary file, open for writing and reading.
    """
    temporary = _temporary(path)
    try:
        with open(temporary, "x+b") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def try_to_write(path: Path) -> None:
    """Raise the OSError that `write_whole` would raise at its start.

    Parameters
    ----------
    path : Path
        The file, which stays as it is.
    """
    temporary = _temporary(path)
    try:
        open(temporary, "x+b").close()
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
