"""Embeddings on disk: one small file for each clip."""

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from skasd._utils.files import write_whole

FORMAT = 1
"""Part of every key: another number makes old entries unreachable."""


def default_folder() -> Path:
    """Return the user's cache folder for embeddings.

    Returns
    -------
    Path
    """
    return user_cache_path("skasd") / "openl3-embeddings"


class EmbeddingCache:
    """Remembers the embeddings of clips by their content, across processes.

    Parameters
    ----------
    folder : str or Path
        Where the entries are. It is made when the first is written, and may be deleted at any time.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def fetch(
        self, samples: np.ndarray, settings: tuple, compute: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """Return the embeddings of a clip, computed only if there is no entry.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            The decoded clip.
        settings : tuple
            Everything else that the embeddings depend on.
        compute : callable
            Returns the embeddings, an ndarray.

        Returns
        -------
        ndarray
        """
        key = hashlib.sha256(repr((FORMAT, *settings, samples.dtype.str)).encode())
        key.update(np.ascontiguousarray(samples).data)
        name = key.hexdigest()
        path = self.folder / name[:2] / f"{name}.npz"
        embeddings = _read(path)
        if embeddings is None:
            embeddings = compute()
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with write_whole(path) as file:
                    np.savez(file, embeddings=embeddings)
            except OSError as error:
                warnings.warn(
                    f"The embeddings of a clip are not kept, because {path} cannot be written: "
                    f"{error}. Pass another folder for `cache`, or cache=None.",
                    stacklevel=2,
                )
        return embeddings


def _read(path: Path) -> np.ndarray | None:
    """Return an entry, or None if there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as entry:
            return entry["embeddings"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
