"""Log-mel spectrograms of clips."""

import sys
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy import sparse

from skasd._sklearn import Interval, StrOptions
from skasd.audio._clips import Clips
from skasd.audio._length import MAX_SECONDS
from skasd.features._clip_transformer import ClipTransformer
from skasd.features._mel_bands import MEL_SCALES, mel_bands
from skasd.features._short_time_spectrum import CENTERED, FRAMINGS, WINDOWS, short_time_power

LONGEST = 2**20
"""Most samples in a frame, or frames in a clip: a minute at 16 kHz."""

LARGEST_BANDS = 2**25
"""Most numbers in the matrix of the mel bands, which has 1 + n_fft / 2 for each band."""

FRONT_END = {
    "window": "hann",
    "framing": "zeros",
    "pre_emphasis": 0.0,
    "mel_scale": "slaney",
    "mel_norm": "slaney",
    "log": "db",
    "offset": sys.float_info.epsilon,
    "floor": 0.0,
    "top_db": None,
    "mean": 0.0,
    "scale": 1.0,
}
"""Parameters for the front ends of encoders, with the values that the DCASE baselines use."""


class LogMelSpectrogram(ClipTransformer, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn clips into log-mel spectrograms, as the DCASE baselines do, or as an encoder needs them.

    The magnitude of the short-time Fourier transform (centered frames, Hann window), raised to
    `power`, is summed over librosa's mel bands and converted to dB:
    ``20 / power * log10(mel + eps)``. The parameters from `window` to `scale` are for encoders,
    which only work well on the kind of spectrogram they were trained on; `make_encoder` sets them
    by name.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the analysis, in Hz. Clips of other rates are resampled.
    n_fft : int, default=1024
        Length of a frame, in samples. It is also the shortest clip that is accepted.
    hop_length : int, default=512
        Step from one frame to the next, in samples.
    win_length : int or None, default=None
        Length of the window within a frame, in samples, at most `n_fft`; None means `n_fft`.
        Shorter windows resolve faster changes, but distinguish frequencies less well.
    n_mels : int, default=128
        Number of mel bands.
    power : float, default=2.0
        Exponent of the magnitude: 1 for amplitude, 2 for power.
    fmin : float, default=0.0
        Lower edge of the lowest band, in Hz.
    fmax : float or None, default=None
        Upper edge of the highest band, in Hz; None means half of `sample_rate`.
    window : {"hann", "symmetric_hann", "povey"}, default="hann"
        Window of a frame. ``"hann"`` is periodic, like librosa's; ``"symmetric_hann"`` ends with
        the zero that it begins with, like Kaldi's; and ``"povey"`` is the symmetric one to the
        power of 0.85.
    framing : {"zeros", "reflect", "inside", "kaldi"}, default="zeros"
        Where frames lie. With ``"zeros"`` and ``"reflect"``, they are centered on every
        `hop_length`-th sample, and the clip is continued beyond its ends by zeros, or by its mirror
        image. With ``"inside"``, each frame has `win_length` samples, all of them within the clip.
        ``"kaldi"`` is like ``"inside"``, but also subtracts the mean from each frame, and
        pre-emphasizes each by itself.
    pre_emphasis : float, default=0.0
        This share of each sample is subtracted from the next one.
    mel_scale : {"slaney", "htk", "kaldi"}, default="slaney"
        Where the bands lie: on Slaney's scale, as in librosa, or on HTK's. ``"kaldi"`` is HTK's
        scale with triangles whose sides are straight in mel rather than in Hz, as TensorFlow's are
        too.
    mel_norm : {"slaney"} or None, default="slaney"
        Whether each band is divided by half of its width in Hz.
    log : {"db", "ln"}, default="db"
        Whether levels are in dB, or natural logarithms.
    offset, floor : float, default=2.2e-16 and 0.0
        The logarithm is taken of ``max(mel, floor) + offset``.
    top_db : float or None, default=None
        Levels more than this far below the clip's highest are raised to that limit; in the unit of
        `log`.
    mean, scale : float, default=0.0 and 1.0
        The result is ``(level - mean) / scale``.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning if
        `sample_rate` differs. Files, and arrays given as ``(rate, samples)``, carry their own rate.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. An array of shape
        (n_samples,) has one channel already. ``"near-far"`` takes the levels of the first channel,
        near the machine, minus those of the second, which hears the surroundings; ``"far-near"``
        swaps the two.
    min_frames : int, default=1
        Clips of fewer frames are refused; set it to the number that the next step needs.
    n_jobs : int or None, default=None
        Number of threads that read and analyze clips.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer clip is refused before
        memory is allocated for it.

    See Also
    --------
    InterpolationAutoencoder : Takes the spectrograms.
    ONNXEncoder : Takes spectrograms like those that its network was trained on.
    make_encoder : Encoders by name, with their front ends.

    Notes
    -----
    Stateless: `fit` validates, and an unfitted instance transforms. Silence is allowed; its level
    is ``20 / power * log10(eps)``, about -157 dB for a power of 2. Samples are in [-1, 1]. To
    reproduce a front end made for 16-bit integers, divide its `floor` by ``2 ** (15 * power)``, and
    subtract the logarithm of that number from its `mean`.

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
        "window": [StrOptions(set(WINDOWS))],
        "framing": [StrOptions(set(FRAMINGS))],
        "pre_emphasis": [Interval(Real, 0, 1, closed="left")],
        "mel_scale": [StrOptions(set(MEL_SCALES))],
        "mel_norm": [StrOptions({"slaney"}), None],
        "log": [StrOptions({"db", "ln"})],
        "offset": [Interval(Real, 0, None, closed="left")],
        "floor": [Interval(Real, 0, None, closed="left")],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "mean": [Interval(Real, None, None, closed="neither")],
        "scale": [Interval(Real, 0, None, closed="neither")],
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
        window: str = "hann",
        framing: str = "zeros",
        pre_emphasis: float = 0.0,
        mel_scale: str = "slaney",
        mel_norm: str | None = "slaney",
        log: str = "db",
        offset: float = sys.float_info.epsilon,
        floor: float = 0.0,
        top_db: float | None = None,
        mean: float = 0.0,
        scale: float = 1.0,
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
        self.window = window
        self.framing = framing
        self.pre_emphasis = pre_emphasis
        self.mel_scale = mel_scale
        self.mel_norm = mel_norm
        self.log = log
        self.offset = offset
        self.floor = floor
        self.top_db = top_db
        self.mean = mean
        self.scale = scale
        self.input_sample_rate = input_sample_rate
        self.channel = channel
        self.min_frames = min_frames
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    @property
    def min_samples(self) -> int:
        """Number of samples at `sample_rate` that a clip needs."""
        all_but_first = (self.min_frames - 1) * self.hop_length
        lost = 1 if self.pre_emphasis and self.framing != "kaldi" else 0
        if self.framing in CENTERED:
            return lost + max(self.n_fft, all_but_first)
        return lost + (self.win_length or self.n_fft) + all_but_first

    def transform(self, X: Clips) -> list[np.ndarray]:
        """Compute the log-mel spectrogram of each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        list of n_clips ndarrays of shape (n_frames, n_mels), float32
            Levels in dB, or as the parameters say; ``n_frames = 1 + n_samples // hop_length`` if
            frames are centered.

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed.
        """
        return super().transform(X)

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the log-mel spectrogram of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_frames, n_mels), float32
            Levels in dB, or as the parameters say.
        """
        bands = mel_bands(
            self.sample_rate,
            self.n_fft,
            self.n_mels,
            self.fmin,
            self.fmax,
            self.mel_scale,
            self.mel_norm,
        )
        blocks = short_time_power(
            samples,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            win_length=self.win_length,
            window=self.window,
            framing=self.framing,
            pre_emphasis=self.pre_emphasis,
        )
        # Rounded once, at the end, the levels are the same whatever BLAS and libm compute them.
        levels = np.concatenate([self._levels(block, bands) for block in blocks])
        if self.top_db is not None:
            np.maximum(levels, levels.max() - self.top_db / self.scale, out=levels)
        return levels

    def _levels(self, power: np.ndarray, bands: sparse.csr_array) -> np.ndarray:
        """Return the levels of frames, (n_frames, n_mels), from squared magnitudes."""
        magnitude = power if self.power == 2 else power ** (self.power / 2)
        levels = bands @ magnitude.T
        if self.floor:
            np.maximum(levels, self.floor, out=levels)
        levels += self.offset
        if self.log == "db":
            np.log10(levels, out=levels)
            levels *= 20 / self.power
        else:
            np.log(levels, out=levels)
        levels -= self.mean
        levels /= self.scale
        return np.ascontiguousarray(levels.T, dtype=np.float32)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Version 0.1.0.dev0 had no other windows or front ends.
        super().__setstate__({"win_length": None, **FRONT_END, **state})

    def _check_parameters(self) -> None:
        super()._check_parameters()
        fmax = self.sample_rate / 2 if self.fmax is None else self.fmax
        if not self.fmin < fmax <= self.sample_rate / 2:
            raise ValueError(
                f"fmin={self.fmin} and fmax={self.fmax} do not fit sample_rate="
                f"{self.sample_rate}. Pass 0 <= fmin < fmax <= sample_rate / 2."
            )
        if self.n_mels * (1 + self.n_fft // 2) > LARGEST_BANDS:
            raise ValueError(
                f"n_mels={self.n_mels} bands with n_fft={self.n_fft} need too much memory. "
                "Pass fewer bands, or shorter frames."
            )
        if self.win_length is not None and self.win_length > self.n_fft:
            raise ValueError(
                f"win_length={self.win_length} is longer than a frame, n_fft={self.n_fft}. Pass a "
                "shorter window, or a longer n_fft."
            )
        if not self.offset and not self.floor:
            raise ValueError(
                "With offset=0 and floor=0, silence has no logarithm. Pass one of them above 0."
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
        """Accept scikit-learn's setting, without effect: spectrograms are not tables.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            What kind of table the other steps of a pipeline should return.

        Returns
        -------
        self : LogMelSpectrogram
        """
        return self
