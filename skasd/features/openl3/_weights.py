"""OpenL3's published weights: found or downloaded, verified, and read with h5py alone.

The files are in the ``models`` branch of marl/openl3 on GitHub. A download is verified against its
git blob id, the SHA-1 of ``blob <size>``, a zero byte, and the content.
"""

import importlib.util
import io
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from skasd._utils.download import DownloadError, download, git_blob_id
from skasd._utils.files import read_at_most
from skasd.exceptions import WeightsError
from skasd.features.openl3 import _weights_file
from skasd.features.openl3._network import expected_shapes
from skasd.features.openl3._weights_file import MOST_BYTES, MOST_SECONDS, PROBLEMS, read_arrays

URL = "https://github.com/marl/openl3/raw/models/"
FOLDER_VARIABLE = "SKASD_OPENL3_WEIGHTS"

BLOB_IDS = {
    "openl3_audio_linear_env-v0_4_0.h5.gz": "7837407f033f3564c7e8d53fc4a4241fe160478b",
    "openl3_audio_linear_music-v0_4_0.h5.gz": "4e2e61beb17865481c8b8791c72eac8307e2753a",
    "openl3_audio_mel128_env-v0_4_0.h5.gz": "8c3dfee140f7776373841e5938a3e76c54f28942",
    "openl3_audio_mel128_music-v0_4_0.h5.gz": "73ff29de441865318c4b3a3f98c40763c4773e7c",
    "openl3_audio_mel256_env-v0_4_0.h5.gz": "34dbd7a91cdd2de6a3d6d036ac0a24d27d78e3cc",
    "openl3_audio_mel256_music-v0_4_0.h5.gz": "15e483646fa3d4091a463f0affbb706e6bbbb098",
}

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Threads need memory, of which a child process has little."""


def find_weights(
    weights: str | os.PathLike,
    input_repr: str,
    content_type: str,
    verbose: int = 0,
    *,
    may_download: bool = True,
) -> Path:
    """Return the file that holds the weights, downloaded if it is not on this machine.

    Parameters
    ----------
    weights : "auto" or path
        A file, or ``"auto"``: the folder that the environment variable ``SKASD_OPENL3_WEIGHTS``
        names, the folder of an installed openl3 package, the user's cache, or a download into that.
        A file name without a folder is looked for in the working directory and in those folders.
    input_repr : {"linear", "mel128", "mel256"}
        Spectrogram of the network.
    content_type : {"env", "music"}
        What it was trained on.
    verbose : int, default=0
        1 shows a progress bar of a download.
    may_download : bool, default=True
        Whether to download weights that are not on this machine.

    Returns
    -------
    Path

    Raises
    ------
    WeightsError
        If the file does not exist, or cannot be downloaded.
    """
    if weights != "auto":
        path = Path(weights)
        folders = _folders() if path.name == str(path) else []
        for each in (path, *(folder / path for folder in folders)):
            if each.is_file():
                return each
        raise WeightsError(f"weights={str(path)!r}", "there is no such file", _ways())
    name = f"openl3_audio_{input_repr}_{content_type}"
    published = f"{name}-v0_4_0.h5.gz"
    candidates = [published, f"{name}-v0_4_0.h5", f"{name}.h5.gz", f"{name}.h5"]
    for path in (folder / candidate for folder in _folders() for candidate in candidates):
        if path.is_file():
            return path
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        raise WeightsError(
            FOLDER_VARIABLE,
            f"names {folder}, which holds none of {', '.join(candidates)}",
            _ways(),
        )
    if not may_download:
        raise WeightsError(published, "is not on this machine", _ways())
    return _download(published, cache_folder() / published, verbose)


def _folders() -> list[Path]:
    folder = os.environ.get(FOLDER_VARIABLE)
    package = importlib.util.find_spec("openl3")
    return [
        *([Path(folder)] if folder else []),
        *map(Path, (package and package.submodule_search_locations) or []),
        cache_folder(),
    ]


def cache_folder() -> Path:
    """Return the user's cache folder for downloaded weights.

    Returns
    -------
    Path
    """
    return user_cache_path("skasd") / "openl3-weights"


def read_weights(path: Path) -> Mapping[str, np.ndarray]:
    """Read a weights file. Nothing in it is executed, and nothing outside it is read.

    Parameters
    ----------
    path : Path
        HDF5 as written by ``save_weights`` of TensorFlow's Keras, gzipped or not.

    Returns
    -------
    mapping of str to ndarray, float32
        Arrays under the names of `skasd.features.openl3._network.expected_shapes`.

    Raises
    ------
    WeightsError
        If the file is truncated, damaged or too large, or does not hold the arrays of OpenL3's
        audio network.

    Notes
    -----
    A published file is recognized by its blob id. Any other file is read in a child process, which
    can be stopped, and is limited in time and, if the system supports it, in memory.
    """
    try:
        with open(path, "rb") as file:
            content = read_at_most(file, MOST_BYTES + 1)
        is_published = git_blob_id(io.BytesIO(content)) in BLOB_IDS.values()
        # The executable of a frozen program is that program, not Python.
        if is_published or getattr(sys, "frozen", False):
            return read_arrays(content, expected_shapes())
        return _read_in_a_child(content, expected_shapes())
    except PROBLEMS as error:
        raise WeightsError(
            str(path),
            f"cannot be read as OpenL3's weights: {error or type(error).__name__}",
            f"It may be truncated, or not an HDF5 file. {_ways()}",
        ) from error


def _read_in_a_child(content: bytes, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read a file that a stranger may have written, in a process that can be stopped."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **ONE_THREAD}
    try:
        child = subprocess.run(
            [sys.executable, "-P", _weights_file.__file__, json.dumps(shapes), str(MOST_SECONDS)],
            input=content,
            capture_output=True,
            timeout=10 * MOST_SECONDS,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"it takes more than {10 * MOST_SECONDS} s") from error
    if child.returncode < 0:
        raise ValueError(f"reading it takes more than {MOST_SECONDS} s, or ends in a crash")
    if child.returncode:
        raise ValueError(child.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    sizes = [math.prod(shape) for shape in shapes.values()]
    numbers = np.split(np.frombuffer(child.stdout, "<f4"), np.cumsum(sizes)[:-1])
    return {
        name: array.reshape(shape)
        for (name, shape), array in zip(shapes.items(), numbers, strict=True)
    }


def _download(name: str, target: Path, verbose: int) -> Path:
    try:
        download(
            URL + name,
            target,
            digest=git_blob_id,
            expected=BLOB_IDS[name],
            most_bytes=MOST_BYTES,
            verbose=verbose,
        )
    except DownloadError as error:
        raise WeightsError(
            error.url,
            error.problem,
            f"Try again, or download it elsewhere and put it at {target}. {_ways()}",
        ) from error
    except OSError as error:
        raise WeightsError(
            str(target.parent), f"cannot hold the weights: {error}", _ways()
        ) from error
    return target


def _ways() -> str:
    return (
        "Pass a file to weights=, or put openl3_audio_<input_repr>_<content_type>-v0_4_0.h5.gz "
        f"into {cache_folder()} or into the folder named by the environment variable "
        f"{FOLDER_VARIABLE}; or do without OpenL3: make_iaeo3(openl3=False)."
    )
