"""Places that commands write to, which are tried before the work."""

import os
from collections.abc import Sequence
from pathlib import Path

from skasd._utils.files import try_to_write
from skasd.audio._folders import SUFFIXES, UNREADABLE

MODELS = (b"skasd-model ",)
"""How files begin that a new model may replace."""

PAGES = (b"<!DOCTYPE html", b"<!doctype html")

PICTURES = (b"\x89PNG", b"%PDF", b"<?xml", b"<svg")


def try_place(out: Path, *, replaces: Sequence[bytes], what: str, force: bool) -> None:
    """Check that a file can be written, and takes the place of nothing but its like.

    Parameters
    ----------
    out : Path
        The file.
    replaces : sequence of bytes
        How files begin that it may replace.
    what : str
        What it will be, such as ``"model"``.
    force : bool
        Whether it may replace any file.

    Raises
    ------
    ValueError
        If it may not be written there.
    OSError
        If it cannot be.
    """
    if not out.parent.is_dir():
        raise ValueError(f"There is no folder {out.parent} for the {what}. Create it first.")
    if out.is_dir():
        raise ValueError(f"{out} is a folder. Pass a file for the {what}, such as one in it.")
    if os.path.lexists(out) and not out.is_file():
        raise ValueError(f"{out} is not a regular file. Pass another place for the {what}.")
    if not force and not _may_replace(out, replaces):
        problem = "exists" if out.exists() else "has the name of a recording"
        raise ValueError(
            f"{out} {problem}, and is not a {what}. Pass another place, or --force to write there."
        )
    try_to_write(out)


def _may_replace(out: Path, replaces: Sequence[bytes]) -> bool:
    if not out.exists():
        return out.suffix.lower() not in (*SUFFIXES, *UNREADABLE)
    with open(out, "rb") as file:
        head = file.read(max(map(len, replaces)))
    return not head or head.startswith(tuple(replaces))
