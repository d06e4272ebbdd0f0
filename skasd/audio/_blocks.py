"""Sound block by block: long files, and streams."""

from collections.abc import Iterable, Iterator

import numpy as np

from skasd.audio._reading import mix_down, scale_samples
from skasd.audio._recording import open_recording
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


def convert_blocks(
    blocks: Iterable[np.ndarray], *, channel: str | int, from_rate: int, to_rate: int
) -> Iterator[np.ndarray]:
    """Make one stream of mono samples at one rate.

    Parameters
    ----------
    blocks : iterable of arrays of shape (n_samples,) or (n_samples, n_channels)
        Ints or floats. A block may be empty.
    channel : "mean" or int
        Average of the channels, or the index of the one to use.
    from_rate, to_rate : int
        In Hz. If they differ, the stream is resampled as `read_clip` resamples a clip, to the
        same bits; the last 0.1 s then comes later.

    Yields
    ------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioError
        If a block is not an array of samples, or lacks the channel.
    """
    pieces = _mono_pieces(blocks, channel)
    if from_rate == to_rate:
        yield from pieces
        return
    import soxr

    resampler = soxr.ResampleStream(from_rate, to_rate, 1)
    for piece in pieces:
        yield resampler.resample_chunk(piece)
    yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def _mono_pieces(blocks: Iterable[np.ndarray], channel: str | int) -> Iterator[np.ndarray]:
    for index, block in enumerate(blocks):
        samples = np.asarray(block)
        # An empty list is a float array, and as legal as an empty block of any other kind.
        if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
            raise AudioError(
                f"block {index}",
                f"is a {type(block).__name__} of shape {samples.shape} and dtype {samples.dtype}",
                "Pass arrays of real samples, of shape (n_samples,) or (n_samples, n_channels).",
            )
        for start in range(0, len(samples), PIECE):
            piece = scale_samples(samples[start : start + PIECE])
            yield piece if piece.ndim == 1 else mix_down(piece, channel, f"block {index}")
