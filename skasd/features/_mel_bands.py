"""Mel bands on the scales of librosa, HTK and Kaldi."""

from functools import lru_cache

import numpy as np
from scipy import sparse

MEL_SCALES = ("slaney", "htk", "kaldi")


def mel_corners(n_mels: int, *, fmin: float, fmax: float, mel_scale: str) -> np.ndarray:
    """Compute where bands begin and end, evenly on a mel scale.

    Parameters
    ----------
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lower edge of the lowest band, and upper edge of the highest one, in Hz.
    mel_scale : {"slaney", "htk", "kaldi"}
        The scale. Kaldi's is HTK's.

    Returns
    -------
    ndarray of shape (n_mels + 2,)
        In Hz: band i is from corner i to corner i + 2, with its top at corner i + 1.

    Examples
    --------
    >>> from skasd.features._mel_bands import mel_corners
    >>> mel_corners(1, fmin=0, fmax=1000, mel_scale="slaney")
    array([   0.,  500., 1000.])
    """
    import librosa

    return librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax, htk=mel_scale != "slaney")


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
    """Return mel bands, which take longer to make than to use, without their zeros.

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
    import librosa

    if mel_scale == "kaldi":
        bands = _kaldi_bands(sample_rate, n_fft, n_mels, fmin, fmax or sample_rate / 2, mel_norm)
    else:
        bands = librosa.filters.mel(
            sr=sample_rate,
            n_fft=n_fft,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            htk=mel_scale == "htk",
            norm=mel_norm,  # type: ignore[arg-type]
        )
    return sparse.csr_array(bands.astype(np.float64))


def _kaldi_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float, mel_norm: str | None
) -> np.ndarray:
    """Return bands whose sides are straight in mel, rather than in Hz, without the last bin."""
    frequencies = np.arange(1 + n_fft // 2) * sample_rate / n_fft
    corners = mel_corners(n_mels, fmin=fmin, fmax=fmax, mel_scale="kaldi")
    mel, low, top, high = (
        np.log1p(each / 700)
        for each in (frequencies, corners[:-2, None], corners[1:-1, None], corners[2:, None])
    )
    bands = np.maximum(0, np.minimum((mel - low) / (top - low), (high - mel) / (high - top)))
    bands[:, n_fft // 2 :] = 0
    return bands if mel_norm is None else bands * 2 / (corners[2:] - corners[:-2])[:, None]
