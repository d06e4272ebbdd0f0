"""Raw PCM, as recorders write it to a pipe."""

from collections.abc import Iterator
from io import BufferedIOBase

import numpy as np

PCM_FORMATS = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}
"""What ffmpeg calls them, and NumPy. arecord's names are S16_LE, S32_LE and FLOAT_LE."""


def read_pcm(
    file: BufferedIOBase, *, n_channels: int = 1, sample_format: str = "s16le"
) -> Iterator[np.ndarray]:
    """Read raw PCM as it comes: a block is what there is, and waits for no more.

    Parameters
    ----------
    file : binary file with `read1`
        Such as ``sys.stdin.buffer``.
    n_channels : int, default=1
        Interleaved channels.
    sample_format : {"s16le", "s32le", "f32le"}, default="s16le"
        Little-endian: signed integers of 16 or 32 bits, or floats.

    Yields
    ------
    ndarray of shape (n_samples, n_channels)
        Ints or floats, not scaled. What the end leaves of a sample is passed over.

    Raises
    ------
    ValueError
        Where there is no such format, or no channel.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd.monitoring import read_pcm
    >>> list(read_pcm(BytesIO(bytes([1, 0, 2, 0, 3])), n_channels=2))
    [array([[1, 2]], dtype=int16)]
    """
    if sample_format not in PCM_FORMATS:
        raise ValueError(f"format {sample_format!r}: expected one of {', '.join(PCM_FORMATS)}.")
    if n_channels < 1:
        raise ValueError(f"{n_channels} channels: expected 1 or more.")
    dtype = np.dtype(PCM_FORMATS[sample_format])
    return _blocks(file, n_channels, dtype)


def _blocks(file: BufferedIOBase, n_channels: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    frame_size = n_channels * dtype.itemsize
    rest = b""
    while data := file.read1(65536):
        data = rest + data
        whole = len(data) - len(data) % frame_size
        rest = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], dtype).reshape(-1, n_channels)
