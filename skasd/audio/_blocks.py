"""Sound block by block: long files, raw PCM as recorders write it to a pipe, streams."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from skasd.audio._reading import mix_down, scale_samples
from skasd.audio._recording import check_recording, open_recording
from skasd.audio._sources import check_samples
from skasd.exceptions import AudioError

PCM_FORMATS = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4"}
"""What ffmpeg calls them, and NumPy. arecord's names are S16_LE, S32_LE and FLOAT_LE."""

PIECE = 65536
"""Samples that are converted at a time, so that a long block takes no second copy of itself."""


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
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import soundfile
    >>> from skasd.audio._blocks import read_sample_rate
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
        If the file cannot be read and, after what there is of it, if it is truncated.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import soundfile
    >>> from skasd.audio._blocks import read_blocks
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


def read_pcm(  # numpydoc ignore=RT01
    file: Any, *, n_channels: int = 1, sample_format: str = "s16le"
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
        Ints or floats, not scaled. An incomplete last sample is skipped.

    Raises
    ------
    ValueError
        If the format or the channel does not exist.

    Examples
    --------
    >>> from io import BytesIO
    >>> from skasd.audio._blocks import read_pcm
    >>> list(read_pcm(BytesIO(bytes([1, 0, 2, 0, 3])), n_channels=2))
    [array([[1, 2]], dtype=int16)]
    """
    if sample_format not in PCM_FORMATS:
        raise ValueError(f"format {sample_format!r}: expected one of {', '.join(PCM_FORMATS)}.")
    if n_channels < 1:
        raise ValueError(f"{n_channels} channels: expected 1 or more.")
    dtype = np.dtype(PCM_FORMATS[sample_format])
    return _pcm_blocks(file, n_channels, dtype)


def _pcm_blocks(file: Any, n_channels: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    frame_size = n_channels * dtype.itemsize
    rest = b""
    while data := file.read1(65536):
        data = rest + data
        whole = len(data) - len(data) % frame_size
        rest = data[whole:]
        if whole:
            yield np.frombuffer(data[:whole], dtype).reshape(-1, n_channels)


def check_blocks(blocks: Iterable[Any], channels: Iterable[str | int]) -> Iterator[np.ndarray]:
    """Bring the blocks of a stream to one shape, in float32, piece by piece.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n_samples,) or (n_samples, n_channels)
        Ints or floats. A block may be empty.
    channels : iterable of "mean" or int
        What is to be analyzed. A block of a single dimension is of the channel that was picked.

    Yields
    ------
    ndarray of shape (n_samples,) or (n_samples, n_channels), float32
        As the first block that is not empty.

    Raises
    ------
    AudioError
        If a block is not an array of samples, holds ints of 64 bits, has its channels first or
        another number of them than those before, or lacks one that is to be analyzed.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.audio._blocks import check_blocks
    >>> blocks = [np.int16([[0, 16384]]), [], [[1.0, -1.0]]]
    >>> [piece.tolist() for piece in check_blocks(blocks, ["mean"])]
    [[[0.0, 0.5]], [[1.0, -1.0]]]
    """
    shape: tuple[int, ...] | None = None
    for index, block in enumerate(blocks):
        name = f"block {index}"
        samples = check_samples(block, name, channels=True)
        if samples.size == 0:
            continue
        shape = samples.shape[1:] if shape is None else shape
        n_channels, n_expected = math.prod(samples.shape[1:]), math.prod(shape)
        if n_channels != n_expected:
            raise AudioError(
                name,
                f"has {n_channels} channels, and those before it have {n_expected}",
                "Pass all channels in every block, in the shape (n_samples, n_channels).",
            )
        if samples.ndim == 2:
            for channel in channels:
                mix_down(samples[:1], channel, name)
        for start in range(0, len(samples), PIECE):
            yield scale_samples(samples[start : start + PIECE]).reshape(-1, *shape)
