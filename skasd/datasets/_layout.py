"""Folders and file names of the challenges: the reader that every year's function uses."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skasd.exceptions import DatasetError

MACHINES = ("ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve")
"""The machine types of DCASE 2020, in the order of the report of IAEO3."""

SPLIT_FOLDERS = {
    "train": ("train",),
    "test": ("test", "source_test", "target_test"),
    "supplemental": ("supplemental",),
}

ROOT_REMEDY = "Pass as root the folder that contains the machine types' folders."


class _Naming(NamedTuple):
    """How a challenge names its clips."""

    pattern: str
    examples: str
    identifier: str


NAMING_2020 = _Naming(
    pattern=r"(?:(?P<label>normal|anomaly)_)?id_(?P<machine_id>\d\d)_\d+\.wav",
    examples="normal_id_00_00000000.wav, anomaly_id_00_00000000.wav or id_00_00000000.wav",
    identifier="machine_id",
)
NAMING_2021 = _Naming(
    pattern=(
        r"section_(?P<machine_id>\d\d)"
        r"(?:_(?P<domain>source|target)(?:_<split>)?(?:_(?P<label>normal|anomaly))?|_<split>)?"
        r"_\d+(?:_(?P<attributes>.*))?\.wav"
    ),
    examples=(
        "section_00_source_<split>_normal_0000_strength_1.wav, section_00_target_<split>_0000.wav, "
        "section_00_<split>_0000.wav or section_00_0000.wav"
    ),
    identifier="section",
)
NAMING_SUPPLEMENTAL = _Naming(
    pattern=r"section_(?P<machine_id>\d\d)_(?P<attributes>.*)\.wav",
    examples="section_00_machine_0001_.wav or section_00_noise_0001_.wav",
    identifier="section",
)


def naming_of(name: str) -> _Naming:
    """Return how the challenge of this year names its clips."""
    return NAMING_2021 if name.startswith("section_") else NAMING_2020


class Clip(NamedTuple):
    """What the name of a clip tells.

    Parameters
    ----------
    path : Path
        The clip.
    machine_id : str
        Its id (2020) or section, such as ``"00"``.
    label : {"normal", "anomaly"} or None
        None if the name does not say.
    domain : {"source", "target"} or None, default=None
        None if the name does not say.
    attributes : str or None, default=None
        What follows the clip's number.
    """

    path: Path
    machine_id: str
    label: str | None = None
    domain: str | None = None
    attributes: str | None = None


def read_name(path: Path, split: str, naming: _Naming) -> Clip | None:
    """Read the name of a clip; None if it is not such a name.

    Parameters
    ----------
    path : Path
        The split, which the name may repeat.
    split : {"train", "test"}
        What it is for, which its name may repeat.
    naming : _Naming
        How the year names its clips.

    Returns
    -------
    Clip or None

    Examples
    --------
    >>> from pathlib import Path
    >>> from skasd.datasets._layout import NAMING_2021, read_name
    >>> path = Path("section_00_target_test_anomaly_0001_vel_12.wav")
    >>> clip = read_name(path, "test", NAMING_2021)
    >>> clip.machine_id, clip.label, clip.domain, clip.attributes
    ('00', 'anomaly', 'target', 'vel_12')
    """
    match = re.fullmatch(naming.pattern.replace("<split>", split), path.name)
    return Clip(path, **match.groupdict()) if match else None


def load(
    root: str | os.PathLike,
    machine: str,
    identifier: int | str | None,
    split: str,
    domain: str | None,
    naming: _Naming,
) -> Bunch:
    """List the clips of a machine type, or only those of one machine or section, and one domain."""
    folders = find_split(root, machine, split)
    return as_bunch(select_clips(folders, split, naming, identifier, domain), folders, naming)


def find_split(root: str | os.PathLike, machine: str, split: str) -> list[Path]:
    """Return the folders that hold a split of a machine type; refuse a root without any."""
    root = Path(root).expanduser()
    folders = split_folders(root, machine, split)
    if not folders:
        places = (root / machine, root / machine / machine)
        raise DatasetError(
            str(root),
            f"there is no folder {_join(SPLIT_FOLDERS[split], 'or')} in {_join(places, 'or')}: "
            f"{what_stands(*places[::-1], root)}",
            ROOT_REMEDY,
        )
    return folders


def select_clips(
    folders: list[Path],
    split: str,
    naming: _Naming,
    identifier: int | str | None,
    domain: str | None,
    complete: Callable[[list[Clip]], list[Clip]] = list,
) -> list[Clip]:
    """Read the names in folders, fill in what they do not tell, and select clips."""
    clips = _read_names(folders, split, naming)
    if identifier is not None:
        wanted = re.sub("^(id|section)_", "", str(identifier)).zfill(2)
        clips = _select(clips, "machine_id", wanted, f"{naming.identifier}={identifier!r}", folders)
    clips = complete(clips)
    if domain is not None:
        clips = _select(clips, "domain", domain, f"{domain=}", folders)
    return clips


def as_bunch(clips: list[Clip], folders: list[Path], naming: _Naming) -> Bunch:
    """Return clips of one kind: all or none have a label, and all or none have a domain."""
    forms = {(clip.label is None, clip.domain is None): clip.path.name for clip in clips}
    if len(forms) > 1:
        raise DatasetError(
            _join(folders),
            "clips whose names give the label or the domain are mixed with clips whose names do "
            f"not: {_join(forms.values())}",
            f"Load one {naming.identifier} at a time, or move them into folders of their own.",
        )
    ((has_no_label, has_no_domain),) = forms
    return Bunch(
        paths=[str(clip.path) for clip in clips],
        y=None if has_no_label else np.array([-1 if c.label == "anomaly" else 1 for c in clips]),
        machine_ids=np.array([clip.machine_id for clip in clips]),
        names=[clip.path.name for clip in clips],
        domains=None if has_no_domain else np.array([clip.domain for clip in clips]),
        attributes=(
            None if naming is NAMING_2020 else np.array([clip.attributes or "" for clip in clips])
        ),
    )


def _select(
    clips: list[Clip], field: str, wanted: str, argument: str, folders: list[Path]
) -> list[Clip]:
    selected = [clip for clip in clips if getattr(clip, field) == wanted]
    if not selected:
        present = sorted({getattr(clip, field) for clip in clips} - {None})
        raise DatasetError(
            argument,
            f"does not occur in {_join(folders)}, where files name {', '.join(present) or 'none'}",
            "Pass one that does, or None for all.",
        )
    return selected


def _read_names(folders: list[Path], split: str, naming: _Naming) -> list[Clip]:
    """Read the clips' attributes from their file names, in the order of the names."""
    examples = naming.examples.replace("<split>", split)
    clips = []
    for path in wav_files(folders):
        clip = read_name(path, split, naming)
        if clip is None:
            raise DatasetError(
                str(path),
                f"is not named like {examples}",
                "load_dcase2020 reads the names of 2020, load_dcase2021 those of 2021 to 2025 and "
                "load_dcase all; move other recordings elsewhere.",
            )
        clips.append(clip)
    if not clips:
        raise DatasetError(
            _join(folders),
            f"there are no clips such as {examples}: {what_stands(*folders)}",
            ROOT_REMEDY,
        )
    return clips


def wav_files(folders: Iterable[Path]) -> list[Path]:
    """Return the files that end in .wav, without the hidden ones that macOS adds."""
    paths = (path for folder in folders for path in folder.iterdir())
    wavs = (p for p in paths if p.suffix.lower() == ".wav" and not p.name.startswith("."))
    return sorted(wavs, key=lambda path: path.name)


def split_folders(root: Path, machine: str, split: str) -> list[Path]:
    """Return the folders that hold a split; empty if there are none."""
    for base in (root / machine, root / machine / machine):
        folders = [base / name for name in SPLIT_FOLDERS[split] if (base / name).is_dir()]
        if folders:
            return folders[:1] if folders[0].name == split else folders
    return []


def what_stands(*folders: Path) -> str:
    """Describe the content of the first folder that exists."""
    for folder in folders:
        if folder.is_dir():
            names = sorted(path.name for path in folder.iterdir())
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            return f"{folder} holds {', '.join(names[:5]) or 'nothing'}{more}"
    return f"there is no folder {folders[-1]}"


def _join(names: Iterable, word: str = "and") -> str:
    return f" {word} ".join(map(str, names))
