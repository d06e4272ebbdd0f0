"""Embeddings on disk: one small file for each clip.

An entry holds a SHA-256 of its name and its numbers, followed by the numbers, in float32. How many
numbers to expect is known beforehand, so nothing has to be parsed.
"""

import hashlib
import math
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from skasd._utils.files import write_whole

FORMAT = 2
"""Part of every key: another number makes old entries unreachable."""


class EmbeddingCache:
    """A cache on disk of the embeddings of clips, by their content, shared by processes.

    Parameters
    ----------
    folder : str or Path
        Folder of the entries. It is created, readable by its owner alone, when the first entry is
        written, and may be deleted at any time. Anyone who can write to it can forge features, and
        thereby scores.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def fetch(
        self,
        samples: np.ndarray,
        settings: tuple,
        shape: tuple[int, ...],
        compute: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """Return the embeddings of a clip, and compute them only if there is no valid entry.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,)
            The decoded clip.
        settings : tuple
            Everything else that the embeddings depend on.
        shape : tuple of int
            Shape of the embeddings.
        compute : callable
            Returns the embeddings, an ndarray of float32 of this shape.

        Returns
        -------
        ndarray of the shape that was passed, float32
        """
        key = hashlib.sha256(repr((FORMAT, *settings, samples.dtype.str)).encode())
        key.update(np.ascontiguousarray(samples).data)
        name = key.hexdigest()
        path = self.folder / name[:2] / f"{name}.f32"
        embeddings = _read(path, shape)
        if embeddings is None:
            embeddings = compute()
            try:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                numbers = embeddings.astype("<f4").tobytes()
                with write_whole(path) as file:
                    file.write(_digest(path, numbers) + numbers)
            except OSError as error:
                warnings.warn(
                    f"The embeddings of a clip are not cached, because {path} cannot be written: "
                    f"{error}. Pass another folder as `cache`, or cache=None.",
                    stacklevel=2,
                )
        return embeddings


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return an entry, or None if it does not exist or cannot be valid."""
    n_bytes = 4 * math.prod(shape)
    try:
        status = os.stat(path)
        # Opening a pipe could block for ever.
        if not stat.S_ISREG(status.st_mode) or status.st_size != 32 + n_bytes:
            return None
        content = path.read_bytes()
    except OSError:
        return None
    digest, numbers = content[:32], content[32:]
    if len(numbers) != n_bytes or digest != _digest(path, numbers):
        return None
    embeddings = np.frombuffer(numbers, "<f4").astype(np.float32).reshape(shape)
    return embeddings if np.isfinite(embeddings).all() else None


def _digest(path: Path, numbers: bytes) -> bytes:
    return hashlib.sha256(path.stem.encode() + numbers).digest()
