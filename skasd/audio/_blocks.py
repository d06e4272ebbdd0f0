"""Sound block by block: long files, and streams."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from skasd.audio._channels import mix_down
from skasd.audio._reading import scale_samples
from skasd.audio._recording import open_recording
from skasd.audio._sources import check_samples
from skasd.exceptions import AudioError

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
    with open_recording(path) as recording:
        return recording.sample_rate


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
    with open_recording(path) as recording:
        yield from recording.blocks(n_samples)


def check_blocks(blocks: Iterable[Any], channels: Iterable[str | int]) -> Iterator[np.ndarray]:
    """Bring the blocks of a stream to one shape, in float32, piece by piece.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n_samples,) or (n_samples, n_channels)
        Ints or floats. A block may be empty.
    channels : iterable of "mean", "near-far", "far-near" or int
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
