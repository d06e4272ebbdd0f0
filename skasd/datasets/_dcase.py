"""Recordings of the DCASE challenges' anomaly tasks, read from the folders of their archives.

The label, machine and domain of a clip are read from its file name; no recording is opened.
"""

import os
import re
from numbers import Integral
from pathlib import Path

from sklearn.utils import Bunch

from skasd._sklearn import StrOptions, validate_params
from skasd.datasets._layout import (
    MACHINES,
    NAMING_2020,
    NAMING_2021,
    ROOT_REMEDY,
    SPLIT_FOLDERS,
    load,
    split_folders,
    wav_files,
    what_stands,
)
from skasd.exceptions import DatasetError


@validate_params(
    {
        "root": [str, os.PathLike],
        "machine": [StrOptions(set(MACHINES))],
        "machine_id": [Integral, str, None],
        "split": [StrOptions({"train", "test"})],
    }
)
def load_dcase2020(
    root: str | os.PathLike,
    machine: str,
    machine_id: int | str | None = None,
    split: str = "train",
) -> Bunch:
    """List the clips of one machine type of DCASE 2020.

    Reads the development set, the additional training set (``split="train"`` only) and the
    evaluation set (``split="test"`` only, without labels), from ``<root>/<machine>/<split>`` or,
    if that does not exist, ``<root>/<machine>/<machine>/<split>``. Hidden files, and files
    that do not end in .wav, do not count.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.
    machine : {"ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"}
        Machine type.
    machine_id : int, str or None, default=None
        One machine of the type, such as ``2``, ``"02"`` or ``"id_02"``. None selects all.
    split : {"train", "test"}, default="train"
        The clips to list.

    Returns
    -------
    clips : Bunch
        The clips, in the order of the file names, with the attributes:

        paths : list of str
            The paths of the clips.
        y : ndarray of shape (n_clips,), int, or None
            +1 for normal clips, -1 for anomalous ones. None if the clips have no labels.
        machine_ids : ndarray of shape (n_clips,), str
            The machines, such as ``"00"``.
        names : list of str
            The file names, as listed in the challenge's CSV files.
        domains, attributes : None
            Only used by `load_dcase2021`.

    Raises
    ------
    DatasetError
        A ValueError: if a folder is missing or empty, the machine does not occur, a .wav file
        has an unexpected name, or clips with and without labels are mixed.

    See Also
    --------
    fetch_dcase2020 : Download the recordings.

    References
    ----------
    Koizumi et al., "Description and discussion on DCASE2020 Challenge Task2: Unsupervised
    anomalous sound detection for machine condition monitoring", DCASE Workshop, 2020.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets import load_dcase2020
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root) / "fan" / "test"
    ...     folder.mkdir(parents=True)
    ...     for name in ("normal_id_00_00000007.wav", "anomaly_id_00_00000002.wav"):
    ...         (folder / name).touch()
    ...     clips = load_dcase2020(root, "fan", machine_id=0, split="test")
    >>> clips.names, clips.y
    (['anomaly_id_00_00000002.wav', 'normal_id_00_00000007.wav'], array([-1,  1]))
    """
    return load(root, machine, machine_id, split, None, NAMING_2020)


@validate_params(
    {
        "root": [str, os.PathLike],
        "machine": [str],
        "section": [Integral, str, None],
        "split": [StrOptions({"train", "test"})],
        "domain": [StrOptions({"source", "target"}), None],
    }
)
def load_dcase2021(
    root: str | os.PathLike,
    machine: str,
    section: int | str | None = None,
    split: str = "train",
    domain: str | None = None,
) -> Bunch:
    """List the clips of one machine type of DCASE 2021 to 2025.

    Reads ``<root>/<machine>/<split>`` or, if that does not exist,
    ``<root>/<machine>/<machine>/<split>``. If there is no folder ``test``, the folders
    ``source_test`` and ``target_test`` of 2021 count. Hidden files, and files that do not end in
    .wav, do not.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.
    machine : str
        Machine type: the name of its folder.
    section : int, str or None, default=None
        One section, such as ``2``, ``"02"`` or ``"section_02"``. None selects all.
    split : {"train", "test"}, default="train"
        The clips to list.
    domain : {"source", "target"} or None, default=None
        One domain. None selects both, and clips whose names do not give a domain.

    Returns
    -------
    clips : Bunch
        The clips, in the order of the file names, with the attributes:

        paths : list of str
            The paths of the clips.
        y : ndarray of shape (n_clips,), int, or None
            +1 for normal clips, -1 for anomalous ones. None if the clips have no labels.
        machine_ids : ndarray of shape (n_clips,), str
            The sections, such as ``"00"``.
        names : list of str
            The file names, as listed in the challenge's CSV files.
        domains : ndarray of shape (n_clips,), str, or None
            ``"source"`` or ``"target"``. None if the names do not give a domain.
        attributes : ndarray of shape (n_clips,), str
            The part of the name after the clip's number, such as ``"strength_1_ambient"``, or
            ``""``.

    Raises
    ------
    DatasetError
        A ValueError: if a folder is missing or empty, the section or the domain does not
        occur, a .wav file has an unexpected name, or clips with and without labels are mixed.

    References
    ----------
    Kawaguchi et al., "Description and discussion on DCASE 2021 Challenge Task 2: Unsupervised
    anomalous sound detection for machine condition monitoring under domain shifted conditions",
    DCASE Workshop, 2021.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets import load_dcase2021
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root) / "fan" / "train"
    ...     folder.mkdir(parents=True)
    ...     (folder / "section_00_source_train_normal_0000_strength_1.wav").touch()
    ...     (folder / "section_00_target_train_normal_0000_strength_2.wav").touch()
    ...     clips = load_dcase2021(root, "fan", domain="target")
    >>> clips.names, clips.y, clips.attributes
    (['section_00_target_train_normal_0000_strength_2.wav'], array([1]), array(['strength_2']...))
    """
    return load(root, machine, section, split, domain, NAMING_2021)


def find_machines(root: str | os.PathLike) -> list[str]:
    """Find the machine types that have clips, in any year's challenge.

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.

    Returns
    -------
    list of str
        The machine types, sorted.

    Raises
    ------
    DatasetError
        If there are none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets._dcase import find_machines
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for machine in ("pump", "fan"):
    ...         (Path(root) / machine / "train").mkdir(parents=True)
    ...     find_machines(root)
    ['fan', 'pump']
    """
    root = Path(root).expanduser()
    names = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    machines = [
        name for name in names if any(split_folders(root, name, split) for split in SPLIT_FOLDERS)
    ]
    if not machines:
        raise DatasetError(
            str(root), f"no machine type has clips: {what_stands(root)}", ROOT_REMEDY
        )
    return machines


def find_machine_ids(root: str | os.PathLike, machine: str) -> list[str]:
    """Find the machines of a type (2020), or its sections (2021 to 2025).

    Parameters
    ----------
    root : str or PathLike
        The folder that contains the machine types' folders.
    machine : str
        Machine type.

    Returns
    -------
    list of str
        The ids that occur among the training or test clips, such as ``"00"``, sorted.

    Raises
    ------
    DatasetError
        If there are none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skasd.datasets._dcase import find_machine_ids
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = Path(root) / "fan" / "train"
    ...     folder.mkdir(parents=True)
    ...     for name in ("normal_id_02_00000000.wav", "normal_id_00_00000000.wav"):
    ...         (folder / name).touch()
    ...     find_machine_ids(root, "fan")
    ['00', '02']
    """
    root = Path(root).expanduser()
    folders = [folder for split in SPLIT_FOLDERS for folder in split_folders(root, machine, split)]
    names = (path.name for path in wav_files(folders))
    found = (re.match(r"(?:(?:normal|anomaly)_)?(?:id|section)_(\d\d)_", name) for name in names)
    ids = sorted({match[1] for match in found if match})
    if not ids:
        stands = what_stands(*folders, root / machine, root)
        raise DatasetError(
            f"machine={machine!r}", f"has no clips with id_NN or section_NN: {stands}", ROOT_REMEDY
        )
    return ids
