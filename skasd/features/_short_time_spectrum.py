"""Short-time Fourier transform, in blocks that stay in the processor's cache."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft

from skasd._utils.memory import keep_freed_memory

BLOCK_SAMPLES = 2**16
"""Samples in all frames of a block: half a megabyte, the fastest of 2**14 to 2**17."""

WINDOWS = ("hann", "symmetric_hann", "povey")

CENTERED = {"zeros": "constant", "reflect": "reflect"}
"""Framing with centered frames → what `numpy.pad` calls its way to continue the clip."""

FRAMINGS = (*CENTERED, "inside", "kaldi")


def short_time_power(
    samples: np.ndarray,
    *,
    n_fft: int,
    hop_length: int,
    win_length: int | None = None,
    window: str = "hann",
    framing: str = "zeros",
    pre_emphasis: float = 0.0,
) -> Iterator[np.ndarray]:
    """Compute the squared magnitude of the short-time Fourier transform, block by block.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        Mono samples.
    n_fft : int
        Length of a frame, in samples.
    hop_length : int
        Step from one frame to the next, in samples.
    win_length : int or None, default=None
        Length of the window in the middle of a frame, in samples; `n_fft` if None.
    window, framing, pre_emphasis
        See `LogMelSpectrogram`.

    Yields
    ------
    ndarray of shape (n_frames_of_block, 1 + n_fft // 2), float64
        In all, there are ``1 + (n_samples + 2 * (n_fft // 2) - n_fft) // hop_length`` frames if
        they are centered, and ``1 + (n_samples - win_length) // hop_length`` if they lie inside the
        clip. With `pre_emphasis`, `n_samples` is one less, except for Kaldi's framing.

    Notes
    -----
    The result is that of ``abs(librosa.stft(samples, ...)) ** 2``, but for librosa's rounding to
    complex64.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features._short_time_spectrum import short_time_power
    >>> samples = np.cos(np.arange(64) * 2 * np.pi / 8)
    >>> (block,) = short_time_power(samples, n_fft=8, hop_length=32)
    >>> block[1].round(6)
    array([4., 4., 1., 0., 0.])
    """
    weights = _window(window, n_fft if win_length is None else win_length)
    if pre_emphasis and framing != "kaldi":
        exact = samples.astype(np.float64)
        samples = exact[1:] - pre_emphasis * exact[:-1]
    if framing in CENTERED:
        weights = _in_the_middle(weights, n_fft)
        samples = np.pad(samples, n_fft // 2, mode=CENTERED[framing])  # type: ignore[call-overload]
    frames = sliding_window_view(samples, len(weights))[::hop_length]
    keep_freed_memory()
    n_frames = max(1, BLOCK_SAMPLES // n_fft)
    windowed = np.empty((min(n_frames, len(frames)), len(weights)))
    for first in range(0, len(frames), n_frames):
        block = frames[first : first + n_frames]
        if framing == "kaldi":
            block = _emphasized(block, pre_emphasis)
        product = np.multiply(block, weights, out=windowed[: len(block)])
        parts = fft.rfft(product, n_fft).view(np.float64)
        np.square(parts, out=parts)
        yield parts[:, ::2] + parts[:, 1::2]


def centered_window(name: str, win_length: int | None, n_fft: int) -> np.ndarray:
    """Return the weights of a frame with its window in the middle; see `short_time_power`."""
    return _in_the_middle(_window(name, n_fft if win_length is None else win_length), n_fft)


def _in_the_middle(weights: np.ndarray, n_fft: int) -> np.ndarray:
    before = (n_fft - len(weights)) // 2
    return np.pad(weights, (before, n_fft - len(weights) - before))


@lru_cache
def _window(name: str, length: int) -> np.ndarray:
    # By its formula, since importing scipy.signal takes a tenth of a second.
    n_points = length + 1 if name == "hann" and length > 1 else length
    angles = np.linspace(-np.pi, np.pi, n_points)[:length]
    window = 0.5 + 0.5 * np.cos(angles) if length > 1 else np.ones(length)
    return window**0.85 if name == "povey" else window


def _emphasized(frames: np.ndarray, pre_emphasis: float) -> np.ndarray:
    """Subtract the mean from each frame, and pre-emphasize it as if its first sample repeated."""
    exact = frames.astype(np.float64)
    exact -= exact.mean(axis=1, keepdims=True)
    earlier = np.concatenate([exact[:, :1], exact[:, :-1]], axis=1)
    return exact - pre_emphasis * earlier
