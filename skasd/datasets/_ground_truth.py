"""What the challenge publishes about its clips: labels of evaluation sets, hidden attributes."""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from skasd.datasets._layout import Clip, naming_of, read_name
from skasd.exceptions import DatasetError

LIST = "eval_data_list_{year}.csv"
"""Labels of a year's evaluation set: a line with each machine type, then one for each clip."""

HIDDEN = "attributes_*_correspondence.csv"
"""Full names of the clips of a machine type whose names hide their attributes."""

NO_ATTRIBUTE = "noAttribute"
"""What the names of such clips end with."""


class ClipTruth(NamedTuple):
    """What is known about a clip.

    Parameters
    ----------
    name : str
        Its full name, such as ``"section_00_target_test_anomaly_0001_vel_12.wav"``.
    machine_id : str
        Its id (2020) or section, such as ``"00"``.
    label : {"normal", "anomaly"}
        Its label.
    domain : {"source", "target"} or None
        Its domain; None in 2020.
    attributes : str or None
        What follows the number in its full name, such as ``"vel_12"`` or ``""``; None in 2020.
    """

    name: str
    machine_id: str
    label: str
    domain: str | None
    attributes: str | None


@dataclass
class GroundTruth:
    """What is known about a year's clips.

    Parameters
    ----------
    year : int
        The challenge's year.
    clips : dict of (str, str) to ClipTruth
        By machine type and the name under which the clip was published.
    not_joined : dict of str to str
        Lines that do not describe a clip, as ``"file:line"``, and why.

    Examples
    --------
    >>> from skasd.datasets._ground_truth import GroundTruth
    >>> GroundTruth(2024).clips
    {}
    """

    year: int
    clips: dict[tuple[str, str], ClipTruth] = field(default_factory=dict)
    not_joined: dict[str, str] = field(default_factory=dict)

    def find(self, machine: str, name: str) -> ClipTruth | None:
        """Return what is known about a clip, with or without ``_test`` in its name.

        Parameters
        ----------
        machine : str
            Its machine type.
        name : str
            Its published name, such as ``"section_00_0001.wav"`` or ``"section_00_test_0001.wav"``.

        Returns
        -------
        ClipTruth or None
            None if nothing is known.
        """
        bare = re.sub(r"^(section_\d\d)_test_(?=\d+\.wav)", r"\1_", name)
        longer = re.sub(r"^(section_\d\d)_(?=\d+\.wav)", r"\1_test_", name)
        known = (self.clips.get((machine, each)) for each in (name, bare, longer))
        return next((each for each in known if each is not None), None)


def read_ground_truth(folder: str | os.PathLike, year: int) -> GroundTruth:
    r"""Read what the challenge has published about a year's clips, from a folder of its lists.

    These are ``eval_data_list_<year>.csv`` and, for the machine types of 2024 and 2025 whose
    attributes are hidden, ``attributes_<section>_<split>_correspondence.csv`` in folders that are
    named after the machine types, at any depth of ``ground_truth_attributes/dcase<year>t2``. The
    authors of the baseline have them at https://github.com/nttcslab/dcase2023_task2_baseline_ae,
    in ``datasets``.

    Parameters
    ----------
    folder : str or PathLike
        The folder that holds the lists.
    year : int
        The challenge's year.

    Returns
    -------
    GroundTruth
        The clips by machine type and published name, and the lines that name no clip.

    Raises
    ------
    DatasetError
        A ValueError: if the folder holds no list of that year, or one that cannot be read.

    See Also
    --------
    load_dcase : List clips, with their ground truth.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets import read_ground_truth
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     line = "section_00_0007.wav,section_00_target_test_anomaly_0007_vel_12.wav"
    ...     _ = Path(folder, "eval_data_list_2023.csv").write_text(f"bandsaw\n{line}\n")
    ...     truth = read_ground_truth(folder, 2023)
    >>> truth.clips["bandsaw", "section_00_0007.wav"].label
    'anomaly'
    """
    folder = Path(folder).expanduser()
    truth = GroundTruth(year)
    listed, hidden = folder / LIST.format(year=year), hidden_lists(folder, year)
    if not listed.is_file() and not hidden:
        raise DatasetError(
            str(folder),
            f"holds neither {listed.name} nor {HIDDEN} of {year}",
            "Pass the folder that holds the lists of the challenge.",
        )
    full_names: dict[tuple[str, str], str] = {}
    for path in hidden:
        for place, row in _rows(path, folder):
            if row != ["source_file_name", "target_file_name"]:
                _add_pair(truth, full_names, place, path.parent.name, row[1::-1])
    if listed.is_file():
        machine = None
        for place, row in _rows(listed, folder):
            if len(row) == 1:
                machine = row[0]
            elif machine is None:
                truth.not_joined[place] = "no line before it names a machine type"
            else:
                _add_pair(truth, full_names, place, machine, row)
    return truth


def hidden_lists(folder: Path, year: int) -> list[Path]:
    """Return the correspondences of hidden attributes of a year, in the order of their names."""
    return sorted((folder / "ground_truth_attributes" / f"dcase{year}t2").rglob(HIDDEN))


def _rows(path: Path, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines of a list that hold something, each with its place."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), 1):
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield f"{path.relative_to(folder)}:{number}", cells
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(str(path), f"cannot be read: {error}", "Fetch it again.") from error


def _add_pair(
    truth: GroundTruth,
    full_names: dict[tuple[str, str], str],
    place: str,
    machine: str,
    row: list[str],
) -> None:
    """Add a line with a published name and a full one, or note why it cannot be added."""
    key = (machine, row[0])
    # The published name in a list may itself be one that hides attributes.
    full = full_names.get((machine, row[1]), row[1]) if len(row) > 1 else ""
    published, clip = _read(row[0]), _read(full)
    if clip is None or clip.label is None:
        truth.not_joined[place] = f"{full!r} is not the full name of a clip"
    elif published is None:
        truth.not_joined[place] = f"{row[0]!r} is not the name of a clip"
    elif any(
        getattr(published, part) not in (None, getattr(clip, part))
        for part in ("machine_id", "label", "domain")
    ):
        truth.not_joined[place] = f"{row[0]!r} and {full!r} do not belong to the same clip"
    elif len(row) > 2 and row[2] != str(int(clip.label == "anomaly")):
        truth.not_joined[place] = f"{full!r} has the label {row[2]!r}"
    elif full_names.setdefault(key, full) != full:
        truth.not_joined[place] = f"{machine} {row[0]!r} is {full_names[key]!r} in another line"
    else:
        attributes = None if clip.domain is None else clip.attributes or ""
        truth.clips[key] = ClipTruth(full, clip.machine_id, clip.label, clip.domain, attributes)


def _read(name: str) -> Clip | None:
    """Read a name of any year and split."""
    split = "train" if "_train_" in name else "test"
    return read_name(Path(name), split, naming_of(name))


def read_attributes(folder: Path) -> dict[str, dict[str, str]]:
    """Read the attributes of clips from a machine type's ``attributes_<section>.csv``.

    Parameters
    ----------
    folder : Path
        The folder of the machine type.

    Returns
    -------
    dict of str to dict
        File name → name of an attribute → its value; empty values are left out.

    Raises
    ------
    DatasetError
        If a file cannot be read, or has other columns.
    """
    attributes = {}
    for path in sorted(folder.glob("attributes_[0-9][0-9].csv")):
        rows = _rows(path, folder)
        _, header = next(rows, ("", []))
        columns = {name: index for index, name in enumerate(header)}
        if "file_name" not in columns:
            raise DatasetError(
                str(path), f"has the columns {header}, without file_name", "Unpack it again."
            )
        pairs = [
            (columns[name], columns[f"{name[:-1]}v"])
            for name in columns
            if re.fullmatch(r"d\d+p", name) and f"{name[:-1]}v" in columns
        ]
        for _, row in rows:
            name = row[columns["file_name"]].replace("\\", "/").rpartition("/")[2]
            attributes[name] = {
                row[parameter]: row[value]
                for parameter, value in pairs
                if value < len(row) and row[parameter]
            }
    return attributes
