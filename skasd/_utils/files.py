"""Files and folders that are either complete or absent, and files read in bounds."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader
from pathlib import Path

BLOCK = 2**20


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


def read_at_most(file: BufferedReader, n_bytes: int, *, before: bytes = b"") -> bytes:
    """Read what is left of a file, up to some size, in as much memory as there is of it.

    Parameters
    ----------
    file : binary file
        The file, or a pipe.
    n_bytes : int
        Most bytes to read. `file.read` would take so many, however small the file is.
    before : bytes, default=b""
        What has been read of the file already.

    Returns
    -------
    bytes
        `before`, and what was left.
    """
    blocks, n_left = [before], n_bytes
    while n_left > 0:
        block = file.read(min(BLOCK, n_left))
        if not block:
            break
        blocks.append(block)
        n_left -= len(block)
    return b"".join(blocks)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")


@contextmanager
def write_whole_folder(folder: Path, is_stale: Callable[[str], bool]) -> Iterator[Path]:
    """Make a temporary folder next to `folder`, and rename it to that once it is complete.

    Parameters
    ----------
    folder : Path
        The folder. One that is there is replaced, and stays if writing fails.
    is_stale : callable
        Tells of a name in the folder that is there whether to delete it. All else is kept.

    Yields
    ------
    Path
        The temporary folder.
    """
    folder = folder.resolve()
    token = secrets.token_hex(8)
    part, former = (folder.with_name(f".{folder.name}.{token}.{end}") for end in ("part", "former"))
    part.mkdir(parents=True)
    try:
        yield part
        if folder.exists():
            os.rename(folder, former)
        try:
            os.rename(part, folder)
        except OSError:
            if former.exists():
                os.rename(former, folder)
            raise
        if former.exists():
            for each in former.iterdir():
                if not is_stale(each.name) and not (folder / each.name).exists():
                    os.rename(each, folder / each.name)
            shutil.rmtree(former)
    finally:
        shutil.rmtree(part, ignore_errors=True)
