"""Short-time Fourier transform, in blocks that stay in the processor's cache."""

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft
from scipy.signal import get_window

BLOCK_SAMPLES = 2**15
"""Samples of all frames of a block: a quarter of a megabyte, and fastest of 2**12 to 2**17."""


def short_time_power(
    samples: np.ndarray, *, n_fft: int, hop_length: int, win_length: int | None = None
) -> Iterator[np.ndarray]:
    """Compute the squared magnitude of the short-time Fourier transform, block by block.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Mono.
    n_fft : int
        Length of a frame, in samples. Frames are centered, beyond the ends there are zeros.
    hop_length : int
        Step from one frame to the next, in samples.
    win_length : int or None, default=None
        Length of the Hann window in the middle of a frame, in samples; `n_fft` if None.

    Yields
    ------
    ndarray of shape (n_frames_of_block, 1 + n_fft // 2), float64
        There are ``1 + (n_samples + 2 * (n_fft // 2) - n_fft) // hop_length`` frames in all.

    Notes
    -----
    The same as ``abs(librosa.stft(samples, ...)) ** 2``, but for librosa's rounding to complex64.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features._short_time_spectrum import short_time_power
    >>> samples = np.cos(np.arange(64) * 2 * np.pi / 8)
    >>> (block,) = short_time_power(samples, n_fft=8, hop_length=32)
    >>> block[1].round(6)
    array([4., 4., 1., 0., 0.])
    """
    win_length = n_fft if win_length is None else win_length
    window = np.zeros(n_fft)
    start = (n_fft - win_length) // 2
    window[start : start + win_length] = get_window("hann", win_length)
    frames = sliding_window_view(np.pad(samples, n_fft // 2), n_fft)[::hop_length]
    n_frames = max(1, BLOCK_SAMPLES // n_fft)
    for first in range(0, len(frames), n_frames):
        spectrum = fft.rfft(frames[first : first + n_frames] * window)
        yield np.square(spectrum.real) + np.square(spectrum.imag)
