"""Long files, read block by block."""

from collections.abc import Iterator

import numpy as np

from skasd.audio._recording import check_recording, open_recording


def read_sample_rate(path: str) -> int:
    """Read what a file is sampled at.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    int
        In Hz.

    Raises
    ------
    AudioError
        Where the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import soundfile
    >>> from skasd.monitoring import read_sample_rate
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/night.wav", [0.0, 0.5], 48000)
    ...     read_sample_rate(f"{folder}/night.wav")
    48000
    """
    with open_recording(path) as file:
        return file.samplerate


def read_blocks(path: str, *, n_samples: int = 65536) -> Iterator[np.ndarray]:
    """Read a file of any length, block by block.

    Parameters
    ----------
    path : str
        The file.
    n_samples : int, default=65536
        Length of a block; the last may be shorter.

    Yields
    ------
    ndarray of shape (n_samples, n_channels), float32

    Raises
    ------
    AudioError
        Where the file cannot be read and, after what there is of it, where it is truncated.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import soundfile
    >>> from skasd.monitoring import read_blocks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     soundfile.write(f"{folder}/night.wav", np.zeros((2500, 2)), 16000)
    ...     [block.shape for block in read_blocks(f"{folder}/night.wav", n_samples=1000)]
    [(1000, 2), (1000, 2), (500, 2)]
    """
    with open_recording(path) as file:
        n_read = 0
        while len(block := file.read(n_samples, dtype="float32", always_2d=True)):
            n_read += len(block)
            yield block
        check_recording(path, file, n_read)
