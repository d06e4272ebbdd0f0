"""The recordings of every year's challenge, from Zenodo, and the labels of its evaluation sets."""

import hashlib
import json
import os
import re
from io import BufferedIOBase
from numbers import Integral
from pathlib import Path

from platformdirs import user_cache_path

from skasd._sklearn import Interval, StrOptions, validate_params
from skasd._utils.download import DownloadError, download, fetch_bytes
from skasd.datasets._archives import Archive, fetch_folder
from skasd.datasets._ground_truth import LIST
from skasd.datasets._load_dcase import YEARS
from skasd.datasets._years import MACHINE_TYPES
from skasd.exceptions import DatasetError

ZENODO = "https://zenodo.org"

_DEV, _TRAIN, _TEST = "dev_{machine}", "eval_data_{machine}_train", "eval_data_{machine}_test"

RECORDS: dict[int, dict[str, dict[str, str]]] = {
    2020: {
        "dev": {"3678171": "dev_data_{machine}"},
        "eval": {"3727685": "eval_data_train_{machine}", "3841772": "eval_data_test_{machine}"},
    },
    2021: {
        "dev": {"4562016": "dev_data_{machine}"},
        "eval": {"4660992": _TRAIN, "4884786": _TEST},
    },
    2022: {"dev": {"6355122": _DEV}, "eval": {"6462969": _TRAIN, "6586456": _TEST}},
    2023: {"dev": {"7882613": _DEV}, "eval": {"7830345": _TRAIN, "7860847": _TEST}},
    2024: {"dev": {"10902294": _DEV}, "eval": {"11259435": _TRAIN, "11363076": _TEST}},
    2025: {"dev": {"15097779": _DEV}, "eval": {"15392814": _TRAIN, "15519362": _TEST}},
    2026: {"dev": {"19336329": _DEV}, "eval": {"20151556": _TRAIN, "20437238": _TEST}},
}
"""Year → subset → Zenodo's record → the archive in it, but for ``_r2`` and so on at the end."""

LISTS = "https://raw.githubusercontent.com/nttcslab/dcase2023_task2_baseline_ae/{commit}/datasets/"

LISTED: dict[int, tuple[str, str]] = {
    2021: (
        "b727c54e9faac6eb30ecbccb2139b9df66df4dd5",
        "f387dea363c60ce2c7013e450dfffda166d6aa62478311f9f205690999dee9b6",
    ),
    2022: (
        "b727c54e9faac6eb30ecbccb2139b9df66df4dd5",
        "9e4510f2ab8a2f53bec0968e0b16b1d99f0e2c77f76c986e59735e9ed2276c4a",
    ),
    2023: (
        "2605ba1ae306d087d87e8fac8e19c20068e989e2",
        "d2b8515b27e63ba4349a874ba70c4ab04a2c12ba5640a3f8cb75dbf03e500063",
    ),
    2024: (
        "ce6566afdbae428f1b5f60f355e258b7aa1303bc",
        "a1b098460497526df54755fcfe36c046893d583550c0b9bb0bc18b7b59d3e76a",
    ),
    2025: (
        "70569b81868233adb8a9320af3dbfd339811c9ee",
        "0823f3c56aa6d12a497405315d895deb1f57aeee3ac19e2a60ec30ef5c0d0e00",
    ),
}
"""Year → the commit of its list of labels, and the list's digest by `text_sha256`."""

MOST_BYTES = 2**22
"""Most bytes of a record's description, or of a list."""


@validate_params(
    {
        "year": [Interval(Integral, *YEARS, closed="both")],
        "machine": [str],
        "subset": [StrOptions({"dev", "eval"})],
        "data_home": [str, os.PathLike, None],
        "verbose": ["verbose"],
    }
)
def fetch_dcase(
    year: int,
    machine: str,
    subset: str = "dev",
    data_home: str | os.PathLike | None = None,
    verbose: int = 0,
) -> Path:
    """Download the recordings of one machine type of any year's challenge, unless they exist.

    Zenodo's record of the year tells which archives there are, and their digests; of an archive
    that was corrected, the latest correction is taken. Archives are downloaded, checked and
    unpacked under another name, so that the machine type's folder is complete once it exists. If a
    call is killed, the next one continues with the archives that are complete; of two simultaneous
    calls, the second waits for the first. Mind the license, which is stated in each record.

    Parameters
    ----------
    year : int
        The challenge's year, 2020 to 2026.
    machine : str
        Machine type of that year and subset, such as ``"fan"``.
    subset : {"dev", "eval"}, default="dev"
        ``"dev"`` is the development set: training and labeled test clips. ``"eval"`` is the
        evaluation set: the additional training clips and the test clips, with the list of their
        labels, which the baseline's authors publish for 2021 to 2025.
    data_home : str, PathLike or None, default=None
        The folder to keep the recordings in. None means ``dcase<year>`` in the user's cache.
    verbose : int, default=0
        1 shows a progress bar for each download.

    Returns
    -------
    Path
        ``<data_home>/<subset>``, which is the `root` for `load_dcase` and `evaluate_dcase`.

    Raises
    ------
    DatasetError
        A ValueError: if the year has no such machine type, an archive cannot be downloaded, is not
        the published one, has members that would be unpacked outside the folder, or the folder
        cannot be written.

    See Also
    --------
    load_dcase : List the clips.
    skasd.challenge.evaluate_dcase : Fit and score all machines.

    References
    ----------
    Nishida et al., "Description and discussion on DCASE 2024 Challenge Task 2: First-shot
    unsupervised anomalous sound detection for machine condition monitoring", arXiv:2406.07250,
    2024, and the descriptions of the other years.

    Examples
    --------
    >>> from skasd.datasets import fetch_dcase, load_dcase
    >>> root = fetch_dcase(2024, "3DPrinter", "eval", verbose=1)  # doctest: +SKIP
    >>> clips = load_dcase(root, "3DPrinter", split="test", year=2024)  # doctest: +SKIP
    """
    types = MACHINE_TYPES[year][subset]
    if machine not in types:
        raise DatasetError(
            f"machine={machine!r}",
            f"is not in the {subset} set of {year}, which has {', '.join(types)}",
            "Pass one of these, or another year or subset.",
        )
    home = user_cache_path("skasd") / f"dcase{year}" if data_home is None else Path(data_home)
    root = home.expanduser() / subset
    records = RECORDS[year][subset]
    fetch_folder(
        root,
        machine,
        lambda: [_find(record, name.format(machine=machine)) for record, name in records.items()],
        verbose,
    )
    if subset == "eval" and year in LISTED:
        _fetch_list(year, root)
    return root


def _find(record: str, name: str) -> Archive:
    """Return the latest correction of an archive, as listed in Zenodo's record."""
    api = f"{ZENODO}/api/records/{record}"
    remedy = f"Try again, or unpack the archives of {ZENODO}/records/{record} yourself."
    try:
        content = fetch_bytes(api, MOST_BYTES)
        files = {each["key"]: each["checksum"] for each in json.loads(content)["files"]}
    except DownloadError as error:
        raise DatasetError(api, error.problem, remedy) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(api, f"is not a description of a record: {error!r}", remedy) from error
    versions = {
        int(match[1] or 1): key
        for key in files
        if (match := re.fullmatch(re.escape(name) + r"(?:_r(\d+))?\.zip", key))
    }
    if not versions:
        raise DatasetError(api, f"has no {name}.zip, but {', '.join(sorted(files))}", remedy)
    key = versions[max(versions)]
    kind, _, digest = str(files[key]).partition(":")
    if kind != "md5":
        raise DatasetError(api, f"has no MD5 of {key}, but {files[key]}", remedy)
    return Archive(f"{ZENODO}/records/{record}/files/{key}?download=1", digest)


def _fetch_list(year: int, root: Path) -> None:
    commit, digest = LISTED[year]
    path = root / LIST.format(year=year)
    url = LISTS.format(commit=commit) + path.name
    try:
        download(url, path, digest=text_sha256, expected=digest, most_bytes=MOST_BYTES)
    except (DownloadError, OSError) as error:
        raise DatasetError(
            url,
            f"the list of labels is missing: {getattr(error, 'problem', error)}",
            f"The clips are complete. Try again, or put the list into {root}.",
        ) from error


def text_sha256(file: BufferedIOBase) -> str:
    r"""Compute a digest of a text, independent of its line endings.

    Parameters
    ----------
    file : binary file
        File positioned at its start.

    Returns
    -------
    str
        SHA-256, in hexadecimal, of the text with ``\n`` at the ends of its lines.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd.datasets._fetch_dcase import text_sha256
    >>> text_sha256(BytesIO(b"one\r\ntwo\r\n")) == text_sha256(BytesIO(b"one\ntwo\n"))
    True
    """
    return hashlib.sha256(file.read().replace(b"\r\n", b"\n")).hexdigest()
