"""Log-mel spectrograms, and the check of spectrograms that were computed elsewhere."""

import sys
from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Self

import numpy as np
from joblib import delayed
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skasd._sklearn import Interval, Options, fit_context
from skasd._utils.threads import parallel_threads
from skasd.audio._clips import Clip, Clips, check_clips
from skasd.audio._reading import read_clip
from skasd.exceptions import AudioError


class LogMelSpectrogram(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Turn clips into log-mel spectrograms, as the DCASE baselines do.

    The magnitude of the short-time Fourier transform (centred frames, Hann window), to the power
    `power`, is summed in librosa's mel bands and put in dB:
    ``20 / power * log10(mel + eps)``.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate that the analysis works at, in Hz. Clips of other rates are resampled.
    n_fft : int, default=1024
        Length of a frame, in samples. It is also the shortest clip that is accepted.
    hop_length : int, default=512
        Step from one frame to the next, in samples.
    n_mels : int, default=128
        Number of mel bands.
    power : float, default=2.0
        Exponent of the magnitude: 1 for amplitude, 2 for power.
    fmin : float, default=0.0
        Lower edge of the lowest band, in Hz.
    fmax : float or None, default=None
        Upper edge of the highest band, in Hz; half of `sample_rate` if None.
    input_sample_rate : int, default=16000
        What clips given as arrays are sampled at, in Hz. Files say so themselves.
    channel : "mean" or int, default="mean"
        Average of a file's channels, or the index of the one to use.
    min_frames : int, default=1
        Clips of fewer frames are refused: what the step after this one needs.
    n_jobs : int or None, default=None
        Number of threads that read and analyse clips.

    See Also
    --------
    InterpolationAutoencoder : Takes the spectrograms.

    Notes
    -----
    Stateless: `fit` validates, and an unfitted instance transforms. Silence is legal; it is
    ``20 / power * log10(eps)``, about -157 dB for power 2.

    References
    ----------
    Section 3.1 of Grollmisch et al., "IAEO3 - Combining OpenL3 embeddings and interpolation
    autoencoder for anomalous sound detection", DCASE 2020 Challenge, technical report.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import LogMelSpectrogram
    >>> clips = np.random.default_rng(0).uniform(-0.1, 0.1, size=(2, 16000))
    >>> spectrograms = LogMelSpectrogram(n_mels=64).fit_transform(clips)
    >>> len(spectrograms), spectrograms[0].shape
    (2, (32, 64))
    """

    _parameter_constraints = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "power": [Interval(Real, 0, None, closed="neither")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "input_sample_rate": [Interval(Integral, 1, None, closed="left")],
        "channel": [Options(str, {"mean"}), Interval(Integral, 0, None, closed="left")],
        "min_frames": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        sample_rate=16000,
        n_fft=1024,
        hop_length=512,
        n_mels=128,
        power=2.0,
        fmin=0.0,
        fmax=None,
        input_sample_rate=16000,
        channel="mean",
        min_frames=1,
        n_jobs=None,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.power = power
        self.fmin = fmin
        self.fmax = fmax
        self.input_sample_rate = input_sample_rate
        self.channel = channel
        self.min_frames = min_frames
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y=None) -> Self:
        """Check the parameters and the clips; nothing is read or learned.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.
        y : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        self : LogMelSpectrogram

        Raises
        ------
        AudioError
            Where a file is missing, or an array is not a clip.
        ValueError
            Where a parameter is out of range.
        """
        self._check_band_edges()
        check_clips(X)
        return self

    def transform(self, X: Clips) -> list[np.ndarray]:
        """Compute the log-mel spectrogram of each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        list of n_clips ndarrays of shape (n_frames, n_mels), float32
            Levels in dB; ``n_frames = 1 + n_samples // hop_length``.

        Raises
        ------
        AudioError
            Where a clip cannot be read or analysed.
        """
        self._validate_params()
        self._check_band_edges()
        clips = check_clips(X)
        import librosa

        # Resolves librosa's lazy imports here, once, and not in several threads at a time.
        _ = librosa.stft, librosa.filters.mel
        return parallel_threads(self.n_jobs, (delayed(self._analyse)(clip) for clip in clips))

    def _analyse(self, clip: Clip) -> np.ndarray:
        settings = {**self.get_params(), "n_jobs": None}
        key = (type(self), *settings.values())
        return clip.analyse(key, lambda: self._spectrogram(clip))

    def _spectrogram(self, clip: Clip) -> np.ndarray:
        import librosa

        samples = read_clip(
            clip,
            sample_rate=self.sample_rate,
            input_sample_rate=self.input_sample_rate,
            channel=self.channel,
            min_samples=max(self.n_fft, (self.min_frames - 1) * self.hop_length),
        )
        spectrum = librosa.stft(samples, n_fft=self.n_fft, hop_length=self.hop_length)
        bands = _mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax)
        # Rounded once, at the end, the levels are the same whatever BLAS and libm compute them.
        mel = bands @ np.abs(spectrum.astype(np.complex128)) ** self.power
        decibels = 20 / self.power * np.log10(mel + sys.float_info.epsilon)
        return np.ascontiguousarray(decibels.T, dtype=np.float32)

    def _check_band_edges(self) -> None:
        fmax = self.sample_rate / 2 if self.fmax is None else self.fmax
        if not self.fmin < fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin={self.fmin} and fmax={self.fmax} do not fit sample_rate="
                f"{self.sample_rate}: 0 <= fmin < fmax <= sample_rate / 2 is needed."
            )

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Name the columns of each spectrogram: ``mel_0``, and so on.

        Parameters
        ----------
        input_features : ignored
            For scikit-learn's pipelines.

        Returns
        -------
        ndarray of shape (n_mels,), dtype object
        """
        return np.array([f"mel_{band}" for band in range(self.n_mels)], dtype=object)

    def set_output(self, *, transform=None) -> Self:
        """Accept scikit-learn's setting without effect: spectrograms are no table.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            What the steps of a pipeline that do return tables shall return.

        Returns
        -------
        self : LogMelSpectrogram
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


@lru_cache(maxsize=8)
def _mel_bands(sample_rate, n_fft, n_mels, fmin, fmax) -> sparse.csr_array:
    """Return librosa's mel bands, which take longer to make than to use, without their zeros."""
    import librosa

    bands = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    return sparse.csr_array(bands.astype(np.float64))


def check_spectrograms(
    X: Sequence[np.ndarray] | np.ndarray, *, min_frames: int = 1, n_mels: int | None = None
) -> list[np.ndarray]:
    """Check spectrograms, and convert them to float32 where they are not.

    Parameters
    ----------
    X : spectrograms
        A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
    min_frames : int, default=1
        Least number of frames that is needed.
    n_mels : int or None, default=None
        Number of bands that is needed; that of the first spectrogram if None.

    Returns
    -------
    list of n_clips ndarrays of shape (n_frames, n_mels), float32

    Raises
    ------
    AudioError
        Where a clip has too few frames.
    ValueError
        Where a spectrogram is not 2-D, has another number of bands, or is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features._log_mel_spectrogram import check_spectrograms
    >>> check_spectrograms(np.zeros((3, 20, 128)))[0].shape
    (20, 128)
    """
    if isinstance(X, np.ndarray) and X.dtype != object and X.ndim != 3:
        raise ValueError(
            "Expected an array of shape (n_clips, n_frames, n_mels), or a sequence of arrays of "
            f"shape (n_frames, n_mels); got one array of shape {X.shape}."
        )
    if len(X) == 0:
        raise ValueError("Expected at least one spectrogram, got an empty sequence.")
    spectrograms = []
    for index, spectrogram in enumerate(X):
        try:
            spectrogram = np.asarray(spectrogram, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"clip {index}: no spectrogram but {type(spectrogram).__name__}. "
                "Put LogMelSpectrogram before this step to start from recordings."
            ) from error
        if spectrogram.ndim != 2:
            raise ValueError(
                f"clip {index}: expected a spectrogram of shape (n_frames, n_mels), got shape "
                f"{spectrogram.shape}. Put LogMelSpectrogram before this step to start from "
                "recordings."
            )
        n_mels = spectrogram.shape[1] if n_mels is None else n_mels
        if spectrogram.shape[1] != n_mels:
            raise ValueError(
                f"clip {index}: has {spectrogram.shape[1]} bands where {n_mels} are expected. "
                "Compute all spectrograms with the same n_mels."
            )
        if len(spectrogram) < min_frames:
            raise AudioError(
                f"clip {index}",
                f"is too short: {len(spectrogram)} frames where {min_frames} are needed",
                "Leave it out, or analyse with a shorter hop_length.",
            )
        if not np.isfinite(spectrogram).all():
            raise ValueError(
                f"clip {index}: its spectrogram holds NaN or infinity. Repair it or leave it out."
            )
        spectrograms.append(spectrogram)
    return spectrograms
