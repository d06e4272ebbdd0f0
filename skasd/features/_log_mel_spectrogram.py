"""Log-mel spectrograms of clips."""

import sys
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy import sparse

from skasd._sklearn import Interval
from skasd._utils.packages import needed_for
from skasd.audio._clips import Clips
from skasd.audio._length import MAX_SECONDS
from skasd.features._base import ClipTransformer
from skasd.features._short_time_spectrum import short_time_power

LONGEST = 2**20
"""Samples of a frame, or frames of a clip: a minute at 16 kHz."""

LARGEST_BANDS = 2**25
"""Numbers in the matrix of the mel bands that librosa makes, 1 + n_fft / 2 for each band."""


class LogMelSpectrogram(ClipTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn clips into log-mel spectrograms, as the DCASE baselines do.

    The magnitude of the short-time Fourier transform (centered frames, Hann window), to the power
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
    win_length : int or None, default=None
        Length of the window within a frame, in samples, at most `n_fft`, which is that of None.
        Shorter windows hear faster changes, and tell frequencies apart less well.
    n_mels : int, default=128
        Number of mel bands.
    power : float, default=2.0
        Exponent of the magnitude: 1 for amplitude, 2 for power.
    fmin : float, default=0.0
        Lower edge of the lowest band, in Hz.
    fmax : float or None, default=None
        Upper edge of the highest band, in Hz; half of `sample_rate` if None.
    input_sample_rate : int or None, default=None
        What clips given as arrays are sampled at, in Hz. None takes 16000, with a warning if
        `sample_rate` is another. Files, and arrays given as ``(rate, samples)``, say so themselves.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        Average of the channels, or the index of the one to use; an array of shape (n_samples,) is
        the one already. ``"near-far"``: the levels of the first channel, near the machine, less
        those of the second, which hears the surroundings. ``"far-near"``: the other way around.
    min_frames : int, default=1
        Clips of fewer frames are refused: what the step after this one needs.
    n_jobs : int or None, default=None
        Number of threads that read and analyze clips.
    max_seconds : float or None, default=3600.0
        How long a clip may be, in seconds; None is as long as it likes. A longer one is refused
        before memory is taken for it.

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

    far_share = 1.0

    _parameter_constraints = {
        **ClipTransformer._parameter_constraints,
        "n_fft": [Interval(Integral, 2, LONGEST, closed="both")],
        "hop_length": [Interval(Integral, 1, LONGEST, closed="both")],
        "win_length": [Interval(Integral, 1, LONGEST, closed="both"), None],
        "n_mels": [Interval(Integral, 1, 4096, closed="both")],
        "power": [Interval(Real, 0, 1000, closed="neither")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
        "min_frames": [Interval(Integral, 1, LONGEST, closed="both")],
    }

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        n_fft: int = 1024,
        hop_length: int = 512,
        win_length: int | None = None,
        n_mels: int = 128,
        power: float = 2.0,
        fmin: float = 0.0,
        fmax: float | None = None,
        input_sample_rate: int | None = None,
        channel: str | int = "mean",
        min_frames: int = 1,
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.win_length = win_length
        self.n_mels = n_mels
        self.power = power
        self.fmin = fmin
        self.fmax = fmax
        self.input_sample_rate = input_sample_rate
        self.channel = channel
        self.min_frames = min_frames
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    @property
    def min_samples(self) -> int:
        """Number of samples at `sample_rate` that a clip needs."""
        return max(self.n_fft, (self.min_frames - 1) * self.hop_length)

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
            If a clip cannot be read or analyzed.
        """
        return super().transform(X)

    def _prepare(self) -> None:
        with needed_for("LogMelSpectrogram"):
            import librosa

        # Resolves librosa's lazy imports here, once, and not in several threads at a time.
        _ = librosa.filters.mel

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the log-mel spectrogram of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_frames, n_mels), float32
            Levels in dB.
        """
        bands = _mel_bands(self.sample_rate, self.n_fft, self.n_mels, self.fmin, self.fmax)
        blocks = short_time_power(
            samples, n_fft=self.n_fft, hop_length=self.hop_length, win_length=self.win_length
        )
        # Rounded once, at the end, the levels are the same whatever BLAS and libm compute them.
        return np.concatenate([self._decibels(block, bands) for block in blocks])

    def _decibels(self, power: np.ndarray, bands: sparse.csr_array) -> np.ndarray:
        """Return the levels of frames, (n_frames, n_mels), from squared magnitudes."""
        magnitude = power if self.power == 2 else power ** (self.power / 2)
        mel = bands @ magnitude.T
        decibels = 20 / self.power * np.log10(mel + sys.float_info.epsilon)
        return np.ascontiguousarray(decibels.T, dtype=np.float32)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0.dev0 had no other windows.
        super().__setstate__({"win_length": None, **state})

    def _check_parameters(self) -> None:
        super()._check_parameters()
        fmax = self.sample_rate / 2 if self.fmax is None else self.fmax
        if not self.fmin < fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin={self.fmin} and fmax={self.fmax} do not fit sample_rate="
                f"{self.sample_rate}: 0 <= fmin < fmax <= sample_rate / 2 is needed."
            )
        if self.n_mels * (1 + self.n_fft // 2) > LARGEST_BANDS:
            raise ValueError(
                f"n_mels={self.n_mels} bands of frames of n_fft={self.n_fft} take too much memory. "
                "Pass fewer bands, or shorter frames."
            )
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ValueError(
                f"win_length={self.win_length} is longer than a frame, n_fft={self.n_fft}. Pass a "
                "shorter window, or a longer n_fft."
            )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of each spectrogram: ``mel_0``, and so on.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_mels,), dtype object
        """
        return np.array([f"mel_{band}" for band in range(self.n_mels)], dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
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


@lru_cache(maxsize=8)
def _mel_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> sparse.csr_array:
    """Return librosa's mel bands, which take longer to make than to use, without their zeros."""
    import librosa

    bands = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax)
    return sparse.csr_array(bands.astype(np.float64))
