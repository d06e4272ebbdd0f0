"""Mel bands on the scales of librosa, HTK and Kaldi."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

MEL_SCALES = ("slaney", "htk", "kaldi")

_HERTZ_PER_MEL = 200.0 / 3
_KNEE = 1000.0
_KNEE_MEL = _KNEE / _HERTZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def mel_corners(n_mels: int, *, fmin: float, fmax: float, mel_scale: str) -> np.ndarray:
    """Compute where bands begin and end, evenly spaced on a mel scale.

    Parameters
    ----------
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lower edge of the lowest band, and upper edge of the highest one, in Hz.
    mel_scale : {"slaney", "htk", "kaldi"}
        The scale. Kaldi uses HTK's.

    Returns
    -------
    ndarray of shape (n_mels + 2,)
        In Hz: band i extends from corner i to corner i + 2, and has its peak at corner i + 1.

    Examples
    --------
    >>> from skasd.features._mel_bands import mel_corners
    >>> mel_corners(1, fmin=0, fmax=1000, mel_scale="slaney")
    array([   0.,  500., 1000.])
    """
    low, high = hertz_to_mel([fmin, fmax], mel_scale)
    return mel_to_hertz(np.linspace(low, high, n_mels + 2), mel_scale)


def hertz_to_mel(hertz: ArrayLike, mel_scale: str = "slaney") -> np.ndarray:
    """Convert frequencies in Hz to mel.

    Parameters
    ----------
    hertz : array-like
        Frequencies, in Hz.
    mel_scale : {"slaney", "htk", "kaldi"}, default="slaney"
        The scale. Slaney's is linear below 1 kHz and logarithmic above.

    Returns
    -------
    ndarray

    References
    ----------
    Slaney, "Auditory toolbox", version 2, Interval Research Corporation 1998-010, 1998.

    Examples
    --------
    >>> from skasd.features._mel_bands import hertz_to_mel
    >>> hertz_to_mel([0, 1000, 6400])
    array([ 0., 15., 42.])
    """
    frequencies = np.asarray(hertz, dtype=np.float64)
    if mel_scale != "slaney":
        return 2595.0 * np.log10(1.0 + frequencies / 700.0)
    above = _KNEE_MEL + np.log(np.maximum(frequencies, _KNEE) / _KNEE) / _LOG_STEP
    return np.where(frequencies >= _KNEE, above, frequencies / _HERTZ_PER_MEL)


def mel_to_hertz(mel: ArrayLike, mel_scale: str = "slaney") -> np.ndarray:
    """Convert mel to frequencies in Hz; see `hertz_to_mel`."""
    mels = np.asarray(mel, dtype=np.float64)
    if mel_scale != "slaney":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    above = _KNEE * np.exp(_LOG_STEP * (mels - _KNEE_MEL))
    return np.where(mels >= _KNEE_MEL, above, _HERTZ_PER_MEL * mels)


@lru_cache(maxsize=8)
def mel_bands(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    mel_scale: str = "slaney",
    mel_norm: str | None = "slaney",
) -> sparse.csr_array:
    """Return mel bands as a sparse matrix, cached, as they take longer to make than to use.

    Parameters
    ----------
    sample_rate, n_fft, n_mels, fmin, fmax, mel_scale, mel_norm
        Settings of `LogMelSpectrogram`.

    Returns
    -------
    csr_array of shape (n_mels, 1 + n_fft // 2), float64

    Examples
    --------
    >>> from skasd.features._mel_bands import mel_bands
    >>> mel_bands(16000, 16, 2, 0, None, "htk", None).toarray().argmax(axis=1)
    array([1, 3])
    """
    make = _kaldi_bands if mel_scale == "kaldi" else _triangles
    corners = mel_corners(n_mels, fmin=fmin, fmax=fmax or sample_rate / 2, mel_scale=mel_scale)
    bands = make(np.fft.rfftfreq(n_fft, 1 / sample_rate), corners).astype(np.float32)
    if mel_norm is not None:
        bands *= (2.0 / (corners[2:] - corners[:-2]))[:, np.newaxis]
    return sparse.csr_array(bands.astype(np.float64))


def _triangles(frequencies: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return bands whose sides are straight in Hz."""
    ramps = corners[:, np.newaxis] - frequencies
    widths = np.diff(corners)[:, np.newaxis]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    return np.maximum(0, np.minimum(rising, falling))


def _kaldi_bands(frequencies: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return bands whose sides are straight in mel, without the last bin."""
    mel, mels = (hertz_to_mel(each, "kaldi") for each in (frequencies, corners))
    bands = _triangles(mel, mels)
    bands[:, -1] = 0
    return bands
