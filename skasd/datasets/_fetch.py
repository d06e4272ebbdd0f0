"""The recordings of DCASE 2020, downloaded from Zenodo, verified and unpacked."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from skasd._sklearn import StrOptions, validate_params
from skasd.datasets._archives import Archive, fetch_folder
from skasd.datasets._layout import MACHINES

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
    fetch_dcase : Download the recordings of any year.
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
    record, name = RECORDS[subset]
    url = URL.format(record=record, name=name, machine=machine)
    archives = [Archive(url, MD5[subset][machine])]
    fetch_folder(root, machine, lambda: archives, verbose)
    return root
