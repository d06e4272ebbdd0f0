"""Any function of samples, as a transformer."""

from collections.abc import Callable
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import Interval, fit_context
from skasd.audio._clips import Clips, check_clips
from skasd.audio._length import MAX_SECONDS
from skasd.exceptions import AudioError
from skasd.features._clip_transformer import ClipTransformer
from skasd.features.encoders._pooling import Pooling, feature_names, pool, poolings_of


class CallableEncoder(ClipTransformer):
    """Describe clips by a function of their samples, such as a network that runs in Python.

    Parameters
    ----------
    function : callable
        Takes the samples of one clip, a mono float32 ndarray of shape (n_samples,) at
        `sample_rate`. Returns the clip's features, of shape (n_features,), or those of each frame,
        of shape (n_frames, ...); axes after the first are flattened.
    sample_rate : int, default=16000
        Rate that the function needs, in Hz. Clips of other rates are resampled.
    pooling : {"mean", "std", "max"}, float, or a list of these, default="mean"
        How frames are combined over time, as in `ONNXEncoder`. It has no effect if the function
        returns no frames.
    channel : "mean", "near-far", "far-near" or int, default="mean"
        ``"mean"`` averages the channels, and an int selects one by its index. ``"near-far"`` takes
        the features of the first channel, near the machine, minus half of those of the second,
        which hears the surroundings; ``"far-near"`` swaps the two.
    input_sample_rate : int or None, default=None
        Sample rate of clips given as arrays, in Hz. None assumes 16000, with a warning if
        `sample_rate` differs. Files, and arrays given as ``(rate, samples)``, carry their own rate.
    n_jobs : int or None, default=None
        Number of threads that call the function at the same time.
    max_seconds : float or None, default=3600.0
        Longest clip to accept, in seconds; None for no limit.

    Attributes
    ----------
    n_features_out_ : int
        Number of features.
    is_pooled_ : bool
        Whether the function returns frames.

    See Also
    --------
    ONNXEncoder : For a network in a file, which can be saved and needs no framework to run.

    Notes
    -----
    It can be pickled only if the function can be: a function defined in a module, not a lambda. A
    network that the function holds is pickled with it. `skasd.save` refuses it, since a model file
    never runs code. Nothing is cached on disk, since skasd cannot know what the function depends
    on.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import CallableEncoder
    >>> def spectrum(samples):
    ...     return np.abs(np.fft.rfft(samples.reshape(-1, 4)))
    >>> CallableEncoder(spectrum, pooling=["mean", "max"]).fit_transform([np.ones(8)])
    array([[4., 0., 0., 4., 0., 0.]])
    """

    _parameter_constraints = {
        **ClipTransformer._parameter_constraints,
        "function": [callable],
        "pooling": [str, "array-like", Interval(Real, 0, 1, closed="both")],
    }

    n_features_out_: int
    is_pooled_: bool

    def __init__(
        self,
        function: Callable[[np.ndarray], Any],
        *,
        sample_rate: int = 16000,
        pooling: Pooling = "mean",
        channel: str | int = "mean",
        input_sample_rate: int | None = None,
        n_jobs: int | None = None,
        max_seconds: float | None = MAX_SECONDS,
    ):
        self.function = function
        self.sample_rate = sample_rate
        self.pooling = pooling
        self.channel = channel
        self.input_sample_rate = input_sample_rate
        self.n_jobs = n_jobs
        self.max_seconds = max_seconds

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Clips, y: Any = None) -> Self:
        """Check the parameters and the clips, and call the function with the first one.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : CallableEncoder

        Raises
        ------
        AudioError
            If a file is missing, or an array is not a clip.
        ValueError
            If the function does not return an array of numbers.
        """
        self._check_parameters()
        first = check_clips(X)[0]
        result = self._call(self._read(first))
        self.is_pooled_ = result.ndim > 1
        self.n_features_out_ = len(self._pooled(result))
        return self

    def transform(self, X: Clips) -> np.ndarray:
        """Compute the features of each clip.

        Parameters
        ----------
        X : clips
            Paths or arrays of samples.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64

        Raises
        ------
        AudioError
            If a clip cannot be read, or the function returns NaN, infinity, or a different number
            of features than for the first clip of `fit`.
        """
        check_is_fitted(self)
        return super().transform(X)

    def transform_clip(self, samples: np.ndarray) -> np.ndarray:
        """Compute the features of one clip.

        Parameters
        ----------
        samples : ndarray of shape (n_samples,), float32
            Mono, at `sample_rate`.

        Returns
        -------
        ndarray of shape (n_features,), float32
            Features of the clip.
        """
        features = self._pooled(self._call(samples))
        if len(features) != self.n_features_out_:
            raise AudioError(
                f"a clip of {len(samples)} samples",
                f"gives {len(features)} features, but the first clip of fit gave "
                f"{self.n_features_out_}",
                "Let the function return the same number for all clips, or return frames.",
            )
        return features

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: ``callable_mean_0``, or ``callable_0`` without frames.

        Parameters
        ----------
        input_features : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_features,), dtype object
        """
        check_is_fitted(self)
        if self.is_pooled_:
            return feature_names("callable", self.pooling, self.n_features_out_)
        return np.array([f"callable_{i}" for i in range(self.n_features_out_)], dtype=object)

    def _call(self, samples: np.ndarray) -> np.ndarray:
        result = np.asarray(self.function(samples))
        if result.dtype.kind not in "fiu" or not result.size or not result.ndim:
            raise ValueError(
                f"function={self.function!r:.80} returned an array of shape {result.shape}, dtype "
                f"{result.dtype}: expected numbers of shape (n_features,) or (n_frames, ...)."
            )
        return result

    def _pooled(self, result: np.ndarray) -> np.ndarray:
        if result.ndim == 1:
            return result.astype(np.float32)
        return pool(result.reshape(len(result), -1), self.pooling)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        poolings_of(self.pooling)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_out_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        return tags
