"""Windows out of blocks of samples."""

from collections.abc import Iterable, Iterator

import numpy as np

from skasd.audio._reading import mix_down, scale_samples
from skasd.exceptions import AudioError

PIECE = 65536
"""Samples that are converted at a time, so that a long block takes no second copy of itself."""


def cut_windows(
    pieces: Iterable[np.ndarray], *, window_length: int, hop_length: int
) -> Iterator[np.ndarray]:
    """Cut a stream into windows, each as soon as its last sample is there.

    Parameters
    ----------
    pieces : iterable of ndarrays of shape (n_samples,), float32
        The stream, in pieces of any size.
    window_length : int
        In samples.
    hop_length : int
        From the first sample of a window to that of the next. Less than `window_length` makes
        them overlap, more leaves gaps.

    Yields
    ------
    ndarray of shape (window_length,), float32
        Window i begins at the sample ``i * hop_length``. What the end leaves of one is dropped.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.monitoring._windows import cut_windows
    >>> pieces = [np.arange(3), np.arange(3, 8)]
    >>> [w.tolist() for w in cut_windows(pieces, window_length=4, hop_length=3)]
    [[0.0, 1.0, 2.0, 3.0], [3.0, 4.0, 5.0, 6.0]]
    """
    window = np.empty(window_length, np.float32)
    n_held, n_to_drop = 0, 0
    for piece in pieces:
        start = 0
        while start < len(piece):
            if n_to_drop:
                n_dropped = min(n_to_drop, len(piece) - start)
                start += n_dropped
                n_to_drop -= n_dropped
                continue
            n_taken = min(window_length - n_held, len(piece) - start)
            window[n_held : n_held + n_taken] = piece[start : start + n_taken]
            start += n_taken
            n_held += n_taken
            if n_held == window_length:
                yield window.copy()
                n_held = max(0, window_length - hop_length)
                n_to_drop = max(0, hop_length - window_length)
                window[:n_held] = window[window_length - n_held :]


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
        In Hz. Where they differ, the stream is resampled as `read_clip` resamples a clip, to the
        same bits; the last 0.1 s then comes later.

    Yields
    ------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioError
        Where a block is no array of samples, or has no such channel.
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
