"""Power spectra of whole clips."""

import sys
from numbers import Integral

import numpy as np
from scipy import fft
from sklearn.base import ClassNamePrefixFeaturesOutMixin

from skasd._sklearn import Interval
from skasd.audio._length import MAX_SECONDS
from skasd.features._clip_transformer import ClipTransformer

MOST_BINS = 2**20
"""At 16 kHz, each is less than 0.01 Hz wide."""

OFFSET = sys.float_info.epsilon
"""Added to the power, so that silence has a level."""


class PowerSpectrum(ClassNamePrefixFeaturesOutMixin, ClipTransformer):
    """Turn each clip into the power spectrum of all of it, in dB.

    The short frames of a spectrogram distinguish frequencies that are about 16 Hz apart; by
    default, the bins of this spectrum are 1 Hz wide. So it shows the tones of a machine and their
    sidebands in detail, but not when something happens.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the analysis, in Hz. Clips of other rates are resampled.
    n_bins : int, default=8192
        Number of bins of equal width, from 0 Hz to half of `sample_rate`. Powers of two are the
        fastest.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning if
        `sample_rate` differs. Files, and arrays given as ``(rate, samples)``, carry their own rate.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. An array of shape
        (n_samples,) has one channel already. ``"near-far"`` takes the levels of the first channel,
        near the machine, minus those of the second, which hears the surroundings; ``"far-near"``
        swaps the two.
    n_jobs : int or None, default=None
        Number of threads that read and analyze clips.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer clip is refused before
        memory is allocated for it.

    See Also
    --------
    SpectrumEmbedding : Takes the spectra of several machines, and learns to tell these apart.
    LogMelSpectrogram : Computes spectra frame by frame, in mel bands.

    Notes
    -----
    Clips may have any length. The Fourier transform X has ``2 * n_bins * 2**k`` points, with the
    smallest k for which the clip fits; it has no window, and zeros follow the clip. The power of a
    bin is the mean of the ``2**k`` values of ``abs(X)**2 / n_samples`` in it. So white noise of
    variance v has levels around ``10 * log10(v)``, and a tone is as far above it, whatever the
    length of the clip; but a clip of fewer than ``2 * n_bins`` samples, 1 s by default, does not
    distinguish neighboring bins. Silence is allowed; its level is ``10 * log10(eps)``, about
    -157 dB.

    Stateless: `fit` validates, and an unfitted instance transforms.

    References
    ----------
    Wilkinghoff, "Design choices for learning embeddings from auxiliary tasks for domain
    generalization in anomalous sound detection", ICASSP 2023, which uses magnitudes, in as many
    bins as the clip has.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import PowerSpectrum

    A tone of 1 kHz, in bins of 62.5 Hz:

    >>> clips = [np.sin(2000 * np.pi * np.arange(n) / 16000) for n in (16000, 24000)]
    >>> spectra = PowerSpectrum(n_bins=128).fit_transform(clips)
    >>> spectra.shape, spectra.argmax(axis=1)
    ((2, 128), array([16, 16]))
    """

    far_share = 1.0

    _parameter_constraints = {
        **ClipTransformer._parameter_constraints,
        "n_bins": [Interval(Integral, 1, MOST_BINS, closed="both")],
    }

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        n_bins: int = 8192,
        input_sample_rate: int | None = None,
        channel: str | int = "mean",
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ):
        self.sample_rate = sample_rate
        self.n_bins = n_bins
        self.input_sample_rate = input_sample_rate
        self.channel = channel
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the power spectrum of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_bins,), float32
            Levels in dB.
        """
        spectrum = fft.rfft(samples.astype(np.float64), self._n_fft(len(samples)))[:-1]
        power = (spectrum.real**2 + spectrum.imag**2) / len(samples)
        levels = 10 * np.log10(power.reshape(self.n_bins, -1).mean(axis=1) + OFFSET)
        # Rounded once, at the end, the levels are the same whatever library computes them.
        return levels.astype(np.float32)

    def _n_fft(self, n_samples: int) -> int:
        """Return the number of points of the transform, of which each bin has as many."""
        n_fft = 2 * self.n_bins
        while n_fft < n_samples:
            n_fft *= 2
        return n_fft

    @property
    def _n_features_out(self) -> int:
        return self.n_bins
