"""The recordings of DCASE 2020, downloaded from Zenodo, verified and unpacked."""

import errno
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePath, PureWindowsPath

from filelock import FileLock
from platformdirs import user_cache_path

from skasd._sklearn import StrOptions, validate_params
from skasd._utils.download import DownloadError, download, md5
from skasd.datasets._layout import MACHINES
from skasd.exceptions import DatasetError

URL = "https://zenodo.org/record/{record}/files/{name}_{machine}.zip?download=1"

RECORDS = {
    "dev": ("3678171", "dev_data"),
    "additional": ("3727685", "eval_data_train"),
    "eval": ("3841772", "eval_data_test"),
}

MD5 = {
    "dev": {
        "ToyCar": "4dec75ca8d9f666aa9e4c1894a740501",
        "ToyConveyor": "03b6aa1bfd09a39d53af0ba39f71fa91",
        "fan": "649bdfc06263ae7a838963f43b6641e6",
        "pump": "90e7091ef722b7238a7f1009365779cd",
        "slider": "da24a757719f0d94d5aa2d646bbfdc86",
        "valve": "34d2672f55bb041589ef79c10dc89934",
    },
    "additional": {
        "ToyCar": "a5d4ccd498af70b04dd74b644b820006",
        "ToyConveyor": "0e808ac0b761e9fb13d5e0c65caff00d",
        "fan": "567798854130c8019df8b664c095ed1e",
        "pump": "4e33ae9c0db5cc88437675f5e317caee",
        "slider": "f84f186f4295fc23754abcdd1b0580a7",
        "valve": "057cdd560caffb8305449541afd28c6d",
    },
    "eval": {
        "ToyCar": "bea2bdd612f616be8f2b8eb087b32c7c",
        "ToyConveyor": "ccfcc9847c7d3404d7ee9d6d9e0b2ba2",
        "fan": "1eb9356a768cadfd0f2e59a5c57e578b",
        "pump": "23a8f8f924be218c69df67fe07360348",
        "slider": "0193c769073840332ce3aad84b1ccaa2",
        "valve": "f69c551d2088691050d20cccca9d631c",
    },
}

MOST_BYTES = 2**33
"""Of an archive; the published ones have 1 to 2 GB."""

MOST_TIMES = 20
"""What an archive may unpack to, in its own size; recordings of machines hardly pack."""

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


@validate_params(
    {
        "machine": [StrOptions(set(MACHINES))],
        "subset": [StrOptions(set(RECORDS))],
        "data_home": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }
)
def fetch_dcase2020(
    machine: str,
    subset: str = "dev",
    data_home: str | os.PathLike | None = None,
    verbose: int = 0,
) -> Path:
    """Download the recordings of one machine type of DCASE 2020, unless they already exist.

    The archive is downloaded, checked and unpacked under another name, so that the machine type's
    folder is complete once it exists. If a call is killed, the next one starts over; of two calls
    at once, the second waits for the first. Mind the license, which is in each record on Zenodo:
    the development set is CC BY-NC-SA 4.0.

    Parameters
    ----------
    machine : {"ToyCar", "ToyConveyor", "fan", "pump", "slider", "valve"}
        Machine type.
    subset : {"dev", "additional", "eval"}, default="dev"
        ``"dev"`` is the development set (training and labeled test clips), ``"additional"`` the
        additional training set, and ``"eval"`` the evaluation set (test clips without labels).
    data_home : str, PathLike or None, default=None
        The folder to keep the recordings in. None means ``dcase2020`` in the user's cache.
    verbose : int, default=0
        1 shows a progress bar for the download.

    Returns
    -------
    Path
        ``<data_home>/<subset>``, which is the `root` for `load_dcase2020`.

    Raises
    ------
    DatasetError
        A ValueError: if the archive cannot be downloaded, is not the published one, has
        members that would be unpacked outside the folder, or the folder cannot be written.

    See Also
    --------
    load_dcase2020 : List the clips.

    References
    ----------
    Koizumi et al., "Description and discussion on DCASE2020 Challenge Task2: Unsupervised
    anomalous sound detection for machine condition monitoring", DCASE Workshop, 2020.

    Examples
    --------
    >>> from skasd.datasets import fetch_dcase2020, load_dcase2020
    >>> root = fetch_dcase2020("fan", verbose=1)  # doctest: +SKIP
    >>> clips = load_dcase2020(root, "fan", machine_id=0)  # doctest: +SKIP
    """
    home = user_cache_path("skasd") / "dcase2020" if data_home is None else Path(data_home)
    root = home.expanduser() / subset
    target = root / machine
    if target.is_dir():
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        # If a process is killed, the operating system releases its lock.
        with FileLock(root / f".{machine}.lock"):
            if not target.is_dir():
                _fetch(subset, machine, target, verbose)
    except OSError as error:
        raise DatasetError(
            str(root),
            f"cannot hold the recordings: {error}",
            "Free some space, or pass another folder for data_home.",
        ) from error
    return root


def _fetch(subset: str, machine: str, target: Path, verbose: int) -> None:
    record, name = RECORDS[subset]
    url = URL.format(record=record, name=name, machine=machine)
    work = target.parent / f".{machine}.part"
    archive, unpacked = work / "archive.zip", work / "unpacked"
    try:
        # If a process was killed, its archive is used again; the files unpacked from it are not.
        download(
            url,
            archive,
            digest=md5,
            expected=MD5[subset][machine],
            most_bytes=MOST_BYTES,
            verbose=verbose,
        )
        if unpacked.exists():
            shutil.rmtree(unpacked)
        _unpack(archive, unpacked, url)
        os.rename(unpacked, target)
    except DownloadError as error:
        raise DatasetError(
            url,
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
