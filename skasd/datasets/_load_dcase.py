"""Clips of every year's challenge, with what is known about them."""

import os
import re
from collections.abc import Callable
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skasd._sklearn import Interval, StrOptions, validate_params
from skasd.datasets._ground_truth import (
    LIST,
    NO_ATTRIBUTE,
    GroundTruth,
    hidden_lists,
    read_attributes,
    read_ground_truth,
)
from skasd.datasets._layout import (
    NAMING_SUPPLEMENTAL,
    SPLIT_FOLDERS,
    Clip,
    as_bunch,
    find_split,
    naming_of,
    select_clips,
    wav_files,
)
from skasd.datasets._years import MACHINE_TYPES, find_year
from skasd.exceptions import DatasetError

YEARS = (min(MACHINE_TYPES), max(MACHINE_TYPES))
"""The first and the last year of the challenge."""


@validate_params(
    {
        "root": [str, os.PathLike],
        "machine": [str],
        "section": [Integral, str, None],
        "split": [StrOptions(set(SPLIT_FOLDERS))],
        "domain": [StrOptions({"source", "target"}), None],
        "year": [Interval(Integral, *YEARS, closed="both"), None],
        "ground_truth": [str, os.PathLike, GroundTruth, None],
    }
)
def load_dcase(
    root: str | os.PathLike,
    machine: str,
    section: int | str | None = None,
    split: str = "train",
    domain: str | None = None,
    *,
    year: int | None = None,
    ground_truth: str | os.PathLike | GroundTruth | None = None,
) -> Bunch:
    r"""List the clips of one machine type of any year's challenge, DCASE 2020 to 2026.

    Reads ``<root>/<machine>/<split>`` or, if that does not exist,
    ``<root>/<machine>/<machine>/<split>``; the test clips of 2021 are in ``source_test`` and
    ``target_test``. Hidden files, and files that do not end in .wav, are ignored.

    Names of evaluation sets hide the labels, and those of some machine types hide the attributes.
    If the challenge's lists are in `root`, in the folder above it, or in `ground_truth`, labels and
    attributes are taken from them; see `read_ground_truth`.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.
    machine : str
        Machine type: the name of its folder.
    section : int, str or None, default=None
        One section (2020: one machine of the type), such as ``2``, ``"02"``, ``"section_02"`` or
        ``"id_02"``. None selects all.
    split : {"train", "test", "supplemental"}, default="train"
        The clips to list. ``"supplemental"`` are those of 2025 and 2026 that hold the machine
        without noise, or noise without the machine.
    domain : {"source", "target"} or None, default=None
        One domain. None selects both, and clips whose domain is not known.
    year : int or None, default=None
        The challenge's year, 2020 to 2026; only needed for the lists. None detects it from the
        clips.
    ground_truth : str, PathLike, GroundTruth or None, default=None
        The folder of the challenge's lists, or the result of `read_ground_truth`. None looks for
        them next to the clips.

    Returns
    -------
    clips : Bunch
        The clips, in the order of the file names, with the attributes:

        paths : list of str
            The paths of the clips.
        y : ndarray of shape (n_clips,), int, or None
            +1 for normal clips, -1 for anomalous ones. None if the labels are not known.
        machine_ids : ndarray of shape (n_clips,), str
            The sections (2020: the machines), such as ``"00"``.
        names : list of str
            The file names, as listed in the challenge's CSV files.
        domains : ndarray of shape (n_clips,), str, or None
            ``"source"`` or ``"target"``. None if the domains are not known.
        attributes : ndarray of shape (n_clips,), str, or None
            The part of the full name after the clip's number, such as ``"vel_12"``, ``""`` or, if
            it is hidden, ``"noAttribute"``. None in 2020.
        attribute_values : list of dict
            The attributes by name, such as ``{"vel": "12"}``, if the machine type's folder has
            ``attributes_<section>.csv``, and otherwise empty.
        classes : ndarray of shape (n_clips,), str, or None
            Machine type, section and attributes, such as ``"bandsaw_00_vel_12"``: what a
            `MachineIDEmbedding` may learn to tell apart. Attributes that are empty or hidden are
            left out. None for supplemental clips.
        kinds : ndarray of shape (n_clips,), str, or None
            For supplemental clips, ``"machine"``, ``"noise"`` or, if the name tells neither,
            ``""``. None for other splits.

    Raises
    ------
    DatasetError
        A ValueError: if a folder is missing or empty, the section or the domain does not
        occur, a .wav file has an unexpected name, a list lacks a clip, or clips with and without
        labels are mixed.

    See Also
    --------
    fetch_dcase : Download the recordings.
    read_ground_truth : Read the challenge's lists.

    References
    ----------
    Nishida et al., "Description and discussion on DCASE 2024 Challenge Task 2: First-shot
    unsupervised anomalous sound detection for machine condition monitoring", arXiv:2406.07250,
    2024, and the descriptions of the other years.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets import load_dcase
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root) / "bandsaw" / "test"
    ...     folder.mkdir(parents=True)
    ...     (folder / "section_00_0001.wav").touch()
    ...     line = "section_00_0001.wav,section_00_target_test_anomaly_0001_vel_12.wav"
    ...     _ = Path(root, "eval_data_list_2023.csv").write_text(f"bandsaw\n{line}\n")
    ...     clips = load_dcase(root, "bandsaw", split="test")
    >>> clips.y, clips.domains, clips.attributes
    (array([-1]), array(['target'], dtype='<U6'), array(['vel_12'], dtype='<U6'))
    >>> clips.classes
    array(['bandsaw_00_vel_12'], dtype='<U17')
    """
    root = Path(root).expanduser()
    folders = find_split(root, machine, split)
    if split == "supplemental":
        clips = select_clips(folders, split, NAMING_SUPPLEMENTAL, section, domain)
        bunch = as_bunch(clips, folders, NAMING_SUPPLEMENTAL)
        bunch.kinds = np.array([_kind(clip) for clip in clips])
        bunch.classes = None
    else:
        first = next(iter(wav_files(folders)), Path("section_"))
        naming, join = naming_of(first.name), _join(root, machine, split, year, ground_truth)
        clips = select_clips(folders, split, naming, section, domain, join)
        bunch = as_bunch(clips, folders, naming)
        bunch.kinds = None
        bunch.classes = np.array([_class(machine, clip) for clip in clips])
    values = read_attributes(folders[0].parent)
    bunch.attribute_values = [values.get(name, {}) for name in bunch.names]
    return bunch


def find_ground_truth(
    root: str | os.PathLike, year: int | None, given: str | os.PathLike | GroundTruth | None = None
) -> GroundTruth | None:
    """Find the challenge's lists: those that are given, or those next to the clips.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.
    year : int or None
        The challenge's year; detected if it is needed.
    given : str, PathLike, GroundTruth or None, default=None
        The folder of the lists, or what was already read from them.

    Returns
    -------
    GroundTruth or None
        None if there are no lists.
    """
    if isinstance(given, GroundTruth):
        return given
    root = Path(root).expanduser()
    if given is not None:
        return read_ground_truth(given, find_year(root) if year is None else year)
    for folder in (root, root.resolve().parent):
        has_some = any(folder.glob(LIST.format(year="*"))) or any(
            folder.glob("ground_truth_attributes/dcase*")
        )
        if has_some:
            year = find_year(root) if year is None else year
            if (folder / LIST.format(year=year)).is_file() or hidden_lists(folder, year):
                return read_ground_truth(folder, year)
    return None


def _join(
    root: Path,
    machine: str,
    split: str,
    year: int | None,
    given: str | os.PathLike | GroundTruth | None,
) -> Callable[[list[Clip]], list[Clip]]:
    """Return a function that completes clips whose names hide something."""

    def join(clips: list[Clip]) -> list[Clip]:
        if not any(clip.label is None or clip.attributes == NO_ATTRIBUTE for clip in clips):
            return clips
        truth = find_ground_truth(root, year, given)
        return clips if truth is None else _complete(clips, machine, truth)

    return join


def _complete(clips: list[Clip], machine: str, truth: GroundTruth) -> list[Clip]:
    if not any(each == machine for each, _ in truth.clips):
        return clips
    completed = []
    for clip in clips:
        known = truth.find(machine, clip.path.name)
        if known is None and clip.label is None:
            reasons = [
                f"{place}: {why}"
                for place, why in truth.not_joined.items()
                if repr(clip.path.name) in why
            ]
            raise DatasetError(
                str(clip.path),
                f"is not in the list of labels of {truth.year}"
                + "".join(f" ({reason})" for reason in reasons),
                "Pass the lists of the year that the clips belong to, or move them elsewhere.",
            )
        completed.append(
            clip
            if known is None
            else clip._replace(label=known.label, domain=known.domain, attributes=known.attributes)
        )
    return completed


def _class(machine: str, clip: Clip) -> str:
    known = "" if clip.attributes == NO_ATTRIBUTE else clip.attributes
    return "_".join(filter(None, (machine, clip.machine_id, known)))


def _kind(clip: Clip) -> str:
    words = re.split(r"[_\d]+", (clip.attributes or "").lower())
    if "noise" in words:
        return "noise"
    return "machine" if {"machine", "clean"} & set(words) else ""
