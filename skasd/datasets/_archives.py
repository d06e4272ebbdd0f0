"""Archives of recordings: downloaded, verified, and unpacked whole or not at all."""

import errno
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import NamedTuple

from filelock import FileLock

from skasd._utils.download import DownloadError, download, md5
from skasd.exceptions import DatasetError

MOST_BYTES = 2**33
"""Most bytes of an archive; the published ones have 1 to 2 GB."""

MOST_TIMES = 20
"""What an archive may unpack to, in units of its own size; recordings hardly compress."""

SMALL = 2**20
"""What any archive may unpack to, in bytes."""

MOST_MEMBERS = 100_000

LONGEST_NAME = 255
"""Of a file, in bytes, on most systems."""

PROBLEMS = (
    *(zipfile.BadZipFile, zlib.error, EOFError),
    *(ArithmeticError, RuntimeError, ValueError),
)
"""What zipfile raises of damaged archives."""

LONGEST_PATH = 1000
"""Of a member, in bytes."""


class Archive(NamedTuple):
    """A published archive.

    Parameters
    ----------
    url : str
        Its address.
    md5 : str
        Its digest.
    """

    url: str
    md5: str


def fetch_folder(
    root: Path, machine: str, archives: Callable[[], Sequence[Archive]], verbose: int
) -> None:
    """Download and unpack the archives of a machine type, unless its folder exists.

    Parameters
    ----------
    root : Path
        The folder that holds those of the machine types; made if it is missing.
    machine : str
        The machine type.
    archives : callable
        Tells which archives it needs, in the order in which they are unpacked.
    verbose : int
        1 shows a progress bar for each download.

    Raises
    ------
    DatasetError
        If an archive cannot be downloaded or unpacked, or the folder cannot be written.
    """
    target = root / machine
    if target.is_dir():
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        # If a process is killed, the operating system releases its lock.
        with FileLock(root / f".{machine}.lock"):
            if not target.is_dir():
                _fetch(archives(), target, verbose)
    except OSError as error:
        raise DatasetError(
            str(root),
            f"cannot hold the recordings: {error}",
            "Free some space, or pass another folder for data_home.",
        ) from error


def _fetch(archives: Sequence[Archive], target: Path, verbose: int) -> None:
    work = target.parent / f".{target.name}.part"
    unpacked = work / "unpacked"
    try:
        # If a process was killed, its archives are used again; the files unpacked from them are
        # not.
        if unpacked.exists():
            shutil.rmtree(unpacked)
        for number, archive in enumerate(archives):
            file = work / f"archive{number}.zip"
            download(
                archive.url,
                file,
                digest=md5,
                expected=archive.md5,
                most_bytes=MOST_BYTES,
                verbose=verbose,
            )
            _unpack(file, unpacked, archive.url)
        os.rename(unpacked, target)
    except DownloadError as error:
        raise DatasetError(
            error.url,
            error.problem,
            f"Try again, or download it elsewhere and unpack it into {target}.",
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(archive: Path, folder: Path, url: str) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            problem = _problem_of(members, archive.stat().st_size)
            if problem is not None:
                raise DatasetError(
                    url,
                    f"is not unpacked, because {problem}",
                    "Nothing was kept. Do not unpack it elsewhere either.",
                )
            file.extractall(folder)
    except DatasetError:
        raise
    except (*PROBLEMS, OSError) as error:
        # Only a damaged archive asks for a place before its start; the rest is of the disk.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise DatasetError(
            url,
            f"is not a complete archive: {str(error) or type(error).__name__}",
            "Nothing was kept. Try again.",
        ) from error


def _problem_of(members: list[zipfile.ZipInfo], n_bytes: int) -> str | None:
    """Say why members are not unpacked: on any system, each must be a file of its own."""
    if not members or len(members) > MOST_MEMBERS:
        return f"it has {len(members)} members"
    # No more than a member declares is unpacked of it.
    total = sum(member.file_size for member in members)
    if total > max(MOST_TIMES * n_bytes, SMALL):
        return f"its {n_bytes} bytes would become {total}"
    files: set[PurePath] = set()
    folders: set[PurePath] = set()
    for member in members:
        path = PureWindowsPath(member.filename)
        problem = _problem_of_member(member, path)
        if path in files or (path in folders and not member.is_dir()):
            problem = "there twice, as a file and as a file or a folder"
        elif not files.isdisjoint(path.parents):
            problem = "in a folder that is a file"
        if problem is not None:
            return f"its member {member.filename!r:.300} is {problem}"
        (folders if member.is_dir() else files).add(path)
        folders.update(path.parents)
    return None


def _problem_of_member(member: zipfile.ZipInfo, path: PurePath) -> str | None:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a symbolic link"
    if path.anchor or ".." in path.parts:
        return "outside the folder"
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    is_too_long = longest > LONGEST_NAME or len(os.fsencode(path)) > LONGEST_PATH
    if not longest or is_too_long:
        return "of a name that no file can have"
    if member.flag_bits & 1 or member.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        return "encrypted, or packed in another way"
    return None
