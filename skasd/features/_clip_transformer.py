"""Base class of transformers that take clips."""

import inspect
import warnings
from abc import abstractmethod
from collections.abc import Callable, Hashable
from functools import cache, partial
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import joblib
import numpy as np
from joblib import delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from skasd._sklearn import N_JOBS, Interval, Options, fit_context
from skasd._utils.fitted import Estimator, Part
from skasd._utils.threads import parallel_threads
from skasd.audio._channels import CHANNELS, far_channel
from skasd.audio._clips import Clip, Clips, check_clips
from skasd.audio._length import MAX_SECONDS
from skasd.audio._looking import (
    are_handed_on,
    describe_training,
    remarks_on,
    warn_of_misfits,
    warn_of_remarks,
)
from skasd.audio._reading import ASSUMED_RATE, read_clip, recording_facts
from skasd.audio._training_recordings import TrainingRecordings
from skasd.exceptions import AudioError

HIGHEST_RATE = 1_000_000
"""In Hz; far above the rate of any recorder of sound or ultrasound."""

MOST_RESAMPLED = 1000
"""Largest accepted ratio of the two rates."""

_WITHOUT_EFFECT = ("n_jobs", "verbose")
"""Parameters that the result of an analysis does not depend on."""


class ClipTransformer(TransformerMixin, BaseEstimator):
    """Base of transformers that take clips: a subclass defines the analysis of one clip's samples.

    A subclass gets everything that skasd's own transformers have: clips given as paths or arrays
    are read, resampled and checked; several threads work at once; members of an ensemble share each
    clip's analysis; `fit_clips` and `score_clips` leave out clips that cannot be analyzed; and
    monitoring and explanations work.

    Parameters
    ----------
    sample_rate : int, default=16000
        Rate of the samples that `transform_clip` receives, in Hz.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning if
        `sample_rate` differs. Files, and arrays given as ``(rate, samples)``, carry their own rate.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. An array of shape
        (n_samples,) has one channel already. ``"near-far"`` takes the features of the first
        channel, near the machine, minus `far_share` times those of the second, which hears the
        surroundings; ``"far-near"`` swaps the two.
    n_jobs : int or None, default=None
        Number of threads that read and analyze clips.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit. A longer clip, or one of more samples
        than an hour at 96 kHz, raises an `AudioError` before memory is allocated for it.

    Attributes
    ----------
    training_recordings_ : TrainingRecordings
        A description of the clips that `fit_transform` was given, as when a pipeline is fitted:
        their rates, lengths, channels and bandwidth. `transform` warns of clips that are unlike
        those.

    See Also
    --------
    SpectrogramTransformer : Base of transformers that take spectrograms.
    skasd.utils.estimator_checks.check_clip_transformer : Checks a subclass.

    Notes
    -----
    With ``channel="near-far"``, what both microphones hear counts less: the features are those of
    the near channel minus `far_share` (0.5) times those of the far one. A subclass may set another
    `far_share` for its class.

    A subclass with parameters of its own lists them in its `__init__`, as scikit-learn requires;
    any of the five above that it leaves out keep their defaults. The analysis of a clip must depend
    on nothing but the parameters: two instances with the same parameters share it.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import ClipTransformer
    >>> class Loudness(ClipTransformer):
    ...     def transform_clip(self, samples):
    ...         return np.array([samples.std(), abs(samples).max()])
    >>> Loudness().fit_transform([np.array([1.0, -1.0])])
    array([[1., 1.]])
    """

    sample_rate: int = 16000
    input_sample_rate: int | None = None
    channel: str | int = "mean"
    n_jobs: int | None = None
    max_seconds: float | None = MAX_SECONDS

    far_share: ClassVar[float] = 0.5
    """The features of the far channel are multiplied by this and subtracted from the near one's."""

    training_recordings_: TrainingRecordings

    _fitted: ClassVar[dict[str, Part]] = {
        "training_recordings_": Estimator(TrainingRecordings, optional=True)
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "sample_rate": [Interval(Integral, 1, HIGHEST_RATE, closed="both")],
        "input_sample_rate": [Interval(Integral, 1, HIGHEST_RATE, closed="both"), None],
        "channel": [Options(str, CHANNELS), Interval(Integral, 0, None, closed="left")],
        "n_jobs": N_JOBS,
        "max_seconds": [Interval(Real, 0, None, closed="neither"), None],
    }

    def _check_fitted(self) -> None:
        """Refuse a fitted state that is wrong in a way that `_fitted` cannot describe."""

    def __init__(
        self,
        sample_rate: int = 16000,
        *,
        input_sample_rate: int | None = None,
        channel: str | int = "mean",
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ):
        self.sample_rate = sample_rate
        self.input_sample_rate = input_sample_rate
        self.channel = channel
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    @abstractmethod
    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the features, or the spectrogram, of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, finite, at `sample_rate`, and at least `min_samples` long.

        Returns
        -------
        ndarray of shape (n_features,) or (n_frames, n_mels)
            Features, or a spectrogram.
        """

    @property
    def min_samples(self) -> int:
        """Number of samples at `sample_rate` that a clip needs."""
        return 1

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check the parameters and the clips. Nothing is read or learned.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : ClipTransformer

        Raises
        ------
        AudioError
            If a file is missing, or an array is not a clip.
        ValueError
            If a parameter is out of range.
        """
        self._check_parameters()
        check_clips(X)
        return self

    def fit_transform(self, X: Clips, y: Any = None, **fit_params: Any) -> Any:
        """Analyze the clips of a training set, and check whether they are alike.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.
        y : ignored
            Not used, present for API consistency by convention.
        **fit_params
            Passed on to `fit`.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64, or list of n_clips ndarrays
            Features, or spectrograms.

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed, or all clips are silent.

        Warns
        -----
        RecordingWarning
            If some clips differ from the others, such as a clip of a lower sample rate, or a silent
            one.
        """
        if hasattr(self, "training_recordings_"):
            del self.training_recordings_
        self.fit(X, y, **fit_params)
        clips = check_clips(X)
        analyses = self.transform(clips)
        if not are_handed_on(X):
            warn_of_misfits(clips, [self])
        self.training_recordings_ = describe_training(clips, [self])
        return analyses

    def transform(self, X: Clips) -> Any:
        """Analyze each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64, or list of n_clips ndarrays
            Features, or spectrograms.

        Raises
        ------
        AudioError
            If a clip cannot be read or analyzed.

        Warns
        -----
        RecordingWarning
            If clips are unlike those of `fit_transform`, as when a pipeline was fitted.
        UserWarning
            If the rate of an array had to be guessed and makes a difference.
        """
        key = self._analysis_key()
        if not (isinstance(X, list) and all(map(partial(_remembers, key), X))):
            self._validate_params()
            self._check_parameters()
        clips = self._check_clips(X)
        results = parallel_threads(
            self.n_jobs, (delayed(self._analyze)(clip, key) for clip in clips)
        )
        self._warn_of_unlike(X, clips)
        return results if results[0].ndim > 1 else np.array(results, dtype=np.float64)

    def _check_parameters(self) -> None:
        """Refuse parameters that do not go together."""
        low, high = sorted([self.input_sample_rate or ASSUMED_RATE, self.sample_rate])
        if high > MOST_RESAMPLED * low:
            raise ValueError(
                f"input_sample_rate={self.input_sample_rate} and sample_rate={self.sample_rate} "
                f"differ by a factor of more than {MOST_RESAMPLED}. Check both rates."
            )

    def _check_clips(self, X: Clips) -> list[Clip]:
        """Check clips, and warn if the sample rate of arrays has to be guessed."""
        clips = check_clips(X)
        if self._guesses_rates and any(clip.lacks_rate for clip in clips):
            warnings.warn(
                f"The sample rate of the arrays is unknown: {type(self).__name__}, which analyzes "
                f"at {self.sample_rate} Hz, assumes {ASSUMED_RATE} Hz. Pass "
                "input_sample_rate, or each clip as (rate, samples).",
                stacklevel=3,
            )
        return clips

    @property
    def _guesses_rates(self) -> bool:
        """Whether the sample rate of arrays has to be guessed, and makes a difference."""
        return self.input_sample_rate is None and self.sample_rate != ASSUMED_RATE

    def _analyze(self, clip: Clip, key: Hashable) -> np.ndarray:
        return clip.analyze(key, lambda: self._analyze_samples(clip))

    def _analyze_samples(self, clip: Clip, samples: np.ndarray | None = None) -> np.ndarray:
        samples = self._read(clip) if samples is None else samples
        # An overflow shows in the result.
        with np.errstate(over="ignore", invalid="ignore"):
            result = self._less_far(clip, samples, self.transform_clip)
        if not np.isfinite(result).all():
            raise AudioError(
                clip.name,
                f"gives NaN or infinity in {type(self).__name__}; "
                f"its samples reach {abs(samples).max():.3g}",
                "Scale it to [-1, 1], repair it or leave it out.",
            )
        return result

    def _analysis_key(self) -> Hashable:
        """Return everything that the analysis of a clip depends on, in comparable form."""
        own: Any = type(self)
        values = ((name, getattr(self, name)) for name in _names_with_effect(own))
        return own, *((name, _hashable(value)) for name, value in values)

    def _warn_of_unlike(self, X: Clips, clips: list[Clip]) -> None:
        """Warn of clips that are unlike the training clips, unless a caller will do so."""
        if hasattr(self, "training_recordings_") and not are_handed_on(X):
            remarks = remarks_on(clips, self, self.training_recordings_)
            warn_of_remarks(remarks, len(clips))

    def _read(self, clip: Clip, channel: int | None = None) -> np.ndarray:
        """Return the samples to analyze: of two channels, those near the machine."""
        return read_clip(
            clip,
            sample_rate=self.sample_rate,
            input_sample_rate=self.input_sample_rate,
            channel=self.channel if channel is None else channel,
            min_samples=self.min_samples,
            max_seconds=self.max_seconds,
        )

    def _less_far(
        self, clip: Clip, samples: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Compute something from the samples, minus the far channel's share if there is one."""
        near, far = compute(samples), self._read_far(clip)
        return near if far is None else near - self.far_share * compute(far)

    def _read_far(self, clip: Clip) -> np.ndarray | None:
        """Return the samples of the channel that is far from the machine, if there is one."""
        channel = far_channel(self.channel)
        if channel is None:
            return None
        samples = self._read(clip, channel)
        facts = recording_facts(
            clip, input_sample_rate=self.input_sample_rate, channel=channel, max_seconds=None
        )
        if facts.is_silent:
            raise AudioError(
                clip.name,
                f"has a dead channel {channel}: no sample differs from the next",
                "Check the cable of the far microphone, or pass the index of the near channel.",
            )
        return samples

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _remembers(key: Hashable, clip: Any) -> bool:
    """Tell whether a clip has been analyzed with these parameters."""
    return isinstance(clip, Clip) and key in clip.analyses


@cache
def _names_with_effect(transformer: type) -> list[str]:
    """Return the parameters that an analysis depends on."""
    names = inspect.signature(transformer).parameters
    return sorted(names.keys() - _WITHOUT_EFFECT)


def _hashable(value: Any) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return joblib.hash(value)
    return value
