"""A fleet in a folder: one model file per machine, and ``fleet.json``, which lists them.

The list has the digest of each machine's file, so that files which were swapped, or are of another
save, are noticed. If there is a key, the list has an HMAC-SHA-256 of its own content as well.
"""

import hmac
import json
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skasd._utils.files import read_at_most, write_whole_folder
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.ensemble._saved_detectors import SavedDetectors
from skasd.exceptions import ModelFileError
from skasd.persistence._container import keyed_digest, read_archive, write_archive

FORMAT = 1

LIST_NAME = "fleet.json"

LARGEST_LIST = 2**26
"""Bytes of a list that are read: enough for half a million machines."""

LONGEST_NAME = 200
"""Bytes of a file's name; 255 is what most file systems take, and a temporary one is longer."""


class SavedFile(NamedTuple):
    """A machine's file.

    Parameters
    ----------
    path : str
        Where it is.
    digest : str or None
        Digest of its archive. None in a list of a version of skasd that wrote none.
    key : bytes or None
        The key that it was saved with.
    """

    path: str
    digest: str | None
    key: bytes | None


def save_fleet(
    fleet: FleetDetector,
    folder: str | os.PathLike,
    save: Callable[[BaseEstimator, Path, bytes | None], str],
    key: bytes | None = None,
) -> None:
    """Save a fleet, all of it or nothing.

    Parameters
    ----------
    fleet : fitted FleetDetector
        Its detectors are saved, not what they were cloned from.
    folder : str or PathLike
        Made if it is missing. Otherwise another one takes its place once that is complete: with
        whatever else was there, and without the files of machines that the fleet there had, and
        this one has not.
    save : callable
        Writes one detector to a file, with a key or None, and returns the digest of its archive.
    key : bytes or None, default=None
        Secret by which `load_fleet` can tell who saved the fleet.

    Raises
    ------
    NotFittedError
        If the fleet is not fitted.
    TypeError
        If a detector holds something that `load` would refuse.
    ValueError
        If a label is no file name, or two labels differ in upper and lower case alone.
    OSError
        If a file cannot be written.
    """
    check_is_fitted(fleet)
    folder = Path(folder)
    detectors = fleet.detectors_
    _check_file_names(detectors)
    stale = {LIST_NAME, *map(file_name, _listed_machines(folder))}
    digests = {}
    with write_whole_folder(folder, stale.__contains__) as part:
        for machine in detectors:
            path = part / file_name(machine)
            file = detectors.file_of(machine) if isinstance(detectors, SavedDetectors) else None
            if file is None:
                digests[machine] = save(detectors[machine], path, key)
            else:
                digests[machine] = _take_over(file, folder, path, key)
        content = {
            "format": FORMAT,
            "machines": list(detectors),
            "failures": fleet.failures_,
            "digests": digests,
        }
        if key is not None:
            content["hmac"] = _list_digest(content, key)
        (part / LIST_NAME).write_bytes(json.dumps(content, indent=1).encode())


def load_fleet(
    folder: str | os.PathLike,
    load: Callable[[str, bytes | None, str | None], BaseEstimator],
    key: bytes | None = None,
) -> FleetDetector:
    """Load a fleet, each of whose detectors is loaded when it is first needed.

    Parameters
    ----------
    folder : str or PathLike
        A folder that `save_fleet` has written.
    load : callable
        Reads one detector from a file, with a key or None, and a digest that it must have or None.
    key : bytes or None, default=None
        The key that it was saved with.

    Returns
    -------
    FleetDetector
        The fleet, without an `estimator`.

    Raises
    ------
    ModelFileError
        If ``fleet.json`` is not as `save_fleet` writes it, or not with this key.
    FileNotFoundError
        If there is none.
    """
    folder = Path(folder).absolute()
    content = _read_list(folder / LIST_NAME)
    _check_list_key(folder / LIST_NAME, content, key)
    fleet = FleetDetector(None)
    digests = content.get("digests", {})
    files = {
        machine: SavedFile(str(folder / file_name(machine)), digests.get(machine), key)
        for machine in content["machines"]
    }
    fleet.detectors_ = SavedDetectors(files, partial(_load_file, load))
    fleet.failures_ = content["failures"]
    return fleet


def _load_file(
    load: Callable[[str, bytes | None, str | None], BaseEstimator], file: SavedFile
) -> BaseEstimator:
    return load(file.path, file.key, file.digest)


def _take_over(file: SavedFile, folder: Path, path: Path, key: bytes | None) -> str:
    """Put the file of a detector that was loaded, and not fitted since, into a new folder."""
    is_there = folder.exists() and os.path.samefile(Path(file.path).parent, folder)
    if is_there and file.digest is not None and key == file.key:
        try:
            os.link(file.path, path)
        except OSError:
            pass  # some file systems have no links
        else:
            return file.digest
    return write_archive(path, read_archive(file.path, file.key, digest=file.digest), key)


def file_name(machine: str) -> str:
    """Return the name of a machine's file, whatever characters its label has.

    Parameters
    ----------
    machine : str
        Label of the machine.

    Returns
    -------
    str
        A name that every file system takes.

    Examples
    --------
    >>> from skasd.persistence._fleet_folder import file_name
    >>> file_name("fan_id_00"), file_name("../hall 2")
    ('fan_id_00.skasd', '..%2Fhall%202.skasd')
    """
    return f"{quote(machine, safe='')}.skasd"


def _check_file_names(machines: Any) -> None:
    by_name: dict[str, str] = {}
    for machine in machines:
        try:
            is_short = len(file_name(machine)) <= LONGEST_NAME
        except UnicodeEncodeError:
            is_short = False
        if not is_short:
            raise ValueError(
                f"Machine {machine!r:.80} can have no file: its label is too long, or holds a "
                "character that no file has. Rename it."
            )
        other = by_name.setdefault(file_name(machine).casefold(), machine)
        if other != machine:
            raise ValueError(
                f"Machines {other!r} and {machine!r} would share a file on systems whose file "
                "names ignore case. Rename one."
            )


def _listed_machines(folder: Path) -> set[str]:
    if not (folder / LIST_NAME).exists():
        return set()
    return set(_read_list(folder / LIST_NAME)["machines"])


def _read_list(path: Path) -> dict:
    try:
        with open(path, "rb") as file:
            content = json.loads(read_at_most(file, LARGEST_LIST))
        version = content["format"]
        machines, failures = content["machines"], content["failures"]
        digests = content.get("digests", dict.fromkeys(machines, "0" * 64))
        strings = [*machines, *failures, *failures.values()]
        if not (isinstance(machines, list) and all(isinstance(each, str) for each in strings)):
            raise TypeError("a label or a reason is not a string")
        if len(set(machines)) < len(machines) or set(digests) != set(machines):
            raise ValueError("a machine is there twice, or has no digest")
        hexadecimal = [*digests.values(), content.get("hmac", "0" * 64)]
        if not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hexadecimal):
            raise ValueError("a digest is none")
        _check_file_names(machines)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(
            os.fspath(path),
            f"does not list a fleet: {type(error).__name__}: {error}",
            "Copy the folder again, or save the fleet again, elsewhere.",
        ) from error
    if version != FORMAT:
        raise ModelFileError(
            os.fspath(path),
            f"has the format {version!r:.80}, and this skasd reads {FORMAT}",
            "Install the version of skasd that wrote it, or a later one.",
        )
    return content


def _list_digest(content: dict, key: bytes) -> str:
    """Return the keyed digest of a list, but for the place of the digest itself."""
    signed = {name: value for name, value in content.items() if name != "hmac"}
    return keyed_digest(key, json.dumps(signed, sort_keys=True).encode())


def _check_list_key(path: Path, content: dict, key: bytes | None) -> None:
    found = content.get("hmac")
    if key is None and found is None:
        return
    if key is not None and found is not None:
        if hmac.compare_digest(_list_digest(content, key), found):
            return
        problem = "was saved with another key than the one that is given, or changed since"
    elif key is None:
        problem = "was saved with a key, and none is given to verify who wrote it"
    else:
        problem = "was saved without a key, so that nothing says who wrote it"
    raise ModelFileError(
        os.fspath(path), problem, "Pass the key= that skasd.save was given; None if it was none."
    )
