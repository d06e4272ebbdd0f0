"""Base class of transformers that take spectrograms, and checks of spectrograms."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skasd._sklearn import fit_context
from skasd._utils.fitted import Number, Part
from skasd.exceptions import AudioError

Spectrograms = Sequence[np.ndarray] | np.ndarray

MOST_BANDS = 2**20
"""Far above the number of bands of any spectrogram."""


class SpectrogramTransformer(TransformerMixin, BaseEstimator):
    """Base of transformers that take spectrograms: a subclass defines the features of one of them.

    Attributes
    ----------
    n_features_in_ : int
        Number of bands of the spectrograms.

    See Also
    --------
    ClipTransformer : Base of transformers that take clips.
    skasd.utils.estimator_checks.check_spectrogram_transformer : Checks a subclass.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd import SpectrogramTransformer
    >>> class Spread(SpectrogramTransformer):
    ...     def transform_spectrogram(self, spectrogram):
    ...         return spectrogram.std(axis=0)
    >>> Spread().fit_transform([np.array([[1.0, 5.0], [3.0, 5.0]])])
    array([[1., 0.]])
    """

    n_features_in_: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    _fitted: ClassVar[dict[str, Part]] = {"n_features_in_": Number("i", low=1, high=MOST_BANDS)}

    def _check_fitted(self) -> None:
        """Refuse a fitted state that is wrong in a way that `_fitted` cannot describe."""

    @abstractmethod
    def transform_spectrogram(self, spectrogram: np.ndarray) -> np.ndarray:
        """Compute the features of one clip.

        Parameters
        ----------
        spectrogram : ndarray of shape (n_frames, n_mels), float32
            Finite, with at least `min_frames` frames.

        Returns
        -------
        ndarray of shape (n_features,)
            Features of the clip.
        """

    @property
    def min_frames(self) -> int:
        """Number of frames that a clip needs."""
        return 1

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Spectrograms, y: Any = None) -> Self:
        """Check the parameters and the spectrograms, and note their number of bands.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
        y : ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : SpectrogramTransformer

        Raises
        ------
        AudioError
            If a clip has fewer frames than `min_frames`.
        ValueError
            If a parameter or a spectrogram is invalid.
        """
        self.n_features_in_ = check_spectrograms(X, min_frames=self.min_frames)[0].shape[1]
        return self

    def transform(self, X: Spectrograms) -> np.ndarray:
        """Compute the features of each clip.

        Parameters
        ----------
        X : spectrograms
            A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.

        Returns
        -------
        ndarray of shape (n_clips, n_features), float64

        Raises
        ------
        AudioError
            If a clip has fewer frames than `min_frames`.
        """
        features = self._transform_spectrograms(self._check_spectrograms(X))
        return np.array(features, dtype=np.float64)

    def _transform_spectrograms(self, spectrograms: Sequence[np.ndarray]) -> ArrayLike:
        """Compute the features of each clip; a subclass may compute those of several at once."""
        return [self.transform_spectrogram(spectrogram) for spectrogram in spectrograms]

    def _check_spectrograms(self, X: Spectrograms) -> list[np.ndarray]:
        """Check the spectrograms that a fitted transformer is given."""
        check_is_fitted(self)
        return check_spectrograms(X, min_frames=self.min_frames, n_mels=self.n_features_in_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def check_spectrograms(
    X: Spectrograms, *, min_frames: int = 1, n_mels: int | None = None
) -> list[np.ndarray]:
    """Check spectrograms, and convert them to float32 if they are not.

    Parameters
    ----------
    X : spectrograms
        A sequence of n_clips arrays of shape (n_frames, n_mels), or one 3-D array.
    min_frames : int, default=1
        Smallest number of frames that is accepted.
    n_mels : int or None, default=None
        Number of bands that is required; None means that of the first spectrogram.

    Returns
    -------
    list of n_clips ndarrays of shape (n_frames, n_mels), float32

    Raises
    ------
    AudioError
        If a clip has too few frames, or is not finite.
    ValueError
        If a spectrogram is not 2-D, or has a different number of bands.

    Examples
    --------
    >>> import numpy as np
    >>> from skasd.features._spectrogram_transformer import check_spectrograms
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
                f"clip {index}: expected a spectrogram, got {type(spectrogram).__name__}. "
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
                f"clip {index}: has {spectrogram.shape[1]} bands, but {n_mels} are expected. "
                "Compute all spectrograms with the same n_mels."
            )
        if len(spectrogram) < min_frames:
            raise AudioError(
                f"clip {index}",
                f"is too short: {len(spectrogram)} frames, but {min_frames} are needed",
                "Leave it out, or analyze with a shorter hop_length.",
            )
        if not np.isfinite(spectrogram).all():
            raise AudioError(
                f"clip {index}",
                "its spectrogram holds NaN or infinity",
                "Repair it or leave it out.",
            )
        spectrograms.append(spectrogram)
    return spectrograms
