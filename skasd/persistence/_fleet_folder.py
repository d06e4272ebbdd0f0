"""A fleet in a folder: one model file per machine, and ``fleet.json``, which lists them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skasd._utils.files import write_whole
from skasd.ensemble._fleet_detector import FleetDetector
from skasd.ensemble._saved_detectors import SavedDetectors
from skasd.exceptions import ModelFileError
from skasd.persistence._container import read_archive, write_archive

FORMAT = 1

LIST_NAME = "fleet.json"


def save_fleet(
    fleet: FleetDetector,
    folder: str | os.PathLike,
    save: Callable[[BaseEstimator, Path], None],
) -> None:
    """Save a fleet, writing each file completely or not at all.

    Parameters
    ----------
    fleet : fitted FleetDetector
        Its detectors are saved, not what they were cloned from.
    folder : str or PathLike
        Made if it is missing. Files of machines that the fleet there had, and this one has
        not, are deleted.
    save : callable
        Writes one detector to a file.

    Raises
    ------
    NotFittedError
        If the fleet is not fitted.
    TypeError
        If a detector holds something that `load` would refuse.
    ValueError
        If two labels differ in upper and lower case alone.
    OSError
        If a file cannot be written.
    """
    check_is_fitted(fleet)
    folder = Path(folder)
    detectors = fleet.detectors_
    _check_file_names(detectors)
    folder.mkdir(parents=True, exist_ok=True)
    stale = _listed_machines(folder) - set(detectors)
    for machine in detectors:
        path = folder / file_name(machine)
        source = detectors.file_of(machine) if isinstance(detectors, SavedDetectors) else None
        if source is None:
            save(detectors[machine], path)
        elif not path.exists() or not os.path.samefile(source, path):
            write_archive(path, read_archive(source))
    content = {"format": FORMAT, "machines": list(detectors), "failures": fleet.failures_}
    with write_whole(folder / LIST_NAME) as file:
        file.write(json.dumps(content, indent=1).encode())
    for machine in stale:
        (folder / file_name(machine)).unlink(missing_ok=True)


def load_fleet(
    folder: str | os.PathLike, load: Callable[[str | os.PathLike], BaseEstimator]
) -> FleetDetector:
    """Load a fleet, each of whose detectors is loaded when it is first needed.

    Parameters
    ----------
    folder : str or PathLike
        A folder that `save_fleet` has written.
    load : callable
        Reads one detector from a file.

    Returns
    -------
    FleetDetector
        The fleet, without an `estimator`.

    Raises
    ------
    ModelFileError
        If ``fleet.json`` is not as `save_fleet` writes it.
    FileNotFoundError
        If there is none.
    """
    folder = Path(folder).absolute()
    content = _read_list(folder / LIST_NAME)
    fleet = FleetDetector(None)
    files = {machine: str(folder / file_name(machine)) for machine in content["machines"]}
    fleet.detectors_ = SavedDetectors(files, load)
    fleet.failures_ = content["failures"]
    return fleet


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
        content = json.loads(path.read_bytes())
        version = content["format"]
        machines, failures = content["machines"], content["failures"]
        strings = [*machines, *failures, *failures.values()]
        if not (isinstance(machines, list) and all(isinstance(each, str) for each in strings)):
            raise TypeError("a label or a reason is not a string")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(
            os.fspath(path),
            f"does not list a fleet: {type(error).__name__}: {error}",
            "Copy the folder again, or save the fleet again, elsewhere.",
        ) from error
    if version != FORMAT:
        raise ModelFileError(
            os.fspath(path),
            f"has the format {version!r}, and this skasd reads {FORMAT}",
            "Install the version of skasd that wrote it, or a later one.",
        )
    return content
