"""Recordings, as the command line names them."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skasd.monitoring._arrivals import SUFFIXES


class OnError(StrEnum):
    """What becomes of a clip that cannot be analysed."""

    SKIP = "skip"
    RAISE = "raise"


OnErrorOption = Annotated[
    OnError,
    typer.Option(
        help="What becomes of a clip that cannot be analysed: it is left out and listed, or "
        "nothing is done."
    ),
]


def find_clips(paths: Iterable[Path]) -> list[str]:
    """List recordings: files as they are named, and those of folders, sorted.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        Where a folder holds no recording.
    """
    clips = []
    for path in paths:
        if not path.is_dir():
            clips.append(str(path))
            continue
        found = sorted(
            str(each)
            for each in path.rglob("*")
            if each.suffix.lower() in SUFFIXES and each.is_file()
        )
        if not found:
            raise ValueError(f"{path} holds no {', '.join(sorted(SUFFIXES))} file.")
        clips += found
    return clips
